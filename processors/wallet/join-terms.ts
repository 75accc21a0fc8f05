/**
 * Tells each issued coupon what it takes off an order, where coupon and campaign meet: by couponId. A coupon is issued by
 * a revision of its campaign that may be read after it; it waits until that revision, or a later one, is known.
 */
import type { Campaign, CampaignTerms, CouponIssued } from '../../schemas/index.ts'
import type { KeyValueStore, Scan } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'

export type TermsFact =
  | { readonly kind: 'CAMPAIGN'; readonly campaign: Campaign }
  | { readonly kind: 'ISSUED'; readonly issued: CouponIssued }

/** What the joiner uses; `topologies/coupon-wallet.ts` gives it. */
export interface TermsContext {
  readonly stores: {
    readonly terms: KeyValueStore<string, CampaignTerms>
    /** Coupons that wait. */
    readonly held: KeyValueStore<[couponId: string, userCouponId: string], CouponIssued>
  }
  readonly emit: {
    /** With its discount, under its owner. */
    readonly issued: (userId: string, issued: CouponIssued, timestamp: number) => void
  }
}

const PAGE_ROWS = 100

export function* joinTerms({ value }: StreamRecord<string, TermsFact>, context: TermsContext): Scan<void> {
  const { stores } = context
  if (value.kind === 'ISSUED') {
    const { issued } = value
    const terms = stores.terms.get(issued.couponId)
    if (terms === undefined || terms.revision < issued.campaignRevision) {
      stores.held.put([issued.couponId, issued.userCouponId], issued)
    } else send(issued, terms, context)
    return
  }
  const { couponId, revision, discount } = value.campaign
  const terms = { revision, discount }
  stores.terms.put(couponId, terms)
  yield* release(couponId, terms, context)
}

function* release(couponId: string, terms: CampaignTerms, context: TermsContext): Scan<void> {
  const { held } = context.stores
  let from: [string, string] = [couponId, '']
  for (;;) {
    const rows = yield* held.scan({ prefix: [couponId], from, limit: PAGE_ROWS })
    for (const [key, issued] of rows) {
      if (issued.campaignRevision > terms.revision) continue
      held.delete(key)
      send(issued, terms, context)
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE_ROWS) return
    from = [couponId, `${last[0][1]}\0`]
  }
}

function send(issued: CouponIssued, { discount }: CampaignTerms, { emit }: TermsContext): void {
  emit.issued(issued.userId, { ...issued, discount }, issued.issuedAt)
}
