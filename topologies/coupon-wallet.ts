/** Coupons by owner: issued coupons, repartitioned from couponId to userId, into each user's wallet. */
import { keepInWallet } from '../processors/index.ts'
import { type CouponIssued, stateSerde, topics, type UserCoupon, userCouponSchema } from '../schemas/index.ts'
import { keys, keyValueStore } from '../state/index.ts'
import { processor, shape, topology } from '../streams/index.ts'

/** A user's coupons, by (userId, userCouponId): all of one user's lie together. */
export const walletStore = keyValueStore<UserCoupon, [userId: string, userCouponId: string]>({
  name: 'wallet',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(userCouponSchema),
  version: userCouponSchema.version,
})

const wallet = processor({
  name: 'wallet-keeper',
  input: shape<string, CouponIssued>(),
  stores: { wallet: walletStore },
  process: keepInWallet,
})

export const couponWallet = topology('coupon-wallet', (t) => {
  t.stream(topics.couponIssued)
    .selectKey((issued) => issued.userId)
    .repartition({ name: 'issued-by-user', key: topics.couponIssued.key, value: topics.couponIssued.value })
    .process(wallet)
})
