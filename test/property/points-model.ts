/**
 * Points one by one: each is free, spent on an order, or gone. Nothing is shared with the rules that it judges. One
 * user's points, since users have nothing to do with each other.
 */
import type { PointMessage } from '../../processors/index.ts'
import type { PointDeductResult, RestoreResult } from '../../schemas/index.ts'

interface Point {
  readonly lot: string
  readonly since: number
  readonly expiresAt: number | null
  /** `spent` counts up with each point that is spent. */
  place: { readonly order: string; readonly spent: number } | 'free' | 'gone'
}

interface ModelOrder {
  readonly answers: Map<number, { readonly status: 'DEDUCTED' | 'REJECTED'; readonly balance: number }>
  undoneUpTo: number
  parts: Set<string>
  paid: number | undefined
  refunds: Map<string, { readonly amount: number; shortfall: number }>
  clawed: number
}

export interface ModelRules {
  /** Points for so much money. */
  readonly per: number
  readonly validForMs: number
}

export class PointModel {
  readonly points: Point[] = []
  readonly deducted: PointDeductResult[] = []
  readonly restored: RestoreResult[] = []
  readonly earned: string[] = []
  readonly #rules: ModelRules
  readonly #orders = new Map<string, ModelOrder>()
  readonly #adjusted = new Set<string>()
  #spent = 0

  constructor(rules: ModelRules) {
    this.#rules = rules
  }

  get balance(): number {
    return this.#free().length
  }

  expire(now: number): void {
    for (const point of this.#free()) {
      if (point.expiresAt !== null && point.expiresAt <= now) point.place = 'gone'
    }
  }

  apply({ kind, message }: PointMessage, at: number): void {
    this.expire(at)
    if (kind === 'ADJUST') this.#adjust(message, at)
    else {
      const order = this.#order(message.orderId)
      if (kind === 'DEDUCT') this.#deduct(order, message)
      if (kind === 'RESTORE') this.#restore(order, message, at)
      if (kind === 'COMPLETED') this.#complete(order, message)
      if (kind === 'RETURNED')
        this.#refund(order, message.orderId, `${message.returnId}`, message.refundAmount)
      if (kind === 'CANCELLED') this.#refund(order, message.orderId, 'the cancel', 1_000_000)
    }
    this.expire(at)
  }

