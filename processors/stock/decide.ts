/**
 * What may be done with a product's stock. Pure: the product's level, what the order has of it and a command come in;
 * the answer and what happens go out. What that changes is `evolve.ts`'s.
 *
 * 1. Goods are held for all lines of an order, or for none, and only such as are available (I11).
 * 2. Each (order, product, epoch) is held and undone once, each (order, line, returnId) comes back once (I12).
 * 3. What comes back of a line never exceeds what is left of it.
 */
import type {
  OrderStock,
  ReserveStatus,
  RestoreStatus,
  StockAdjust,
  StockLevel,
  StockLine,
  StockReserve,
  StockRestore,
} from '../../schemas/index.ts'
import { doKind, stands, undoKind } from '../../streams/kit/index.ts'

/** Why stock says no: stable codes, listed in `docs/orders.md`. */
export type StockReason = 'UNKNOWN_PRODUCT' | 'OUT_OF_STOCK' | 'NOT_HELD' | 'EXCEEDS_SOLD' | 'BELOW_ZERO'

/** Something that happens to a product, because of an order or of an operator. */
export type StockEvent =
  | {
      readonly kind: 'RESERVED'
      readonly epoch: number
      readonly lines: readonly StockLine[]
      readonly quantity: number
    }
  /** A later epoch takes over what an earlier one holds. */
  | { readonly kind: 'ADOPTED'; readonly epoch: number }
  | {
      readonly kind: 'REJECTED'
      readonly epoch: number
      readonly reason: StockReason
      readonly available: number
    }
  | { readonly kind: 'UNDONE'; readonly epoch: number; readonly quantity: number }
  | {
      readonly kind: 'RETURNED'
      readonly lineNo: number
      readonly returnId: string
      readonly quantity: number
    }
  | { readonly kind: 'SOLD'; readonly quantity: number }
  | { readonly kind: 'ADJUSTED'; readonly quantity: number }

export interface ReserveAnswer {
  readonly status: Exclude<ReserveStatus, 'UNKNOWN'>
  readonly available: number | null
  readonly reason: StockReason | null
}

export interface LineAnswer {
  readonly lineNo: number
  readonly status: Exclude<RestoreStatus, 'UNKNOWN'>
  readonly reason: StockReason | null
}

/** @param level absent: nobody ever received the product */
export function decideReserve(
  level: StockLevel | undefined,
  order: OrderStock,
  { epoch, lines }: Pick<StockReserve, 'epoch' | 'lines'>,
): { readonly answer: ReserveAnswer; readonly event?: StockEvent } {
  const available = level?.available ?? 0
  const kind = doKind(order, epoch)
  if (kind === 'CANCELLED') return { answer: { status: 'CANCELLED', available: null, reason: null } }
  if (kind === 'REPEAT') return { answer: answerOf(order) }
  if (stands(order) && order.lines.length > 0) {
    return { answer: answerOf(order), event: { kind: 'ADOPTED', epoch } }
  }
  const quantity = sum(lines)
  if (level === undefined || quantity > available) {
    const reason = level === undefined ? 'UNKNOWN_PRODUCT' : 'OUT_OF_STOCK'
    const answer: ReserveAnswer = { status: 'REJECTED', available, reason }
    return { answer, event: { kind: 'REJECTED', epoch, reason, available } }
  }
  const answer: ReserveAnswer = { status: 'RESERVED', available: available - quantity, reason: null }
  return { answer, event: { kind: 'RESERVED', epoch, lines, quantity } }
}

/** The order is undone (no returnId), or some of it comes back. One answer per line of the command. */
export function decideRestore(
  order: OrderStock,
  { epoch, lines, returnId }: Pick<StockRestore, 'epoch' | 'lines' | 'returnId'>,
): { readonly answers: readonly LineAnswer[]; readonly events: readonly StockEvent[] } {
  if (returnId !== null) return decideReturn(order, returnId, lines)
  const undo = undoKind(order, epoch) === 'UNDO'
  const status = undo ? 'RESTORED' : 'ALREADY'
  const answers = lines.map(({ lineNo }): LineAnswer => ({ lineNo, status, reason: null }))
  return { answers, events: undo ? [{ kind: 'UNDONE', epoch, quantity: leftOf(order) }] : [] }
}

function decideReturn(order: OrderStock, returnId: string, lines: readonly StockLine[]) {
  const answers: LineAnswer[] = []
  const events: StockEvent[] = []
  for (const { lineNo, quantity } of lines) {
    const line = order.lines.find((each) => each.lineNo === lineNo)
    const held = line !== undefined && stands(order)
    if (line?.returnIds.includes(returnId) === true) {
      answers.push({ lineNo, status: 'ALREADY', reason: null })
    } else if (!held || line.quantity - line.returned < quantity) {
      answers.push({ lineNo, status: 'FAILED', reason: held ? 'EXCEEDS_SOLD' : 'NOT_HELD' })
    } else {
      answers.push({ lineNo, status: 'RESTORED', reason: null })
      events.push({ kind: 'RETURNED', lineNo, returnId, quantity })
    }
  }
  return { answers, events }
}

/** What the order holds leaves the house. Answers why it cannot, or the event; neither: it left before. */
export function decideCommit(order: OrderStock): {
  readonly reason?: StockReason
  readonly event?: StockEvent
} {
  if (!stands(order) || order.lines.length === 0) return { reason: 'NOT_HELD' }
  return order.sold ? {} : { event: { kind: 'SOLD', quantity: leftOf(order) } }
}

/** Received goods, or goods that are gone: none that are held or sold. */
export function decideAdjust(
  level: StockLevel | undefined,
  { quantity }: Pick<StockAdjust, 'quantity'>,
): { readonly reason?: StockReason; readonly event?: StockEvent } {
  if ((level?.available ?? 0) + quantity < 0) return { reason: 'BELOW_ZERO' }
  return { event: { kind: 'ADJUSTED', quantity } }
}

/** How much of the product the order holds or has bought, still. */
export function leftOf(order: OrderStock): number {
  return stands(order) ? order.lines.reduce((left, line) => left + line.quantity - line.returned, 0) : 0
}

function answerOf({ reason, available }: OrderStock): ReserveAnswer {
  return {
    status: reason === null ? 'RESERVED' : 'REJECTED',
    available,
    reason: reason as StockReason | null,
  }
}

function sum(lines: readonly StockLine[]): number {
  return lines.reduce((total, { quantity }) => total + quantity, 0)
}
