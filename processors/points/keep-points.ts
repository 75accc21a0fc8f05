/**
 * The keeper of points: one task has everything about a user's points. Each record first lets lots expire that are past
 * their time, then is decided, booked in the ledger and answered.
 */
import type {
  Adjustment,
  OrderCancelled,
  OrderCompleted,
  OrderEarnings,
  OrderPoints,
  OrderReturned,
  PointAccount,
  PointAdjust,
  PointBooked,
  PointDeduct,
  PointDeductResult,
  PointEarned,
  PointEntry,
  PointRestore,
  RestoreResult,
} from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { stands } from '../../streams/kit/index.ts'
import { type Fault, idFault, keyFault } from '../ids.ts'
import { type Keeping, pairKey, parsePair, tooOld } from '../keeping.ts'
import { type Booking, decideAdjust, decideDeduct, decideRestore, initialPoints, TAKES } from './decide.ts'
import { clawBack, earn, initialEarnings } from './earnings.ts'
import { adjustLot, forLot, returnRefund } from './entry-cause.ts'
import { expiredOf, nextExpiry, sumOf, withoutParts, withParts } from './lots.ts'

export type PointMessage =
  | { readonly kind: 'DEDUCT'; readonly message: PointDeduct }
  | { readonly kind: 'RESTORE'; readonly message: PointRestore }
  | { readonly kind: 'ADJUST'; readonly message: PointAdjust }
  | { readonly kind: 'COMPLETED'; readonly message: OrderCompleted }
  | { readonly kind: 'RETURNED'; readonly message: OrderReturned }
  | { readonly kind: 'CANCELLED'; readonly message: OrderCancelled }

export interface PointRules extends Keeping {
  /** What a completed order earns, hundredths of a per cent of what was paid. */
  readonly rateBp: number
  /** How long points can be spent, milliseconds; null: for ever. */
  readonly validForMs: number | null
}

type OrderKey = [userId: string, orderId: string]

/** What the keeper uses; `topologies/points.ts` gives it. */
export interface PointContext {
  readonly stores: {
    readonly accounts: KeyValueStore<string, PointAccount>
    readonly ledger: KeyValueStore<[userId: string, entry: number], PointEntry>
    readonly orders: KeyValueStore<OrderKey, OrderPoints>
    readonly earnings: KeyValueStore<OrderKey, OrderEarnings>
    readonly adjustments: KeyValueStore<[userId: string, adjustId: string], Adjustment>
  }
  readonly emit: {
    readonly deducted: (orderId: string, result: PointDeductResult) => void
    readonly restored: (orderId: string, result: RestoreResult) => void
    readonly earned: (userId: string, earned: PointEarned, timestamp: number) => void
    readonly booked: (userId: string, entry: PointBooked, timestamp: number) => void
  }
  /** Let lots of a user expire; forget an order's rows, and an adjustment's. */
  readonly timers: {
    readonly expiry: TimerHandle
    readonly order: TimerHandle
    readonly adjustment: TimerHandle
  }
  readonly wallTime: number
  deadLetter(reason: string, message: string): void
  dropped(reason: string): void
}

export interface PointKeeper {
  readonly process: (record: StreamRecord<string, PointMessage>, context: PointContext) => void
  readonly expire: (userId: string, context: PointContext, at: number) => void
  readonly forgetOrder: (key: string, context: PointContext) => void
  readonly forgetAdjustment: (key: string, context: PointContext) => void
}

/** A cancel takes everything that the order earned. */
const EVERYTHING = Number.MAX_SAFE_INTEGER
const emptyAccount: PointAccount = Object.freeze({ entries: 0, lots: [] })

export function pointKeeper(rules: PointRules): PointKeeper {
  return {
    process(record, context) {
      const fault = messageFault(record) ?? oldFault(rules, record, context)
      if (fault?.reason === 'TooOld' && isNoNews(record, context)) return context.dropped(fault.reason)
      if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
      expire(record.key, context, record.timestamp)
      handle(rules, record, context)
    },
    expire,
    forgetOrder(key, { stores }) {
      stores.orders.delete(parsePair(key))
      stores.earnings.delete(parsePair(key))
    },
    forgetAdjustment: (key, { stores }) => stores.adjustments.delete(parsePair(key)),
  }
}

