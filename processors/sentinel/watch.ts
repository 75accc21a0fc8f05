/** The sentinel's processors: what a record means as a fact, the rules' answer, and the incidents that come of it. */
import type { BoardWatch, RankingSnapshot } from '../../schemas/index.ts'
import type { KeyValueStore, Scan, TimerHandle } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { requestFault } from '../coupons/issue-coupon.ts'
import { watchBoard } from './board-rules.ts'
import type { CouponFact } from './facts.ts'
import { type IncidentContext, raise } from './incident-desk.ts'
import type { IncidentRules } from './incident.ts'
import { type CouponOptions, type CouponRows, judgeCoupon } from './judge-coupons.ts'

/** Wall time after a campaign's end at which its watched users and requests are forgotten. */
export const FORGET_AFTER_MS = 86_400_000
/** Rows of a store forgotten at a time. */
export const FORGET_ROWS = 500
/** Wall milliseconds until the next rows. */
const FORGET_EVERY_MS = 20

export interface SentinelRules extends IncidentRules, CouponOptions {}

export interface CouponWatchContext extends IncidentContext {
  readonly stores: IncidentContext['stores'] & {
    readonly answers: CouponRows['answers']
    readonly coupons: CouponRows['coupons']
    readonly users: KeyValueStore<[couponId: string, userId: string], { readonly issued: number }>
    readonly requests: KeyValueStore<[couponId: string, requestId: string], { readonly digest: string }>
  }
  readonly timers: IncidentContext['timers'] & { readonly forget: TimerHandle }
}

export function watchCouponFact(
  { key, value: fact, origin }: StreamRecord<string, CouponFact>,
  context: CouponWatchContext,
  rules: SentinelRules,
): void {
  // What the issuer puts aside has no verdict.
  if (fact.kind === 'REQUEST' && requestFault(key, fact.value) !== undefined) return
  raise(judgeCoupon(fact, origin, context.stores, rules), origin, context, rules)
  if (fact.kind !== 'CAMPAIGN') return
  const { couponId, closesAt } = fact.value
  context.timers.forget.schedule(couponId, Math.max(closesAt, context.wallTime) + FORGET_AFTER_MS)
}

/** The durable wall timer `forget` of a coupon: nobody asks for it any more. */
export function* forgetCoupon(
  couponId: string,
  { stores, timers, wallTime }: CouponWatchContext,
): Scan<void> {
  let deleted = 0
  for (const [key] of yield* stores.users.scan({ prefix: [couponId], limit: FORGET_ROWS })) {
    stores.users.delete(key)
    deleted++
  }
  for (const [key] of yield* stores.requests.scan({ prefix: [couponId], limit: FORGET_ROWS })) {
    stores.requests.delete(key)
    deleted++
  }
  if (deleted > 0) timers.forget.schedule(couponId, wallTime + FORGET_EVERY_MS)
}

export interface BoardWatchContext extends IncidentContext {
  readonly stores: IncidentContext['stores'] & { readonly boards: KeyValueStore<string, BoardWatch> }
}

/** A board that is deleted is over. */
export function watchSnapshot(
  { key, value, origin }: StreamRecord<string, RankingSnapshot | null>,
  context: BoardWatchContext,
  rules: SentinelRules,
): void {
  const { boards } = context.stores
  if (value === null) return boards.delete(key)
  const { watch, found } = watchBoard(boards.get(key), key, value, origin.offset)
  boards.put(key, watch)
  raise(found, origin, context, rules)
}
