/**
 * Customers of the whole shop, over HTTP: they ask for coupons, order, cancel and return, and remember what they were
 * told. What was not answered is sent again, the same, until it is.
 */
import type { Random } from '../support/random.ts'
import type { PlainReversal, PlainSale } from './board-oracle.ts'

export const HOT = 'hot'
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Orders lie in so many different hours of the last three weeks. */
const HOURS = 30
const SPAN_MS = 21 * DAY_MS
const PRODUCTS = 25
const MOST_LINES = 4
/** Repeats of what was acknowledged before. */
const REPEAT = 0.15

export interface Ask {
  readonly userId: string
  /** Given by the client; or made by the server from the key. */
  readonly requestId: string | undefined
  readonly key: string | undefined
}

export interface Events {
  readonly topic: 'order.confirmed' | 'order.cancelled' | 'order.returned'
  readonly values: readonly object[]
}

/** One call to the server. */
export type Errand = { readonly kind: 'ask'; readonly ask: Ask } | ({ readonly kind: 'events' } & Events)

/** An acknowledged request; `first`: it was never sent before, so its ticket is its place in the queue. */
export interface Ticket {
  readonly requestId: string
  readonly userId: string
  readonly offset: number
  readonly first: boolean
}

export class ShopLoad {
  readonly sales: PlainSale[] = []
  readonly reversals: PlainReversal[] = []
  /** By requestId, the last acknowledgement of each and whether it was the only time it was sent. */
  readonly tickets = new Map<string, Ticket>()
  readonly #random: Random
  readonly #users: number
  readonly #hours: readonly number[]
  /** Not answered, or held back: a sale whose return goes first. */
  readonly #waiting: Errand[] = []
  readonly #acknowledged: Errand[] = []
  /** Errands that were sent before. */
  readonly #sent = new Set<string>()
  readonly #idsOfKeys = new Map<string, string>()
  #made = 0

  constructor(random: Random, users: number, now: number) {
    this.#random = random
    this.#users = users
    this.#hours = Array.from({ length: HOURS }, () => now - HOUR_MS - random.below(SPAN_MS))
  }

  get waiting(): number {
    return this.#waiting.length
  }

  get acknowledged(): number {
    return this.#acknowledged.length
  }

  /** What to send next; with nothing waiting, something new. */
  next(): Errand {
    const random = this.#random
    if (this.#waiting.length > 0 && random.chance(0.5)) return this.again()
    if (this.#acknowledged.length > 0 && random.chance(REPEAT)) return random.pick(this.#acknowledged)
    if (random.chance(0.6)) return { kind: 'ask', ask: this.#newAsk() }
    return this.#newOrder()
  }

  /** What waits longest. */
  again(): Errand {
    const errand = this.#waiting.shift()
    if (errand === undefined) throw new RangeError('nothing waits')
    return errand
  }

  #newAsk(): Ask {
    const number = ++this.#made
    const userId = `u${this.#random.below(this.#users)}`
    // Every tenth client lets the server make the id.
    return this.#random.chance(0.1)
      ? { userId, requestId: undefined, key: `key-${number}` }
      : { userId, requestId: `r${number}`, key: undefined }
  }

  /** An order; some are cancelled, some come back in part, and some of that is heard of before the sale. */
  #newOrder(): Errand {
    const random = this.#random
    const orderId = `o${++this.#made}`
    const confirmedAt = random.pick(this.#hours) + random.below(60_000)
    const items = Array.from({ length: 1 + random.below(MOST_LINES) }, (_, i) => ({
      lineNo: i + 1,
      productId: `p${random.below(PRODUCTS)}`,
      categoryId: null,
      quantity: 1 + random.below(5),
      unitPrice: random.below(2_000),
    }))
    const money = { finalAmount: 0, currency: 'GBP', pointsUsed: 0, userCouponId: null }
    const sale = { orderId, userId: 'somebody', items, ...money, paidAt: confirmedAt, confirmedAt }
    const sold: Errand = { kind: 'events', topic: 'order.confirmed', values: [sale] }
    this.sales.push(sale)
    const roll = random.next()
    if (roll < 0.1) this.#cancel(sale, items)
    else if (roll < 0.4) this.#takeBack(sale, items)
    const last = this.#waiting.at(-1)
    // The reversal was just put last; now and then it overtakes its sale.
    if (roll >= 0.4 || last === undefined || random.chance(0.5)) return sold
    this.#waiting[this.#waiting.length - 1] = sold
    return last
  }

  #cancel(sale: PlainSale, items: PlainSale['items']): void {
    const cancel = this.#reversal(sale, null, items)
    this.#waiting.push({ kind: 'events', topic: 'order.cancelled', values: [cancel] })
  }

  /** One or two returns that together are no more than was sold. */
  #takeBack(sale: PlainSale, items: PlainSale['items']): void {
    const random = this.#random
    const back = items.map((line) => ({ ...line, quantity: 1 + random.below(line.quantity) }))
    const second = items
      .map((line, i) => ({ ...line, quantity: line.quantity - (back[i]?.quantity ?? 0) }))
      .filter(({ quantity }) => quantity > 0)
    const values = [this.#reversal(sale, 'first', back)]
    if (second.length > 0 && random.chance(0.5)) values.push(this.#reversal(sale, 'second', second))
    this.#waiting.push({ kind: 'events', topic: 'order.returned', values })
  }

  #reversal(sale: PlainSale, returnId: string | null, items: PlainSale['items']): object {
    const { orderId, confirmedAt } = sale
    const reversed = items.map(({ lineNo, productId, quantity, unitPrice }) => {
      return { lineNo, productId, quantity, amount: quantity * unitPrice }
    })
    this.reversals.push({ orderId, returnId, confirmedAt, items: reversed })
    const rest = { userId: 'somebody', refundAmount: 0, reason: 'changed my mind' }
    return { orderId, returnId, items: reversed, confirmedAt, at: confirmedAt + 1_000, ...rest }
  }

  /** Whether it goes out for the first time. */
  sends(errand: Errand): boolean {
    if (errand.kind === 'events') return false
    const name = errand.ask.requestId ?? errand.ask.key ?? ''
    const first = !this.#sent.has(name)
    this.#sent.add(name)
    return first
  }

  /** Never answered, or refused for now. */
  lost(errand: Errand): void {
    this.#waiting.push(errand)
  }

  answered(errand: Errand): void {
    this.#acknowledged.push(errand)
  }

  /** The 202 of a request; complains when the same key was given another requestId before. */
  accepted(ask: Ask, requestId: string, offset: number, first: boolean): string[] {
    const { userId, key } = ask
    const known = this.tickets.get(requestId)
    this.tickets.set(requestId, { requestId, userId, offset, first: first && known === undefined })
    if (key === undefined) return []
    const before = this.#idsOfKeys.get(key)
    this.#idsOfKeys.set(key, requestId)
    if (before === undefined || before === requestId) return []
    return [`${key} was ${before} and is ${requestId}`]
  }
}
