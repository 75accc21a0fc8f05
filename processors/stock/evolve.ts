/** What an event changes of a product's level and of what an order has of it. Pure. */
import type { HeldStock, OrderStock, StockLevel } from '../../schemas/index.ts'
import { noEpochs } from '../../streams/kit/index.ts'
import type { StockEvent } from './decide.ts'

export const initialLevel: StockLevel = Object.freeze({ received: 0, available: 0, reserved: 0, sold: 0 })

export const initialOrder: OrderStock = Object.freeze({
  ...noEpochs,
  reason: null,
  available: 0,
  sold: false,
  lines: [],
})

/** The level after an event; `order` as it was before it. */
export function evolveLevel(level: StockLevel, order: OrderStock, event: StockEvent): StockLevel {
  switch (event.kind) {
    case 'RESERVED':
      return moved(level, 'available', 'reserved', event.quantity)
    case 'SOLD':
      return moved(level, 'reserved', 'sold', event.quantity)
    case 'UNDONE':
    case 'RETURNED':
      return moved(level, order.sold ? 'sold' : 'reserved', 'available', event.quantity)
    case 'ADJUSTED':
      return {
        ...level,
        received: level.received + event.quantity,
        available: level.available + event.quantity,
      }
    case 'ADOPTED':
    case 'REJECTED':
      return level
  }
}

/** What the order has after an event; `level` as it is after it. */
export function evolveOrder(order: OrderStock, level: StockLevel, event: StockEvent): OrderStock {
  const { undone } = order
  switch (event.kind) {
    case 'RESERVED': {
      const lines = event.lines.map((line): HeldStock => ({ ...line, returned: 0, returnIds: [] }))
      return { ...initialOrder, undone, epoch: event.epoch, available: level.available, lines }
    }
    case 'REJECTED': {
      const { epoch, reason, available } = event
      return { ...initialOrder, undone, epoch, reason, available }
    }
    case 'ADOPTED':
      return { ...order, epoch: event.epoch }
    case 'UNDONE':
      return { ...order, undone: event.epoch }
    case 'SOLD':
      return { ...order, sold: true }
    case 'RETURNED':
      return { ...order, lines: order.lines.map((line) => broughtBack(line, event)) }
    case 'ADJUSTED':
      return order
  }
}

function broughtBack(line: HeldStock, event: Extract<StockEvent, { kind: 'RETURNED' }>): HeldStock {
  if (line.lineNo !== event.lineNo) return line
  const { returned, returnIds } = line
  return { ...line, returned: returned + event.quantity, returnIds: [...returnIds, event.returnId] }
}

type Place = Exclude<keyof StockLevel, 'received'>

function moved(level: StockLevel, from: Place, to: Place, quantity: number): StockLevel {
  const after: { -readonly [P in keyof StockLevel]: number } = { ...level }
  after[from] -= quantity
  after[to] += quantity
  return after
}
