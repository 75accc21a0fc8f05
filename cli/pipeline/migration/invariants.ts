/** What must hold over the rows of the whole shop, whatever was brought how: for I1 and I6 by counters and claims. */
import { dumpStore, type StateReader } from '../../../state/index.ts'
import type { Campaign, CampaignCounters, ClaimState } from '../../../schemas/index.ts'
import { campaignStore, claimStore, counterStore, couponIssuance } from '../../../topologies/index.ts'

export interface CouponSums {
  quota?: number
  issued: number
  claimed: number
}

/** Adds up one task of the coupons' topology. */
export async function addCoupons(sums: Map<string, CouponSums>, reader: StateReader): Promise<void> {
  const of = (couponId: string): CouponSums => {
    const known = sums.get(couponId) ?? { issued: 0, claimed: 0 }
    sums.set(couponId, known)
    return known
  }
  for await (const [key, value] of rows(reader, campaignStore))
    of(key as string).quota = (value as Campaign).quota
  for await (const [key, value] of rows(reader, counterStore))
    of(key as string).issued += (value as CampaignCounters).issued
  for await (const [key, value] of rows(reader, claimStore))
    of((key as [couponId: string, userId: string])[0]).claimed += (value as ClaimState).issued
}

/** Complaints; none is a pass. */
export function judgeCoupons(sums: ReadonlyMap<string, CouponSums>): readonly string[] {
  return [...sums].flatMap(([couponId, { quota, issued, claimed }]) => [
    ...(issued > (quota ?? 0) ? [`I1: ${couponId} has issued ${issued} of ${quota ?? 0}`] : []),
    ...(issued === claimed ? [] : [`I6: ${couponId} has issued ${issued}, and users have ${claimed}`]),
  ])
}

/** The topology that `addCoupons` is about. */
export const COUPONS = couponIssuance.name

async function* rows(
  reader: StateReader,
  spec: typeof campaignStore | typeof counterStore | typeof claimStore,
): AsyncGenerator<readonly [key: unknown, value: unknown]> {
  for await (const row of dumpStore(reader, { store: spec.name, spec })) {
    if ('error' in row) throw new Error(`a row of ${spec.name} cannot be read: ${row.error}`)
    yield [row.key, row.value]
  }
}