  #free(): Point[] {
    return this.points
      .filter(({ place }) => place === 'free')
      .sort((a, b) => a.since - b.since || a.lot.localeCompare(b.lot))
  }

  #add(count: number, lot: string, since: number, expiresAt: number | null): void {
    for (let i = 0; i < count; i++) this.points.push({ lot, since, expiresAt, place: 'free' })
  }

  #order(orderId: string): ModelOrder {
    const order: ModelOrder = this.#orders.get(orderId) ?? {
      answers: new Map(),
      undoneUpTo: -1,
      parts: new Set(),
      paid: undefined,
      refunds: new Map(),
      clawed: 0,
    }
    this.#orders.set(orderId, order)
    return order
  }

  #adjust({ adjustId, amount, expiresAt }: Extract<PointMessage, { kind: 'ADJUST' }>['message'], at: number) {
    if (this.#adjusted.has(adjustId)) return
    this.#adjusted.add(adjustId)
    const until = expiresAt ?? at + this.#rules.validForMs
    if (amount > 0 && until > at) this.#add(amount, `adjust:${adjustId}`, at, until)
    if (amount < 0 && -amount <= this.balance) {
      for (const point of this.#free().slice(0, -amount)) point.place = 'gone'
    }
  }

  #deduct(
    order: ModelOrder,
    { orderId, userId, amount, epoch }: Extract<PointMessage, { kind: 'DEDUCT' }>['message'],
  ) {
    const say = (status: PointDeductResult['status'], balanceAfter: number | null) => {
      const reason = status === 'REJECTED' ? 'INSUFFICIENT_POINTS' : null
      this.deducted.push({ orderId, userId, status, balanceAfter, reason, epoch })
    }
    const newest = Math.max(-1, ...order.answers.keys())
    if (epoch <= order.undoneUpTo || epoch < newest) return say('CANCELLED', null)
    const last = newest > order.undoneUpTo ? order.answers.get(newest) : undefined
    if (last !== undefined && (newest === epoch || last.status === 'DEDUCTED')) {
      order.answers.set(epoch, last)
      return say(last.status, last.balance)
    }
    order.parts = new Set()
    const enough = amount <= this.balance
    if (enough) {
      for (const point of this.#free().slice(0, amount))
        point.place = { order: orderId, spent: this.#spent++ }
    }
    const answer = { status: enough ? 'DEDUCTED' : 'REJECTED', balance: this.balance } as const
    order.answers.set(epoch, answer)
    say(answer.status, answer.balance)
  }

  #restore(
    order: ModelOrder,
    message: Extract<PointMessage, { kind: 'RESTORE' }>['message'],
    at: number,
  ): void {
    const { orderId, amount, epoch, returnId, refundAmount } = message
    const say = (status: RestoreResult['status'], reason: string | null = null, shortfall = 0) => {
      const about = { orderId, step: 'POINTS', lineNo: null, returnId, productId: null, epoch } as const
      this.restored.push({ ...about, status, reason, shortfall })
    }
    const spentOn = (point: Point) =>
      typeof point.place === 'object' && point.place.order === orderId ? point.place.spent : -1
    const spent = this.points.filter((point) => spentOn(point) >= 0).sort((a, b) => spentOn(b) - spentOn(a))
    if (returnId === null) {
      const counts = epoch > order.undoneUpTo && epoch >= Math.max(-1, ...order.answers.keys())
      if (!counts) return say('ALREADY')
      order.undoneUpTo = epoch
      for (const point of spent) point.place = 'free'
      return say('RESTORED')
    }
    const again = order.parts.has(returnId)
    if (!again && amount > spent.length) {
      return say('FAILED', spent.length === 0 ? 'NOT_SPENT' : 'EXCEEDS_SPENT')
    }
    if (!again) for (const point of spent.slice(0, amount)) point.place = 'free'
    order.parts.add(returnId)
    // What comes back after its time pays for nothing any more.
    this.expire(at)
    const shortfall = refundAmount > 0 ? this.#refund(order, orderId, returnId, refundAmount) : 0
    say(again ? 'ALREADY' : 'RESTORED', null, shortfall)
  }

  #complete(
    order: ModelOrder,
    { orderId, finalAmount, completedAt }: Extract<PointMessage, { kind: 'COMPLETED' }>['message'],
  ) {
    if (order.paid !== undefined) return
    order.paid = finalAmount
    const count = Math.floor(finalAmount / this.#rules.per)
    if (count === 0) return
    this.earned.push(`${orderId} ${count}`)
    this.#add(count, `order:${orderId}`, completedAt, completedAt + this.#rules.validForMs)
    this.#claw(order, orderId)
  }

  #refund(order: ModelOrder, orderId: string, id: string, amount: number): number {
    const known = order.refunds.get(id)
    if (known !== undefined) return known.shortfall
    const refund = { amount, shortfall: 0 }
    order.refunds.set(id, refund)
    refund.shortfall = this.#claw(order, orderId)
    return refund.shortfall
  }

  /** Takes what the order has earned too much by now; answers how much of it was not there. */
  #claw(order: ModelOrder, orderId: string): number {
    if (order.paid === undefined) return 0
    const refunded = [...order.refunds.values()].reduce((sum, { amount }) => sum + amount, 0)
    const deserved = Math.floor(Math.max(0, order.paid - refunded) / this.#rules.per)
    const due = Math.floor(order.paid / this.#rules.per) - deserved - order.clawed
    order.clawed += due
    const free = this.#free()
    const own = free.filter(({ lot }) => lot === `order:${orderId}`)
    const taken = [...own, ...free.filter((point) => !own.includes(point))].slice(0, due)
    for (const point of taken) point.place = 'gone'
    return due - taken.length
  }
}
