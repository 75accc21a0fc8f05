/** Boards, plainly recomputed from orders and what came back. Shares no code with the engine or the ranking. */

export interface PlainSale {
  readonly orderId: string
  readonly confirmedAt: number
  readonly items: readonly PlainLine[]
}

export interface PlainLine {
  readonly lineNo: number
  readonly productId: string
  readonly quantity: number
  readonly unitPrice: number
}

/** A cancel (`returnId` null) or a return; what was never confirmed takes nothing back. */
export interface PlainReversal {
  readonly orderId: string
  readonly returnId: string | null
  readonly confirmedAt: number | null
  readonly items: readonly { readonly lineNo: number; readonly quantity: number }[]
}

export type PlainWindow = 'hour' | 'day' | 'week'
export type PlainMetric = 'quantity' | 'amount'

export interface PlainBoard {
  readonly window: PlainWindow
  readonly metric: PlainMetric
  readonly start: number
  readonly end: number
  /** Facts about lines that count in this window. */
  readonly revision: number
  /** `1 p7 12`: rank, product, score. */
  readonly entries: readonly string[]
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const LENGTHS: Readonly<Record<PlainWindow, number>> = { hour: HOUR_MS, day: DAY_MS, week: 7 * DAY_MS }
/** The first Monday of the epoch. */
const MONDAY_MS = 4 * DAY_MS

/** The window, in UTC, that a moment lies in; weeks begin on Monday. */
export function windowOf(window: PlainWindow, at: number): { readonly start: number; readonly end: number } {
  const length = LENGTHS[window]
  const origin = window === 'week' ? MONDAY_MS : 0
  const start = Math.floor((at - origin) / length) * length + origin
  return { start, end: start + length }
}

interface Sums {
  quantity: number
  amount: number
}

/** Every board in which anything was sold. Each fact is given once, in any order. */
export function boardsOf(sales: readonly PlainSale[], reversals: readonly PlainReversal[]): PlainBoard[] {
  const byOrder = new Map(sales.map((sale) => [sale.orderId, sale]))
  const windows = new Map<string, { products: Map<string, Sums>; facts: number }>()
  const count = (soldAt: number, { productId, unitPrice }: PlainLine, quantity: number): void => {
    for (const window of ['hour', 'day', 'week'] as const) {
      const key = `${window} ${windowOf(window, soldAt).start}`
      const board = windows.get(key) ?? { products: new Map<string, Sums>(), facts: 0 }
      windows.set(key, board)
      const sums = board.products.get(productId) ?? { quantity: 0, amount: 0 }
      board.products.set(productId, sums)
      sums.quantity += quantity
      sums.amount += quantity * unitPrice
      board.facts++
    }
  }
  for (const { confirmedAt, items } of sales)
    for (const line of items) count(confirmedAt, line, line.quantity)
  for (const { orderId, items, confirmedAt } of reversals) {
    const sale = byOrder.get(orderId)
    if (sale === undefined || confirmedAt === null) continue
    for (const { lineNo, quantity } of items) {
      const line = sale.items.find((each) => each.lineNo === lineNo)
      if (line !== undefined) count(sale.confirmedAt, line, -quantity)
    }
  }
  return [...windows].flatMap(([key, { products, facts }]) => {
    const [window, start] = key.split(' ') as [PlainWindow, string]
    return (['quantity', 'amount'] as const).map((metric) => ({
      window,
      metric,
      ...windowOf(window, Number(start)),
      revision: facts,
      entries: entriesOf(products, metric),
    }))
  })
}

function entriesOf(products: ReadonlyMap<string, Sums>, metric: PlainMetric): string[] {
  const rows = [...products]
    .map(([productId, sums]) => ({ productId, score: sums[metric] }))
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score || (a.productId < b.productId ? -1 : 1))
  return rows.map(({ productId, score }) => {
    const better = rows.filter((other) => other.score > score).length
    return `${better + 1} ${productId} ${score}`
  })
}
