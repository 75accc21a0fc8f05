/**
 * Checks the invariants of coupons and boards on the facts, live, and tells incidents; those of orders are
 * `order-sentinel.ts`'s. It reads what others say and what they were asked, and
 * decides nothing; the rules are those that the property tests run.
 *
 * Inputs of a partition come in any interleaving. None of them is put aside again: what cannot be read is the concern of
 * whoever reads it for its own work.
 */
import {
  type CouponFact,
  forgetCoupon,
  lookAtIncident,
  type SentinelRules,
  watchCouponFact,
  watchSnapshot,
} from '../processors/index.ts'
import {
  type AnswerWatch,
  answerWatchSchema,
  type BoardWatch,
  boardWatchSchema,
  type Campaign,
  type CouponWatch,
  couponWatchSchema,
  type Incident,
  type RankingSnapshot,
  stateSerde,
  topics,
  upcastOf,
  type WatchedRequest,
  watchedRequestSchema,
  type WatchedUser,
  watchedUserSchema,
} from '../schemas/index.ts'
import { keys, keyValueStore } from '../state/index.ts'
import { processor, shape, type Topology, topology } from '../streams/index.ts'
import { incidentStore, type SentinelOptions, sentinelRules, watchedSource } from './sentinel-options.ts'

export const SENTINEL = 'sentinel'

/** Whether the requests of a partition are answered once each; one row per task. */
export const answerStore = keyValueStore<AnswerWatch>({
  name: 'sentinel-answers',
  value: stateSerde(answerWatchSchema),
  version: answerWatchSchema.version,
})

/** What was seen of a coupon, by couponId. */
const couponStore = keyValueStore<CouponWatch>({
  name: 'sentinel-coupons',
  value: stateSerde(couponWatchSchema),
  version: couponWatchSchema.version,
  upcast: upcastOf(couponWatchSchema),
})

/** What watched users were seen to get, by (couponId, userId). */
const userStore = keyValueStore<WatchedUser, [couponId: string, userId: string]>({
  name: 'sentinel-users',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(watchedUserSchema),
  version: watchedUserSchema.version,
  lookups: 'mostly-absent',
})

/** Verdicts on watched requests, by (couponId, requestId). */
const requestStore = keyValueStore<WatchedRequest, [couponId: string, requestId: string]>({
  name: 'sentinel-requests',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(watchedRequestSchema),
  version: watchedRequestSchema.version,
  lookups: 'mostly-absent',
})

/** The last snapshot of each board, by the board's key. */
const boardStore = keyValueStore<BoardWatch>({
  name: 'sentinel-boards',
  value: stateSerde(boardWatchSchema),
  version: boardWatchSchema.version,
})

/** Declares the sentinel. Throws a `RangeError` for options that cannot be. */
export function sentinel(options: SentinelOptions = {}): Topology {
  const rules = sentinelRules(options)
  const coupons = couponWatcher(rules)
  const boards = boardWatcher(rules)
  return topology(SENTINEL, (t) => {
    const campaigns = t
      .stream(topics.couponCampaign, watchedSource)
      .mapValues((value): CouponFact => ({ kind: 'CAMPAIGN', value }), { name: 'campaigns' })
    const quotas = t
      .stream(topics.couponQuota, watchedSource)
      .mapValues((value): CouponFact => ({ kind: 'QUOTA', value }), { name: 'quotas' })
    const requests = t
      .stream(topics.couponIssueRequested, watchedSource)
      .mapValues((value): CouponFact => ({ kind: 'REQUEST', value }), { name: 'requests' })
    const issued = t
      .stream(topics.couponIssued, watchedSource)
      .mapValues((value): CouponFact => ({ kind: 'ISSUED', value }), { name: 'issued' })
    const rejected = t
      .stream(topics.couponIssueRejected, watchedSource)
      .mapValues((value): CouponFact => ({ kind: 'REJECTED', value }), { name: 'rejected' })
    const watched = campaigns.merge(quotas, requests, issued, rejected).process(coupons)
    watched.incidents.to(topics.opsIncident, { name: 'coupon-incidents' })
    watched.commands.to(topics.couponCampaignRequested, {
      headers: [['actor', Buffer.from(SENTINEL)]],
    })

    t.stream(topics.rankingSnapshot, { ...watchedSource, onNullValue: 'pass' })
      .process(boards)
      .incidents.to(topics.opsIncident, { name: 'board-incidents' })
  })
}

function couponWatcher(rules: SentinelRules) {
  return processor({
    name: 'coupon-watcher',
    input: shape<string, CouponFact>(),
    stores: {
      answers: answerStore,
      coupons: couponStore,
      users: userStore,
      requests: requestStore,
      incidents: incidentStore('coupon-incidents'),
    },
    outputs: { incidents: shape<string, Incident>(), commands: shape<string, Campaign>() },
    timers: { incident: 'wall', forget: 'wall' },
    process: (record, context) => watchCouponFact(record, context, rules),
    onTimer: {
      incident: (key, context) => lookAtIncident(key, context, rules),
      forget: forgetCoupon,
    },
  })
}

function boardWatcher(rules: SentinelRules) {
  return processor({
    name: 'board-watcher',
    input: shape<string, RankingSnapshot | null>(),
    stores: { boards: boardStore, incidents: incidentStore('board-incidents') },
    outputs: { incidents: shape<string, Incident>() },
    timers: { incident: 'wall' },
    process: (record, context) => watchSnapshot(record, context, rules),
    onTimer: { incident: (key, context) => lookAtIncident(key, context, rules) },
  })
}
