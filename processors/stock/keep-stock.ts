/**
 * The keeper of stock: one task has all commands about a product, reads what is known, lets `decide` decide, stores what
 * `evolve` says and sends the answers.
 */
import type {
  Adjustment,
  OrderStock,
  RestoreResult,
  StockAdjust,
  StockCommit,
  StockLevel,
  StockLine,
  StockReserve,
  StockReserveResult,
  StockRestore,
} from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { stands } from '../../streams/kit/index.ts'
import { type Fault, idFault, keyFault } from '../ids.ts'
import { type Keeping, pairKey, parsePair, tooOld } from '../keeping.ts'
import {
  decideAdjust,
  decideCommit,
  decideReserve,
  decideRestore,
  leftOf,
  type StockEvent,
} from './decide.ts'
import { evolveLevel, evolveOrder, initialLevel, initialOrder } from './evolve.ts'

export type StockCommand =
  | { readonly kind: 'RESERVE'; readonly command: StockReserve }
  | { readonly kind: 'RESTORE'; readonly command: StockRestore }
  | { readonly kind: 'COMMIT'; readonly command: StockCommit }
  | { readonly kind: 'ADJUST'; readonly command: StockAdjust }

type OrderKey = [productId: string, orderId: string]
type AdjustKey = [productId: string, adjustId: string]

/** What the keeper uses; `topologies/stock.ts` gives it. */
export interface StockContext {
  readonly stores: {
    readonly levels: KeyValueStore<string, StockLevel>
    readonly orders: KeyValueStore<OrderKey, OrderStock>
    readonly adjustments: KeyValueStore<AdjustKey, Adjustment>
  }
  readonly emit: {
    readonly reserved: (orderId: string, result: StockReserveResult) => void
    readonly restored: (orderId: string, result: RestoreResult) => void
  }
  /** Forget an order's row, and an adjustment's. */
  readonly timers: { readonly order: TimerHandle; readonly adjustment: TimerHandle }
  readonly wallTime: number
  deadLetter(reason: string, message: string): void
  dropped(reason: string): void
}

export interface StockKeeper {
  readonly process: (record: StreamRecord<string, StockCommand>, context: StockContext) => void
  readonly forgetOrder: (key: string, context: StockContext) => void
  readonly forgetAdjustment: (key: string, context: StockContext) => void
}

/** Lines of a command at most. */
export const MAX_LINES = 1_000

export function stockKeeper(keeping: Keeping): StockKeeper {
  return {
    process({ key: productId, value, timestamp }, context) {
      const fault = commandFault(productId, value) ?? tooOld(keeping, timestamp, context.wallTime)
      if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
      switch (value.kind) {
        case 'RESERVE':
          return reserve(keeping, value.command, context)
        case 'RESTORE':
          return restore(keeping, value.command, context)
        case 'COMMIT':
          return commit(keeping, value.command, context)
        case 'ADJUST':
          return adjust(keeping, value.command, context)
      }
    },
    forgetOrder: (key, { stores }) => stores.orders.delete(parsePair(key)),
    forgetAdjustment: (key, { stores }) => stores.adjustments.delete(parsePair(key)),
  }
}

function commandFault(key: string, { kind, command }: StockCommand): Fault | undefined {
  const wrongKey = keyFault(key, 'productId', command.productId)
  if (wrongKey !== undefined) return wrongKey
  if (kind === 'ADJUST') return idFault('adjustId', command.adjustId)
  const wrongId = idFault('orderId', command.orderId)
  if (wrongId !== undefined || kind === 'COMMIT') return wrongId
  if (kind === 'RESTORE' && command.returnId !== null) {
    return idFault('returnId', command.returnId) ?? linesFault(command.lines)
  }
  return linesFault(command.lines)
}

function linesFault(lines: readonly StockLine[]): Fault | undefined {
  const numbers = new Set(lines.map(({ lineNo }) => lineNo))
  const total = lines.reduce((sum, { quantity }) => sum + quantity, 0)
  if (lines.length === 0 || lines.length > MAX_LINES || numbers.size < lines.length) {
    return { reason: 'InvalidLine', message: `${lines.length} lines with ${numbers.size} numbers` }
  }
  if (lines.every(({ quantity }) => quantity >= 1) && Number.isSafeInteger(total)) return undefined
  return { reason: 'InvalidLine', message: `lines of ${total} in all` }
}

function reserve(keeping: Keeping, command: StockReserve, context: StockContext): void {
  const { orderId, productId, epoch } = command
  const order = context.stores.orders.get([productId, orderId]) ?? initialOrder
  const { answer, event } = decideReserve(context.stores.levels.get(productId), order, command)
  if (event !== undefined) apply(keeping, [productId, orderId], order, [event], context)
  context.emit.reserved(orderId, { orderId, productId, epoch, ...answer })
}

function restore(keeping: Keeping, command: StockRestore, context: StockContext): void {
  const { orderId, productId, returnId, epoch } = command
  const order = context.stores.orders.get([productId, orderId]) ?? initialOrder
  const { answers, events } = decideRestore(order, command)
  if (events.length > 0) apply(keeping, [productId, orderId], order, events, context)
  for (const { lineNo, status, reason } of answers) {
    const result = { orderId, step: 'STOCK', lineNo, returnId, status, reason, productId, epoch } as const
    context.emit.restored(orderId, { ...result, shortfall: 0 })
  }
}

/** Nobody waits for an answer: what cannot be committed is a matter for an operator. */
function commit(keeping: Keeping, { orderId, productId }: StockCommit, context: StockContext): void {
  const order = context.stores.orders.get([productId, orderId]) ?? initialOrder
  const { reason, event } = decideCommit(order)
  if (event !== undefined) apply(keeping, [productId, orderId], order, [event], context)
  else if (reason === undefined) context.dropped('RepeatedCommit')
  else context.deadLetter(reason, 'the order holds nothing of the product')
}

/** The events of one command of an order, one after the other. `held`: what the order has of the product before. */
function apply(
  keeping: Keeping,
  key: OrderKey,
  held: OrderStock,
  events: readonly StockEvent[],
  { stores, timers, wallTime }: StockContext,
): void {
  const [productId] = key
  const before = stores.levels.get(productId)
  let level = before ?? initialLevel
  let order = held
  for (const event of events) {
    level = evolveLevel(level, order, event)
    order = evolveOrder(order, level, event)
  }
  // An order for a product that nobody ever received makes no product.
  if (before !== undefined) stores.levels.put(productId, level)
  stores.orders.put(key, order)
  // Goods that are held are known as long as they are.
  if (leftOf(order) > 0 && !order.sold) return timers.order.cancel(pairKey(key))
  const keepMs = stands(order) && order.sold ? keeping.keepDoneMs : keeping.keepMs
  timers.order.schedule(pairKey(key), wallTime + keepMs)
}

function adjust(
  keeping: Keeping,
  { productId, adjustId, quantity }: StockAdjust,
  context: StockContext,
): void {
  const { stores, timers, wallTime } = context
  const key: AdjustKey = [productId, adjustId]
  if (stores.adjustments.get(key) !== undefined) return context.dropped('RepeatedAdjustment')
  const before = stores.levels.get(productId)
  const { reason, event } = decideAdjust(before, { quantity })
  const level = event === undefined ? before : evolveLevel(before ?? initialLevel, initialOrder, event)
  if (event !== undefined && level !== undefined) stores.levels.put(productId, level)
  stores.adjustments.put(key, { amount: quantity, balance: level?.available ?? 0, reason: reason ?? null })
  timers.adjustment.schedule(pairKey(key), wallTime + keeping.keepMs)
}