function messageFault({
  key,
  value: { kind, message },
}: StreamRecord<string, PointMessage>): Fault | undefined {
  const wrongKey = keyFault(key, 'userId', message.userId)
  if (wrongKey !== undefined) return wrongKey
  if (kind === 'ADJUST') return idFault('adjustId', message.adjustId)
  const wrongId = idFault('orderId', message.orderId)
  if (wrongId !== undefined) return wrongId
  if (kind === 'DEDUCT') return message.amount >= 1 ? undefined : amountFault('amount', message.amount)
  if (kind === 'COMPLETED') {
    return message.finalAmount >= 0 ? undefined : amountFault('finalAmount', message.finalAmount)
  }
  if (kind === 'RESTORE' && message.amount < 0) return amountFault('amount', message.amount)
  return message.refundAmount >= 0 ? undefined : amountFault('refundAmount', message.refundAmount)
}

function amountFault(name: string, amount: number): Fault {
  return { reason: 'InvalidAmount', message: `${name} is ${amount}` }
}

/** Facts about orders are known as long as what was done; commands are not repeated for so long. */
function oldFault(
  rules: PointRules,
  { value: { kind }, timestamp }: StreamRecord<string, PointMessage>,
  { wallTime }: PointContext,
): Fault | undefined {
  const isCommand = kind === 'DEDUCT' || kind === 'RESTORE' || kind === 'ADJUST'
  return tooOld(isCommand ? rules : { ...rules, keepMs: rules.keepDoneMs }, timestamp, wallTime)
}

/** It takes back what nobody knows of: orders that were recorded elsewhere earned nothing here. */
function isNoNews({ value }: StreamRecord<string, PointMessage>, { stores }: PointContext): boolean {
  if (value.kind !== 'RETURNED' && value.kind !== 'CANCELLED') return false
  return stores.earnings.get([value.message.userId, value.message.orderId]) === undefined
}

function handle(
  rules: PointRules,
  { value, timestamp }: StreamRecord<string, PointMessage>,
  context: PointContext,
): void {
  switch (value.kind) {
    case 'DEDUCT':
      return deduct(rules, value.message, timestamp, context)
    case 'RESTORE':
      return restore(rules, value.message, timestamp, context)
    case 'ADJUST':
      return adjust(rules, value.message, timestamp, context)
    case 'COMPLETED':
      return complete(rules, value.message, timestamp, context)
    case 'RETURNED': {
      const { userId, orderId, returnId, refundAmount } = value.message
      const refund = { id: returnRefund(returnId), refundAmount }
      return void takeBack(rules, [userId, orderId], refund, timestamp, context)
    }
    case 'CANCELLED': {
      const { userId, orderId, confirmedAt } = value.message
      const refund = { id: 'cancel', refundAmount: EVERYTHING }
      if (confirmedAt !== null) takeBack(rules, [userId, orderId], refund, timestamp, context)
    }
  }
}

function deduct(rules: PointRules, command: PointDeduct, at: number, context: PointContext): void {
  const { orderId, userId, epoch } = command
  const key: OrderKey = [userId, orderId]
  const before = context.stores.orders.get(key) ?? initialPoints
  const { order, bookings, ...answer } = decideDeduct(lotsOf(userId, context), before, command)
  book(userId, bookings, at, context)
  keepOrder(rules, key, before, order, context)
  context.emit.deducted(orderId, { orderId, userId, epoch, ...answer })
}

function restore(rules: PointRules, command: PointRestore, at: number, context: PointContext): void {
  const { orderId, userId, returnId, refundAmount, epoch } = command
  const key: OrderKey = [userId, orderId]
  const before = context.stores.orders.get(key) ?? initialPoints
  const { order, bookings, status, reason } = decideRestore(before, command)
  book(userId, bookings, at, context)
  keepOrder(rules, key, before, order, context)
  const claws = returnId !== null && refundAmount > 0 && status !== 'FAILED'
  const refund = { id: returnRefund(returnId), refundAmount }
  const shortfall = claws ? takeBack(rules, key, refund, at, context) : 0
  const result = { orderId, step: 'POINTS', lineNo: null, returnId, status, reason, productId: null } as const
  context.emit.restored(orderId, { ...result, epoch, shortfall })
}

