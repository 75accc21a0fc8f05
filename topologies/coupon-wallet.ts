/**
 * Coupons by owner: issued coupons, joined with what their campaigns promise and repartitioned from couponId to userId,
 * into each user's wallet; and what orders do with them.
 */
import {
  joinTerms,
  keepingOf,
  type TermsFact,
  waitingFor,
  walletKeeper,
  type WalletMessage,
  type WalletRules,
} from '../processors/index.ts'
import {
  type CampaignTerms,
  campaignTermsSchema,
  type CouponIssued,
  couponIssuedSchema,
  type CouponUsed,
  type CouponUseResult,
  type CouponUseState,
  couponUseStateSchema,
  type RestoreResult,
  stateSerde,
  topics,
  upcastOf,
  type UserCoupon,
  userCouponSchema,
} from '../schemas/index.ts'
import { keys, keyValueStore } from '../state/index.ts'
import { processor, shape, type Topology, topology, type TopologyBuilder } from '../streams/index.ts'

/** A user's coupons, by (userId, userCouponId): all of one user's lie together. */
export const walletStore = keyValueStore<UserCoupon, [userId: string, userCouponId: string]>({
  name: 'wallet',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(userCouponSchema),
  version: userCouponSchema.version,
  upcast: upcastOf(userCouponSchema),
})

/** What orders have of coupons, by (userId, orderId). */
export const couponUseStore = keyValueStore<CouponUseState, [userId: string, orderId: string], 'waiting'>({
  name: 'coupon-uses',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(couponUseStateSchema),
  version: couponUseStateSchema.version,
  upcast: upcastOf(couponUseStateSchema),
  indexes: {
    /** Uses whose coupon is not there yet, the first asked for first. */
    waiting: {
      group: ([userId], { userCouponId }) => waitingFor(userId, userCouponId),
      score: (_key, { waiting, askedAt }) => (waiting ? -askedAt : undefined),
    },
  },
})

/** What coupons of a campaign take off an order, by couponId. */
export const campaignTermsStore = keyValueStore<CampaignTerms>({
  name: 'campaign-terms',
  value: stateSerde(campaignTermsSchema),
  version: campaignTermsSchema.version,
})

/** Coupons that wait for the terms of their campaign, by (couponId, userCouponId). */
export const heldCouponStore = keyValueStore<CouponIssued, [couponId: string, userCouponId: string]>({
  name: 'held-coupons',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(couponIssuedSchema),
  version: couponIssuedSchema.version,
  upcast: upcastOf(couponIssuedSchema),
})

export const WALLET = 'coupon-wallet'

/** A use waits 10 s for its coupon unless told. Throws a `RangeError` for durations that cannot be. */
export function wallet(options: Partial<WalletRules> = {}): Topology {
  const { waitMs = 10_000 } = options
  if (!Number.isSafeInteger(waitMs) || waitMs < 1) throw new RangeError(`waitMs ${waitMs} is no duration`)
  const keeper = keeperOf({ ...keepingOf(options), waitMs })
  return topology(WALLET, (t) => {
    const issued = issuedByUser(t)
    const uses = t
      .stream(topics.couponUseRequested, source)
      .mapValues((message): WalletMessage => ({ kind: 'USE', message }), { name: 'uses' })
    const restores = t
      .stream(topics.couponRestoreRequested, source)
      .mapValues((message): WalletMessage => ({ kind: 'RESTORE', message }), { name: 'restores' })
    const revokes = t
      .stream(topics.couponRevokeRequested, source)
      .mapValues((message): WalletMessage => ({ kind: 'REVOKE', message }), { name: 'revokes' })
    const out = issued.merge(uses, restores, revokes).process(keeper)
    out.used.to(topics.couponUsed)
    out.answered.to(topics.couponUseResult)
    out.restored.to(topics.restoreResult)
  })
}

/** A command that says nothing, or for nobody, is a fault of whoever sent it. */
const source = { onNullKey: 'dead-letter', onNullValue: 'dead-letter' } as const

function issuedByUser(t: TopologyBuilder) {
  const issued = t
    .stream(topics.couponIssued)
    .mapValues((value): TermsFact => ({ kind: 'ISSUED', issued: value }), { name: 'issued' })
  const campaigns = t
    .stream(topics.couponCampaign)
    .mapValues((campaign): TermsFact => ({ kind: 'CAMPAIGN', campaign }), { name: 'campaigns' })
  return campaigns
    .merge(issued)
    .process(termsJoiner)
    .issued.repartition({
      name: 'issued-by-user',
      key: topics.couponIssued.key,
      value: topics.couponIssued.value,
    })
    .mapValues((message): WalletMessage => ({ kind: 'ISSUED', message }), { name: 'coupons' })
}

const termsJoiner = processor({
  name: 'terms-joiner',
  input: shape<string, TermsFact>(),
  stores: { terms: campaignTermsStore, held: heldCouponStore },
  outputs: { issued: shape<string, CouponIssued>() },
  process: joinTerms,
})

function keeperOf(rules: WalletRules) {
  const keeper = walletKeeper(rules)
  return processor({
    name: 'wallet-keeper',
    input: shape<string, WalletMessage>(),
    stores: { wallet: walletStore, uses: couponUseStore },
    outputs: {
      used: shape<string, CouponUsed>(),
      answered: shape<string, CouponUseResult>(),
      restored: shape<string, RestoreResult>(),
    },
    timers: { expiry: 'wall', wait: 'wall', use: 'wall' },
    process: keeper.process,
    onTimer: { expiry: keeper.expire, wait: keeper.giveUp, use: keeper.forgetUse },
  })
}
