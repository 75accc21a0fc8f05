/**
 * What may be done with a user's points. Pure: the lots, what is known of the order and a command come in; the answer
 * and what is booked go out.
 *
 * 1. Points are never below 0, and what is booked adds up to them (I13).
 * 2. Oldest lots are spent first, and what comes back goes into the lots that it came from, last spent first.
 * 3. Each (order, epoch) is deducted and undone once, each part goes back once (I12).
 */
import type {
  DeductStatus,
  OrderPoints,
  PointAdjust,
  PointDeduct,
  PointEntryKind,
  PointLot,
  PointRestore,
  RestoreStatus,
} from '../../schemas/index.ts'
import { doKind, noEpochs, stands, undoKind } from '../../streams/kit/index.ts'
import { type EntryCause, forLot, forOrder, forRefund, returnRefund } from './entry-cause.ts'
import { firstOf, sumOf } from './lots.ts'

/** Why points say no: stable codes, listed in `docs/orders.md`. */
export type PointReason =
  | 'INSUFFICIENT_POINTS'
  | 'NOT_SPENT'
  | 'EXCEEDS_SPENT'
  | 'EXPIRED'
  | 'TOO_MANY_POINTS'

/** Parts that come into lots or go out of them: one entry of the ledger. */
export interface Booking {
  readonly kind: Exclude<PointEntryKind, 'UNKNOWN'>
  readonly parts: readonly PointLot[]
  readonly cause: EntryCause
}

/** Kinds that take points away. */
export const TAKES: ReadonlySet<PointEntryKind> = new Set(['TAKEN', 'SPENT', 'EXPIRED', 'CLAWED_BACK'])

export const initialPoints: OrderPoints = Object.freeze({
  ...noEpochs,
  reason: null,
  balance: 0,
  parts: [],
  returnIds: [],
})

export interface DeductDecision {
  readonly status: Exclude<DeductStatus, 'UNKNOWN'>
  readonly balanceAfter: number | null
  readonly reason: PointReason | null
  /** The order's row after it; the very one that came in when nothing changed. */
  readonly order: OrderPoints
  readonly bookings: readonly Booking[]
}

export function decideDeduct(
  lots: readonly PointLot[],
  order: OrderPoints,
  { orderId, epoch, amount }: Pick<PointDeduct, 'orderId' | 'epoch' | 'amount'>,
): DeductDecision {
  const kind = doKind(order, epoch)
  if (kind === 'CANCELLED') {
    return { status: 'CANCELLED', balanceAfter: null, reason: null, order, bookings: [] }
  }
  if (kind === 'REPEAT') return { ...answerOf(order), bookings: [] }
  if (stands(order) && order.reason === null) return { ...answerOf({ ...order, epoch }), bookings: [] }
  const balance = sumOf(lots)
  const decided = { ...initialPoints, undone: order.undone, epoch }
  if (amount > balance) {
    return { ...answerOf({ ...decided, balance, reason: 'INSUFFICIENT_POINTS' }), bookings: [] }
  }
  const parts = firstOf(lots, amount)
  const bookings: Booking[] = [{ kind: 'SPENT', parts, cause: forOrder(orderId) }]
  return { ...answerOf({ ...decided, balance: balance - amount, parts }), bookings }
}

function answerOf(order: OrderPoints): Omit<DeductDecision, 'bookings'> {
  const { reason, balance: balanceAfter } = order
  const status = reason === null ? 'DEDUCTED' : 'REJECTED'
  return { status, balanceAfter, reason: reason as PointReason | null, order }
}

export interface RestoreDecision {
  readonly status: Exclude<RestoreStatus, 'UNKNOWN'>
  readonly reason: PointReason | null
  readonly order: OrderPoints
  readonly bookings: readonly Booking[]
}

/** The order is undone (no returnId), or a part of its points goes back. */
export function decideRestore(
  order: OrderPoints,
  { orderId, epoch, amount, returnId }: Pick<PointRestore, 'orderId' | 'epoch' | 'amount' | 'returnId'>,
): RestoreDecision {
  if (returnId === null) {
    if (undoKind(order, epoch) === 'ALREADY') return { status: 'ALREADY', reason: null, order, bookings: [] }
    return restored({ ...order, undone: epoch, parts: [] }, order.parts, forOrder(orderId))
  }
  if (order.returnIds.includes(returnId)) return { status: 'ALREADY', reason: null, order, bookings: [] }
  const spent = sumOf(order.parts)
  if (amount > spent) {
    const reason = spent === 0 ? 'NOT_SPENT' : 'EXCEEDS_SPENT'
    return { status: 'FAILED', reason, order, bookings: [] }
  }
  const parts = firstOf(order.parts, spent - amount)
  const back = firstOf(order.parts.toReversed(), amount)
  const returnIds = [...order.returnIds, returnId]
  return restored({ ...order, parts, returnIds }, back, forRefund(orderId, returnRefund(returnId)))
}

function restored(order: OrderPoints, back: readonly PointLot[], cause: EntryCause): RestoreDecision {
  const bookings: Booking[] = back.length === 0 ? [] : [{ kind: 'RESTORED', parts: back, cause }]
  return { status: 'RESTORED', reason: null, order, bookings }
}

/** @param lot where a grant goes, without its points */
export function decideAdjust(
  lots: readonly PointLot[],
  { amount }: Pick<PointAdjust, 'amount'>,
  lot: Omit<PointLot, 'points'>,
  at: number,
): { readonly reason: PointReason | null; readonly bookings: readonly Booking[] } {
  const balance = sumOf(lots)
  if (amount === 0) return { reason: null, bookings: [] }
  if (balance + amount < 0) return { reason: 'INSUFFICIENT_POINTS', bookings: [] }
  const cause = forLot(lot.lotId)
  if (amount < 0) {
    return { reason: null, bookings: [{ kind: 'TAKEN', parts: firstOf(lots, -amount), cause }] }
  }
  if (!Number.isSafeInteger(balance + amount)) return { reason: 'TOO_MANY_POINTS', bookings: [] }
  if (lot.expiresAt !== null && lot.expiresAt <= at) return { reason: 'EXPIRED', bookings: [] }
  return { reason: null, bookings: [{ kind: 'GRANTED', parts: [{ ...lot, points: amount }], cause }] }
}
