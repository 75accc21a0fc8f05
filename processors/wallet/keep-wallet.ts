/**
 * The keeper of wallets: one task has all coupons of a user, and all that is asked of them. A use that comes before its
 * coupon waits, for a while, in the order in which uses were asked for.
 */
import type {
  CouponIssued,
  CouponRestore,
  CouponRevoke,
  CouponUse,
  CouponUsed,
  CouponUseResult,
  CouponUseState,
  RestoreResult,
  UserCoupon,
} from '../../schemas/index.ts'
import type { KeyValueStore, Scan, TimerHandle } from '../../state/index.ts'
import { pastCauseOf } from '../../streams/kit/index.ts'
import type { LogRecord, PastCause, StreamRecord } from '../../streams/index.ts'
import { type Fault, idFault, keyFault } from '../ids.ts'
import { type Keeping, pairKey, parsePair, tooOld } from '../keeping.ts'
import {
  decideRestore,
  decideUse,
  expire,
  giveUp,
  initialUse,
  isUsed,
  revoke,
  settle,
  type UseAnswer,
  type UseDecision,
} from './decide.ts'

export type WalletMessage =
  | { readonly kind: 'ISSUED'; readonly message: CouponIssued }
  | { readonly kind: 'USE'; readonly message: CouponUse }
  | { readonly kind: 'RESTORE'; readonly message: CouponRestore }
  | { readonly kind: 'REVOKE'; readonly message: CouponRevoke }

export interface WalletRules extends Keeping {
  /** How long a use waits for its coupon, milliseconds of wall time; less than the step of the order has. */
  readonly waitMs: number
}

type CouponKey = [userId: string, userCouponId: string]
type OrderKey = [userId: string, orderId: string]

/** What the keeper uses; `topologies/coupon-wallet.ts` gives it. */
export interface WalletContext {
  readonly stores: {
    readonly wallet: KeyValueStore<CouponKey, UserCoupon>
    readonly uses: KeyValueStore<OrderKey, CouponUseState, 'waiting'>
  }
  readonly emit: {
    readonly used: (userId: string, used: CouponUsed, timestamp: number) => void
    readonly answered: (orderId: string, result: CouponUseResult) => void
    readonly restored: (orderId: string, result: RestoreResult) => void
  }
  /** End a coupon's term; give up a wait; forget a use. */
  readonly timers: {
    readonly expiry: TimerHandle
    readonly wait: TimerHandle
    readonly use: TimerHandle
  }
  readonly wallTime: number
  deadLetter(reason: string, message: string): void
  causedBy(cause: PastCause): void
  dropped(reason: string): void
}

export interface WalletKeeper {
  readonly process: (record: StreamRecord<string, WalletMessage>, context: WalletContext) => Scan<void>
  readonly expire: (key: string, context: WalletContext, at: number) => void
  readonly giveUp: (key: string, context: WalletContext) => void
  readonly forgetUse: (key: string, context: WalletContext) => void
}

const PAGE_ROWS = 100

/** Group of the index `waiting`: uses that wait for one coupon. */
export function waitingFor(userId: string, userCouponId: string): string {
  return pairKey([userId, userCouponId])
}

export function walletKeeper(rules: WalletRules): WalletKeeper {
  return {
    *process({ key: userId, value, timestamp, origin }, context) {
      const old = value.kind === 'ISSUED' ? undefined : tooOld(rules, timestamp, context.wallTime)
      const fault = messageFault(userId, value) ?? old
      if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
      switch (value.kind) {
        case 'ISSUED':
          return yield* keep(rules, value.message, context)
        case 'USE':
          return use(rules, value.message, { at: timestamp, origin }, context)
        case 'RESTORE':
          return restore(rules, value.message, timestamp, context)
        case 'REVOKE':
          return revokeCoupon(value.message, context)
      }
    },
    expire(key, { stores }, at) {
      const coupon = stores.wallet.get(parsePair(key))
      const after = coupon === undefined ? undefined : expire(coupon, at)
      if (after !== undefined && after !== coupon) stores.wallet.put(parsePair(key), after)
    },
    giveUp(key, context) {
      const orderKey = parsePair(key)
      const asked = context.stores.uses.get(orderKey)
      if (asked?.waiting !== true) return
      const { answer, use: after } = giveUp(asked)
      if (asked.command !== null) context.causedBy(asked.command)
      keepUse(rules, orderKey, after, context)
      answerUse(orderKey, after, answer, context)
    },
    forgetUse: (key, { stores }) => stores.uses.delete(parsePair(key)),
  }
}

function messageFault(key: string, { kind, message }: WalletMessage): Fault | undefined {
  const wrong = keyFault(key, 'userId', message.userId) ?? idFault('userCouponId', message.userCouponId)
  if (wrong !== undefined || kind === 'ISSUED' || kind === 'REVOKE') return wrong
  const wrongId = idFault('orderId', message.orderId)
  if (wrongId !== undefined || kind === 'RESTORE' || message.orderAmount >= 0) return wrongId
  return { reason: 'InvalidAmount', message: `orderAmount is ${message.orderAmount}` }
}