function adjust(rules: PointRules, command: PointAdjust, at: number, context: PointContext): void {
  const { userId, adjustId, amount } = command
  const { adjustments } = context.stores
  if (adjustments.get([userId, adjustId]) !== undefined) return context.dropped('RepeatedAdjustment')
  const expiresAt = command.expiresAt ?? expiryOf(rules, at)
  const lot = { lotId: adjustLot(adjustId), earnedAt: at, expiresAt }
  const { reason, bookings } = decideAdjust(lotsOf(userId, context), command, lot, at)
  book(userId, bookings, at, context)
  adjustments.put([userId, adjustId], { amount, balance: sumOf(lotsOf(userId, context)), reason })
  context.timers.adjustment.schedule(pairKey([userId, adjustId]), context.wallTime + rules.keepMs)
}

function complete(rules: PointRules, fact: OrderCompleted, at: number, context: PointContext): void {
  const { userId, orderId, completedAt } = fact
  const key: OrderKey = [userId, orderId]
  const before = context.stores.earnings.get(key) ?? initialEarnings
  if (before.paid !== null) return context.dropped('RepeatedCompletion')
  const { rateBp } = rules
  const expiresAt = expiryOf(rules, completedAt)
  const { earnings, bookings } = earn(lotsOf(userId, context), before, fact, { rateBp, expiresAt })
  book(userId, bookings, at, context)
  keepEarnings(rules, key, earnings, context)
  const { earned: points } = earnings
  const earned = { orderId, userId, points, rateBp, earnedAt: completedAt, expiresAt }
  if (points > 0) context.emit.earned(userId, earned, completedAt)
}

/** Answers the shortfall. */
function takeBack(
  rules: PointRules,
  key: OrderKey,
  refund: { readonly id: string; readonly refundAmount: number },
  at: number,
  context: PointContext,
): number {
  const [userId, orderId] = key
  const before = context.stores.earnings.get(key) ?? initialEarnings
  const { earnings, bookings, shortfall } = clawBack(lotsOf(userId, context), before, orderId, refund)
  book(userId, bookings, at, context)
  if (earnings !== before) keepEarnings(rules, key, earnings, context)
  return shortfall
}

/** Books lots whose time is over; also what the durable timer `expiry` of a user does. */
function expire(userId: string, context: PointContext, at: number): void {
  const lots = expiredOf(lotsOf(userId, context), at)
  const bookings = lots.map((lot): Booking => ({ kind: 'EXPIRED', parts: [lot], cause: forLot(lot.lotId) }))
  book(userId, bookings, at, context)
}

/** Into lots and ledger, and told. What comes back after its time expires at once, as an entry of its own. */
function book(userId: string, bookings: readonly Booking[], at: number, context: PointContext): void {
  if (bookings.length === 0) return
  const { accounts, ledger } = context.stores
  let { entries, lots } = accounts.get(userId) ?? emptyAccount
  for (const { kind, parts, cause } of bookings) {
    const takes = TAKES.has(kind)
    lots = takes ? withoutParts(lots, parts) : withParts(lots, parts)
    const points = takes ? -sumOf(parts) : sumOf(parts)
    const balance = sumOf(lots)
    ledger.put([userId, entries], { kind, points, balance, at, reference: cause.reference })
    context.emit.booked(
      userId,
      { userId, entry: entries, kind, points, balanceAfter: balance, ...cause, at },
      at,
    )
    entries++
  }
  accounts.put(userId, { entries, lots })
  const next = nextExpiry(lots)
  if (next === undefined) context.timers.expiry.cancel(userId)
  else if (next <= at) expire(userId, context, at)
  else context.timers.expiry.schedule(userId, next)
}

function lotsOf(userId: string, { stores }: PointContext) {
  return stores.accounts.get(userId)?.lots ?? []
}

function expiryOf({ validForMs }: PointRules, from: number): number | null {
  return validForMs === null ? null : from + validForMs
}

function keepOrder(
  rules: PointRules,
  key: OrderKey,
  before: OrderPoints,
  order: OrderPoints,
  { stores, timers, wallTime }: PointContext,
): void {
  if (order === before) return
  stores.orders.put(key, order)
  const spent = stands(order) && order.reason === null
  const done = spent || order.returnIds.length > 0 || stores.earnings.get(key) !== undefined
  timers.order.schedule(pairKey(key), wallTime + (done ? rules.keepDoneMs : rules.keepMs))
}

function keepEarnings(
  rules: PointRules,
  key: OrderKey,
  earnings: OrderEarnings,
  { stores, timers, wallTime }: PointContext,
): void {
  stores.earnings.put(key, earnings)
  timers.order.schedule(pairKey(key), wallTime + rules.keepDoneMs)
}
