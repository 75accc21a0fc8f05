/** Puts issued coupons into their owners' wallets. */
import type { CouponIssued, UserCoupon } from '../../schemas/index.ts'
import type { KeyValueStore } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { newUserCoupon } from '../wallet/keep-wallet.ts'

export interface CollectContext {
  readonly stores: { readonly wallet: KeyValueStore<[userId: string, userCouponId: string], UserCoupon> }
}

/** A verdict that is said again finds its coupon there and changes nothing: the coupon may have moved on since. */
export function keepInWallet(record: StreamRecord<string, CouponIssued>, { stores }: CollectContext): void {
  const { userId, userCouponId } = record.value
  if (stores.wallet.get([userId, userCouponId]) !== undefined) return
  stores.wallet.put([userId, userCouponId], newUserCoupon(record.value))
}
