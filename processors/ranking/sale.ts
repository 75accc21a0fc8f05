/**
 * What an order adds to the ranking, and what a cancel or return takes away again.
 *
 * Pure: the order's state and a fact come in; the new state, the deltas and the faults go out. Invariants, per line:
 *
 * 1. The sale counts once, each cancel or return once: what came again changes nothing.
 * 2. What was taken back never exceeds what was sold (I23), so no sum falls below 0.
 * 3. An amount is the quantity times the sale line's own unit price, in both directions. What a cancel or return says
 *    about product and amount is not looked at.
 */
import type {
  DeltaKind,
  HeldLine,
  HeldReversal,
  OrderConfirmed,
  OrderItem,
  RankingSalesDelta,
  ReversedItem,
  SaleLine,
  SaleState,
} from '../../schemas/index.ts'
import { idFault } from '../ids.ts'

/** Cancels and returns that an order holds until its sale comes, at most. */
export const MAX_HELD = 100

export type SaleFaultReason = 'InvalidId' | 'InvalidLine' | 'ReturnExceedsSale' | 'TooManyHeld'

/** Something that was not counted and must not be lost. The message names lines and quantities only. */
export interface SaleFault {
  readonly reason: SaleFaultReason
  readonly message: string
}

/** What a fact about an order comes to. */
export interface Outcome {
  /** The same object when nothing changed. */
  readonly state: SaleState
  readonly deltas: readonly RankingSalesDelta[]
  readonly faults: readonly SaleFault[]
}

export const initialSale: SaleState = Object.freeze({ confirmedAt: null, lines: [], held: [] })

/** The order is confirmed: its lines count, then what was held for it is taken back. */
export function confirm(state: SaleState, sale: OrderConfirmed): Outcome {
  if (state.confirmedAt !== null) return unchanged(state)
  const { orderId, confirmedAt } = sale
  const faults: SaleFault[] = []
  const lines = new Map<number, SaleLine>()
  for (const item of sale.items) {
    const { lineNo, productId, categoryId, quantity, unitPrice } = item
    const why = lines.has(lineNo) ? 'the number is taken' : lineFault(item)
    if (why !== undefined) faults.push({ reason: 'InvalidLine', message: `line ${lineNo}: ${why}` })
    else lines.set(lineNo, { lineNo, productId, categoryId, quantity, unitPrice, returned: 0, counted: [] })
  }
  const sold = [...lines.values()]
  const deltas = sold.map((line) => delta(orderId, confirmedAt, line, 'SALE', null, line.quantity))
  let outcome: Outcome = { state: { confirmedAt, lines: sold, held: [] }, deltas, faults }
  for (const reversal of state.held) outcome = after(outcome, takeBack(outcome.state, orderId, reversal))
  return outcome
}

/** A cancel or return of the order: counted, or held until its sale comes. */
export function reverse(state: SaleState, orderId: string, reversal: HeldReversal): Outcome {
  return state.confirmedAt === null ? hold(state, reversal) : takeBack(state, orderId, reversal)
}

/** The reversal that `items` describe: one quantity per line. Lines without a quantity to take back are faults. */
export function reversalOf(
  kind: HeldReversal['kind'],
  returnId: string | null,
  items: readonly ReversedItem[],
): { readonly reversal: HeldReversal; readonly faults: readonly SaleFault[] } {
  const quantities = new Map<number, number>()
  const faults: SaleFault[] = []
  for (const { lineNo, quantity } of items) {
    const sum = (quantities.get(lineNo) ?? 0) + quantity
    if (quantity > 0 && Number.isSafeInteger(sum)) quantities.set(lineNo, sum)
    else faults.push({ reason: 'InvalidLine', message: `line ${lineNo}: quantity ${quantity}` })
  }
  const lines = [...quantities].map(([lineNo, quantity]): HeldLine => ({ lineNo, quantity }))
  return { reversal: { kind, returnId, lines }, faults }
}

/** A cancel is one of its kind; returns without an id are one return. */
export function reversalId({ kind, returnId }: Pick<RankingSalesDelta, 'kind' | 'returnId'>): string {
  return kind === 'CANCEL' ? 'cancel' : `return:${returnId ?? ''}`
}

function lineFault({ productId, quantity, unitPrice }: OrderItem): string | undefined {
  if (quantity <= 0) return `quantity ${quantity}`
  if (unitPrice < 0 || !Number.isSafeInteger(quantity * unitPrice)) return `unitPrice ${unitPrice}`
  return idFault('productId', productId)?.message
}

function takeBack(state: SaleState, orderId: string, reversal: HeldReversal): Outcome {
  const id = reversalId(reversal)
  const kind: DeltaKind = reversal.kind === 'CANCEL' ? 'CANCEL' : 'RETURN'
  const returnId = kind === 'CANCEL' ? 'cancel' : reversal.returnId
  const lines = new Map(state.lines.map((line) => [line.lineNo, line]))
  const deltas: RankingSalesDelta[] = []
  const faults: SaleFault[] = []
  for (const { lineNo, quantity } of reversal.lines) {
    const line = lines.get(lineNo)
    if (line?.counted.includes(id)) continue
    const left = line === undefined ? 0 : line.quantity - line.returned
    const taken = Math.min(quantity, left)
    if (taken < quantity) {
      const message = `line ${lineNo}: ${quantity} came back, ${left} were left`
      faults.push({ reason: 'ReturnExceedsSale', message })
    }
    if (line === undefined || taken === 0) continue
    lines.set(lineNo, { ...line, returned: line.returned + taken, counted: [...line.counted, id] })
    deltas.push(delta(orderId, state.confirmedAt ?? 0, line, kind, returnId, -taken))
  }
  if (deltas.length === 0) return { state, deltas, faults }
  return { state: { ...state, lines: [...lines.values()] }, deltas, faults }
}

/** Keeps what is not held yet. */
function hold(state: SaleState, reversal: HeldReversal): Outcome {
  const id = reversalId(reversal)
  const before = state.held.filter((held) => reversalId(held) === id).flatMap((held) => held.lines)
  const known = new Set(before.map(({ lineNo }) => lineNo))
  const lines = reversal.lines.filter(({ lineNo }) => !known.has(lineNo))
  if (lines.length === 0) return unchanged(state)
  if (state.held.length >= MAX_HELD) {
    const message = `${MAX_HELD} cancels and returns wait for the sale already`
    return { ...unchanged(state), faults: [{ reason: 'TooManyHeld', message }] }
  }
  return { ...unchanged(state), state: { ...state, held: [...state.held, { ...reversal, lines }] } }
}

function delta(
  orderId: string,
  eventTime: number,
  { lineNo, productId, categoryId, unitPrice }: SaleLine,
  kind: DeltaKind,
  returnId: string | null,
  quantity: number,
): RankingSalesDelta {
  const amount = quantity * unitPrice
  return { orderId, lineNo, returnId, productId, categoryId, quantity, amount, kind, eventTime }
}

/** One outcome, then another that began with its state. */
function after(first: Outcome, { state, deltas, faults }: Outcome): Outcome {
  return { state, deltas: first.deltas.concat(deltas), faults: first.faults.concat(faults) }
}

function unchanged(state: SaleState): Outcome {
  return { state, deltas: [], faults: [] }
}
