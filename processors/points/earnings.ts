/**
 * What orders earn and lose again. Pure.
 *
 * 1. An order earns once, a return or cancel of it is clawed back once (I21), in whatever order they come.
 * 2. What is clawed back in all is what the order would have earned less, had it been paid without what was refunded:
 *    so roundings do not add up, and a full refund takes everything.
 * 3. No more is taken than the user has (I13): from the order's own lot, then from the oldest. The rest is the shortfall.
 */
import type { ClawBack, OrderCompleted, OrderEarnings, PointLot } from '../../schemas/index.ts'
import type { Booking } from './decide.ts'
import { type EntryCause, forOrder, forRefund, orderLot } from './entry-cause.ts'
import { firstOf, sumOf, withoutParts, withParts } from './lots.ts'

export const initialEarnings: OrderEarnings = Object.freeze({
  paid: null,
  rateBp: 0,
  earned: 0,
  clawed: 0,
  refunds: [],
})

export interface Earned {
  readonly earnings: OrderEarnings
  readonly bookings: readonly Booking[]
}

/** Hundredths of a per cent of an amount, rounded down. */
export function pointsFor(amount: number, rateBp: number): number {
  return Math.floor(amount / 10_000) * rateBp + Math.floor(((amount % 10_000) * rateBp) / 10_000)
}

/** The order is completed; `earnings` must not be `paid`. What was refunded before is clawed back at once. */
export function earn(
  lots: readonly PointLot[],
  earnings: OrderEarnings,
  { orderId, finalAmount, completedAt }: Pick<OrderCompleted, 'orderId' | 'finalAmount' | 'completedAt'>,
  { rateBp, expiresAt }: { readonly rateBp: number; readonly expiresAt: number | null },
): Earned {
  const points = pointsFor(finalAmount, rateBp)
  const completed = { ...earnings, paid: finalAmount, rateBp, earned: points }
  if (points === 0) return { earnings: completed, bookings: [] }
  const lot: PointLot = { lotId: orderLot(orderId), points, earnedAt: completedAt, expiresAt }
  const cause = forOrder(orderId)
  const booking: Booking = { kind: 'EARNED', parts: [lot], cause }
  const { bookings, clawed } = settle(withParts(lots, [lot]), completed, orderId, cause)
  return { earnings: { ...completed, clawed }, bookings: [booking, ...bookings] }
}

/** A return or cancel, once; `shortfall` is what the user had no longer, also when it is asked again. */
export function clawBack(
  lots: readonly PointLot[],
  earnings: OrderEarnings,
  orderId: string,
  { id, refundAmount }: Pick<ClawBack, 'id' | 'refundAmount'>,
): Earned & { readonly shortfall: number } {
  const known = earnings.refunds.find((refund) => refund.id === id)
  if (known !== undefined) return { earnings, bookings: [], shortfall: known.shortfall }
  const refunded = { ...earnings, refunds: [...earnings.refunds, { id, refundAmount, shortfall: 0 }] }
  const { bookings, clawed, shortfall } = settle(lots, refunded, orderId, forRefund(orderId, id))
  const refunds = [...earnings.refunds, { id, refundAmount, shortfall }]
  return { earnings: { ...earnings, refunds, clawed }, bookings, shortfall }
}

/** Takes what is due by now. */
function settle(lots: readonly PointLot[], earnings: OrderEarnings, orderId: string, cause: EntryCause) {
  const due = Math.max(0, dueOf(earnings) - earnings.clawed)
  const own = lots.filter(({ lotId }) => lotId === orderLot(orderId))
  const parts = firstOf([...own, ...withoutParts(lots, own)], due)
  const bookings: Booking[] = parts.length === 0 ? [] : [{ kind: 'CLAWED_BACK', parts, cause }]
  return { bookings, clawed: earnings.clawed + due, shortfall: due - sumOf(parts) }
}

function dueOf({ paid, earned, rateBp, refunds }: OrderEarnings): number {
  if (paid === null) return 0
  const kept = refunds.reduce((left, { refundAmount }) => Math.max(0, left - refundAmount), paid)
  return earned - pointsFor(kept, rateBp)
}
