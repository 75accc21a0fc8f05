/**
 * Stock as a plain list of what orders hold: levels are sums over it, made anew whenever they are asked for. Nothing is
 * shared with the rules that it judges.
 */
import type { RestoreResult, StockReserveResult } from '../../schemas/index.ts'
import type { StockCommand } from '../../processors/index.ts'

interface ModelOrder {
  /** Answers by epoch. */
  readonly answers: Map<number, StockReserveResult>
  undoneUpTo: number
  sold: boolean
  /** `line return` of what came back before the order was undone. */
  former: Set<string>
  lines: { readonly lineNo: number; readonly quantity: number; back: Map<string, number> }[]
}

interface ModelProduct {
  received: number | undefined
  readonly adjusted: Set<string>
  readonly orders: Map<string, ModelOrder>
}

export class StockModel {
  readonly products = new Map<string, ModelProduct>()
  readonly reserved: StockReserveResult[] = []
  readonly restored: RestoreResult[] = []

  apply({ kind, command }: StockCommand): void {
    const product = this.#product(command.productId)
    if (kind === 'ADJUST') {
      if (product.adjusted.has(command.adjustId)) return
      product.adjusted.add(command.adjustId)
      const { available } = this.level(command.productId)
      if (available + command.quantity >= 0) product.received = (product.received ?? 0) + command.quantity
      return
    }
    const order = orderOf(product, command.orderId)
    if (kind === 'RESERVE') this.#reserve(product, order, command)
    if (kind === 'RESTORE') this.#restore(order, command)
    if (kind === 'COMMIT' && order.lines.length > 0) order.sold = true
  }

  /** Sums over what orders hold. */
  level(productId: string) {
    const { received = 0, orders } = this.#product(productId)
    let [reserved, sold] = [0, 0]
    for (const order of orders.values()) {
      for (const { quantity, back } of order.lines) {
        const left = quantity - [...back.values()].reduce((sum, each) => sum + each, 0)
        if (order.sold) sold += left
        else reserved += left
      }
    }
    return { received, available: received - reserved - sold, reserved, sold }
  }

  #product(productId: string): ModelProduct {
    const known = this.products.get(productId)
    const product = known ?? { received: undefined, adjusted: new Set(), orders: new Map() }
    this.products.set(productId, product)
    return product
  }

  #reserve(
    product: ModelProduct,
    order: ModelOrder,
    { orderId, productId, epoch, lines }: Extract<StockCommand, { kind: 'RESERVE' }>['command'],
  ): void {
    const say = (status: StockReserveResult['status'], available: number | null, reason: string | null) => {
      const answer = { orderId, productId, status, available, reason, epoch }
      this.reserved.push(answer)
      return answer
    }
    const newest = Math.max(-1, ...order.answers.keys())
    if (epoch <= order.undoneUpTo || epoch < newest) return void say('CANCELLED', null, null)
    const earlier =
      order.answers.get(epoch) ?? (order.lines.length > 0 ? order.answers.get(newest) : undefined)
    if (earlier !== undefined) {
      order.answers.set(epoch, say(earlier.status, earlier.available, earlier.reason))
      return
    }
    order.former.clear()
    const { available } = this.level(productId)
    const wanted = lines.reduce((sum, { quantity }) => sum + quantity, 0)
    if (product.received === undefined) {
      order.answers.set(epoch, say('REJECTED', 0, 'UNKNOWN_PRODUCT'))
    } else if (wanted > available) {
      order.answers.set(epoch, say('REJECTED', available, 'OUT_OF_STOCK'))
    } else {
      order.answers.set(epoch, say('RESERVED', available - wanted, null))
      order.lines = lines.map((line) => ({ ...line, back: new Map() }))
      order.sold = false
    }
  }

  #restore(
    order: ModelOrder,
    { orderId, productId, epoch, lines, returnId }: Extract<StockCommand, { kind: 'RESTORE' }>['command'],
  ): void {
    const say = (lineNo: number, status: RestoreResult['status'], reason: string | null = null) => {
      const about = { orderId, step: 'STOCK', lineNo, returnId, productId, epoch, shortfall: 0 } as const
      this.restored.push({ ...about, status, reason })
    }
    if (returnId === null) {
      const newest = Math.max(-1, ...order.answers.keys())
      const counts = epoch > order.undoneUpTo && epoch >= newest
      for (const { lineNo } of lines) say(lineNo, counts ? 'RESTORED' : 'ALREADY')
      if (!counts) return
      order.undoneUpTo = epoch
      for (const { lineNo, back } of order.lines)
        for (const id of back.keys()) order.former.add(`${lineNo} ${id}`)
      order.lines = []
      return
    }
    for (const { lineNo, quantity } of lines) {
      const line = order.lines.find((each) => each.lineNo === lineNo)
      const left =
        (line?.quantity ?? 0) - [...(line?.back.values() ?? [])].reduce((sum, each) => sum + each, 0)
      if (order.former.has(`${lineNo} ${returnId}`)) say(lineNo, 'ALREADY')
      else if (line === undefined) say(lineNo, 'FAILED', 'NOT_HELD')
      else if (line.back.has(returnId)) say(lineNo, 'ALREADY')
      else if (quantity > left) say(lineNo, 'FAILED', 'EXCEEDS_SOLD')
      else {
        say(lineNo, 'RESTORED')
        line.back.set(returnId, quantity)
      }
    }
  }
}

function orderOf({ orders }: ModelProduct, orderId: string): ModelOrder {
  const order = orders.get(orderId) ?? {
    answers: new Map(),
    undoneUpTo: -1,
    sold: false,
    former: new Set(),
    lines: [],
  }
  orders.set(orderId, order)
  return order
}
