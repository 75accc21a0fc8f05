/**
 * The ranking, plainly recomputed: every fact one after the other, every board counted and sorted from scratch. It shares
 * no code with the pipeline but the partitioner, which says which products share a stream time.
 */
import { Temporal } from 'temporal-polyfill'
import { partitionFor } from '../../streams/index.ts'
import { HOUR } from '../unit/ranking/given.ts'
import type { Fact } from './ranking-history.ts'

const GRACE = HOUR
const windowNames = ['hour', 'day', 'week'] as const

interface Line {
  readonly lineNo: number
  readonly productId: string
  readonly unitPrice: number
  left: number
}

interface Order {
  soldAt: number | undefined
  lines: Line[]
  readonly counted: Set<string>
  /** Cancels and returns that came before the sale. */
  waiting: { readonly id: string; readonly items: readonly Item[] }[]
}

interface Item {
  readonly lineNo: number
  readonly quantity: number
}

interface Sums {
  quantity: number
  amount: number
}

/** One window, for both metrics. */
export interface Board {
  readonly window: string
  readonly start: number
  readonly end: number
  readonly sums: Map<string, Sums>
  applied: number
  lateCount: number
  /** Deltas that the last snapshot has. */
  said: number
  final: boolean
  corrected: boolean
}

export class RankingModel {
  readonly boards = new Map<string, Board>()
  readonly #timeZone: string
  readonly #partitions: number
  readonly #orders = new Map<string, Order>()
  /** Stream times of the partitions that ever had input. */
  readonly #streamTimes = new Map<number, number>()
  /** Something of an order exceeded what was sold. */
  exceeded = 0

  constructor(timeZone: string, partitions: number) {
    this.#timeZone = timeZone
    this.#partitions = partitions
  }

  apply({ kind, order: fact }: Fact): void {
    const order = this.#orders.get(fact.orderId) ?? newOrder()
    this.#orders.set(fact.orderId, order)
    if (kind === 'sale') {
      if (order.soldAt !== undefined) return
      order.soldAt = fact.confirmedAt
      for (const { lineNo, productId, unitPrice, quantity } of fact.items) {
        order.lines.push({ lineNo, productId, unitPrice, left: quantity })
        this.#count(fact.confirmedAt, productId, quantity, quantity * unitPrice, false)
      }
      for (const { id, items } of order.waiting) this.#takeBack(order, id, items)
      order.waiting = []
      return
    }
    if (kind === 'cancel' && fact.confirmedAt === null) return
    const id = kind === 'cancel' ? 'the cancel' : `return ${fact.returnId}`
    if (order.soldAt === undefined) order.waiting.push({ id, items: fact.items })
    else this.#takeBack(order, id, fact.items)
  }

  #takeBack(order: Order, id: string, items: readonly Item[]): void {
    for (const lineNo of new Set(items.map((item) => item.lineNo))) {
      const wanted = items
        .filter((item) => item.lineNo === lineNo)
        .reduce((sum, item) => sum + item.quantity, 0)
      const line = order.lines.find((each) => each.lineNo === lineNo)
      const name = `${lineNo} ${id}`
      if (order.counted.has(name)) continue
      const taken = Math.min(wanted, line?.left ?? 0)
      if (taken < wanted) this.exceeded++
      if (line === undefined || taken === 0) continue
      line.left -= taken
      order.counted.add(name)
      this.#count(order.soldAt as number, line.productId, -taken, -taken * line.unitPrice, true)
    }
  }

  #count(soldAt: number, productId: string, quantity: number, amount: number, isReturn: boolean): void {
    const partition = partitionFor(Buffer.from(productId), this.#partitions)
    const streamTime = this.#streamTimes.get(partition) ?? 0
    for (const window of windowNames) {
      const board = this.#board(window, soldAt)
      const sums = board.sums.get(productId) ?? { quantity: 0, amount: 0 }
      board.sums.set(productId, { quantity: sums.quantity + quantity, amount: sums.amount + amount })
      board.applied++
      if (board.end + GRACE > streamTime) continue
      if (!isReturn) board.lateCount++
      else if (board.final) board.corrected = true
    }
    this.#streamTimes.set(partition, Math.max(streamTime, soldAt))
  }

  #board(window: (typeof windowNames)[number], time: number): Board {
    const { start, end } = this.#borders(window, time)
    const key = `${window} ${start}`
    const known = this.boards.get(key)
    if (known !== undefined) return known
    const counts = { applied: 0, lateCount: 0, said: 0, final: false, corrected: false }
    const made = { window, start, end, sums: new Map<string, Sums>(), ...counts }
    this.boards.set(key, made)
    return made
  }

  /** Enough for zones that move by whole hours. */
  #borders(window: (typeof windowNames)[number], time: number): { start: number; end: number } {
    const at = Temporal.Instant.fromEpochMilliseconds(time).toZonedDateTimeISO(this.#timeZone)
    if (window === 'hour') {
      const start = at.round({ smallestUnit: 'hour', roundingMode: 'floor' }).epochMilliseconds
      return { start, end: start + HOUR }
    }
    const first = window === 'day' ? at : at.subtract({ days: at.dayOfWeek - 1 })
    const start = first.startOfDay()
    const end = start.add(window === 'day' ? { days: 1 } : { weeks: 1 })
    return { start: start.epochMilliseconds, end: end.epochMilliseconds }
  }

  /** Everything was said that there is to say. */
  settle(): void {
    const slowest = Math.min(...this.#streamTimes.values())
    for (const board of this.boards.values()) {
      const closed = board.end + GRACE <= slowest
      if (board.applied > board.said) board.final = closed
      else if (closed) board.final = true
      board.said = board.applied
    }
  }
}

function newOrder(): Order {
  return { soldAt: undefined, lines: [], counted: new Set(), waiting: [] }
}

export interface Entry extends Sums {
  readonly rank: number
  readonly productId: string
  readonly score: number
}

/** The board of one metric: best first, equal scores share a rank and stand by the bytes of their productId. */
export function entriesOf({ sums }: Board, metric: 'quantity' | 'amount'): Entry[] {
  const rows = [...sums]
    .map(([productId, sum]) => ({ productId, score: sum[metric], ...sum }))
    .filter(({ score }) => score > 0)
    .toSorted(
      (a, b) => b.score - a.score || Buffer.compare(Buffer.from(a.productId), Buffer.from(b.productId)),
    )
  return rows.map((row) => ({ ...row, rank: 1 + rows.filter((other) => other.score > row.score).length }))
}