/** A verdict that is said again finds its coupon there and changes nothing: the coupon may have moved on since. */
function* keep(rules: WalletRules, issued: CouponIssued, context: WalletContext): Scan<void> {
  const { wallet } = context.stores
  const key: CouponKey = [issued.userId, issued.userCouponId]
  if (wallet.get(key) !== undefined) return
  wallet.put(key, newUserCoupon(issued))
  if (issued.expiresAt !== null) context.timers.expiry.schedule(pairKey(key), issued.expiresAt)
  yield* useWaiting(rules, key, context)
}

function newUserCoupon(issued: CouponIssued): UserCoupon {
  const { userCouponId, couponId, requestId, issuedAt, expiresAt, discount } = issued
  const terms = { discount, orderId: null, revoked: false }
  return { userCouponId, couponId, requestId, status: 'ISSUED', issuedAt, expiresAt, ...terms }
}

/** Those that were asked for first, first. */
function* useWaiting(
  rules: WalletRules,
  [userId, userCouponId]: CouponKey,
  context: WalletContext,
): Scan<void> {
  const { wallet, uses } = context.stores
  for (;;) {
    const rows = yield* uses.index('waiting').top(waitingFor(userId, userCouponId), PAGE_ROWS)
    for (const { key, value } of rows) {
      const coupon = wallet.get([userId, userCouponId])
      if (value.command !== null) context.causedBy(value.command)
      if (coupon !== undefined) apply(rules, key, coupon, settle(coupon, key[1], value), context)
    }
    if (rows.length < PAGE_ROWS) return
  }
}

function use(
  rules: WalletRules,
  command: CouponUse,
  { at, origin }: { readonly at: number; readonly origin: LogRecord },
  context: WalletContext,
): void {
  const { wallet, uses } = context.stores
  const key: OrderKey = [command.userId, command.orderId]
  const before = uses.get(key) ?? initialUse
  const coupon = wallet.get([command.userId, command.userCouponId])
  const decision = decideUse(coupon, before, command, at)
  if (decision.use !== before) {
    const asked = decision.use.waiting ? { ...decision.use, command: pastCauseOf(origin) } : decision.use
    return apply(rules, key, coupon, { ...decision, use: asked }, context)
  }
  // A use that waits, asked for again, is answered once, when its wait ends.
  const { answer } = decision
  const told = { ...before, epoch: command.epoch, userCouponId: command.userCouponId }
  if (answer !== undefined) answerUse(key, told, answer, context)
}

/** Rows, then the answer, if there is one yet. */
function apply(
  rules: WalletRules,
  key: OrderKey,
  before: UserCoupon | undefined,
  { use: after, coupon, answer }: UseDecision,
  context: WalletContext,
): void {
  const [userId, orderId] = key
  keepUse(rules, key, after, context)
  if (coupon !== undefined && coupon !== before) {
    context.stores.wallet.put([userId, coupon.userCouponId], coupon)
    const { userCouponId, couponId } = coupon
    const { discountAmount, askedAt: usedAt } = after
    context.emit.used(userId, { orderId, userId, userCouponId, couponId, discountAmount, usedAt }, usedAt)
  }
  if (answer !== undefined) answerUse(key, after, answer, context)
}

function answerUse(
  [, orderId]: OrderKey,
  { userCouponId, epoch }: Pick<CouponUseState, 'userCouponId' | 'epoch'>,
  answer: UseAnswer,
  { emit }: WalletContext,
): void {
  emit.answered(orderId, { orderId, userCouponId, epoch, ...answer })
}

function restore(rules: WalletRules, command: CouponRestore, at: number, context: WalletContext): void {
  const { orderId, userId, userCouponId, epoch } = command
  const { wallet, uses } = context.stores
  const key: OrderKey = [userId, orderId]
  const before = uses.get(key) ?? initialUse
  const coupon = wallet.get([userId, before.userCouponId || userCouponId])
  const { status, use: after, coupon: restored, answer } = decideRestore(coupon, before, command, at)
  if (after !== before) keepUse(rules, key, after, context)
  if (restored !== undefined && restored !== coupon) wallet.put([userId, restored.userCouponId], restored)
  const about = { orderId, step: 'COUPON', lineNo: null, returnId: null, productId: null } as const
  context.emit.restored(orderId, { ...about, status, reason: null, epoch, shortfall: 0 })
  if (answer === undefined) return
  // It answers the use that waited.
  if (before.command !== null) context.causedBy(before.command)
  answerUse(key, before, answer, context)
}

function revokeCoupon({ userId, userCouponId }: CouponRevoke, context: WalletContext): void {
  const { wallet } = context.stores
  const coupon = wallet.get([userId, userCouponId])
  if (coupon === undefined)
    return context.deadLetter('UnknownCoupon', 'there is no such coupon in the wallet')
  const after = revoke(coupon)
  if (after !== coupon) wallet.put([userId, userCouponId], after)
  else context.dropped('NothingToRevoke')
}

/** Keeps what an order has of a coupon, with the timer that fits: to give up, or to forget. */
function keepUse(
  rules: WalletRules,
  key: OrderKey,
  after: CouponUseState,
  { stores, timers, wallTime }: WalletContext,
): void {
  stores.uses.put(key, after)
  if (after.waiting) {
    timers.use.cancel(pairKey(key))
    timers.wait.schedule(pairKey(key), wallTime + rules.waitMs)
    return
  }
  timers.wait.cancel(pairKey(key))
  timers.use.schedule(pairKey(key), wallTime + (isUsed(after) ? rules.keepDoneMs : rules.keepMs))
}
