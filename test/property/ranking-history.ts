/** Random histories of a shop that is ranked: what is sold, what comes back, in which order it is heard of. */
import fc from 'fast-check'
import type { OrderCancelled, OrderConfirmed, OrderReturned, ReversedItem } from '../../schemas/index.ts'
import { HOUR, MINUTE } from '../unit/ranking/given.ts'

/** Something that is appended, the same fact perhaps more than once. */
export type Fact =
  | { readonly kind: 'sale'; readonly order: OrderConfirmed }
  | { readonly kind: 'return'; readonly order: OrderReturned }
  | { readonly kind: 'cancel'; readonly order: OrderCancelled }

export interface History {
  readonly timeZone: string
  readonly facts: readonly Fact[]
}

/** Zones, each with a time shortly before its clocks go back; a history lasts some days. */
const begins: Readonly<Record<string, number>> = {
  UTC: Date.UTC(2026, 9, 23),
  'Europe/Berlin': Date.UTC(2026, 9, 23),
  'Asia/Kolkata': Date.UTC(2026, 9, 23),
  'America/New_York': Date.UTC(2026, 9, 30),
}

/** Later than all that happens. */
export const HISTORY_END = Date.UTC(2026, 10, 20)

const products = ['tea', 'milk', 'salt', 'bread', 'rice', 'é', '\uffee', '😀']

const line = fc.record({
  productId: fc.constantFrom(...products),
  quantity: fc.integer({ min: 1, max: 4 }),
  unitPrice: fc.integer({ min: 0, max: 3 }),
})

const order = fc.record({
  lines: fc.array(line, { minLength: 1, maxLength: 4 }),
  /** After the order before. Mostly minutes, now and then more than the grace. */
  laterMs: fc.oneof(fc.integer({ min: 0, max: 70 * MINUTE }), fc.integer({ min: 0, max: 20 * HOUR })),
  /** How many facts later it is heard of. */
  delay: fc.constantFrom(0, 0, 0, 0, 1, 2, 9),
})

const reversal = fc.record({
  order: fc.nat(),
  cancel: fc.constantFrom(false, false, true),
  confirmed: fc.constantFrom(true, true, true, false),
  returnId: fc.constantFrom('r1', 'r1', 'r2', null),
  items: fc.array(
    fc.record({ lineNo: fc.integer({ min: 1, max: 4 }), quantity: fc.integer({ min: 1, max: 4 }) }),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
  laterMs: fc.integer({ min: 0, max: 30 * HOUR }),
})

/** Where in the history something is heard of: a share of it. */
const place = fc.double({ min: 0, max: 1, noNaN: true })

export const histories: fc.Arbitrary<History> = fc
  .record({
    timeZone: fc.constantFrom(...Object.keys(begins)),
    orders: fc.array(order, { minLength: 1, maxLength: 10 }),
    reversals: fc.array(fc.record({ what: reversal, place }), { maxLength: 10 }),
    again: fc.array(fc.record({ which: fc.nat(), place }), { maxLength: 3 }),
  })
  .map(({ timeZone, orders, reversals, again }) => {
    let at = (begins[timeZone] as number) + 20 * HOUR
    const sales = orders.map(({ lines, laterMs }, index): Fact => {
      at += laterMs
      return { kind: 'sale', order: saleOf(index, at, lines) }
    })
    const facts = delayed(
      sales,
      orders.map(({ delay }) => delay),
    )
    for (const { what, place: share } of reversals) insert(facts, share, reversalOf(sales, what))
    for (const { which, place: share } of again) insert(facts, share, facts[which % facts.length] as Fact)
    return { timeZone, facts }
  })

function delayed(facts: readonly Fact[], delays: readonly number[]): Fact[] {
  return facts
    .map((fact, index) => ({ fact, at: index + (delays[index] ?? 0) + index / 100 }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ fact }) => fact)
}

function insert(facts: Fact[], share: number, fact: Fact): void {
  facts.splice(Math.round(share * facts.length), 0, fact)
}

interface Line {
  readonly productId: string
  readonly quantity: number
  readonly unitPrice: number
}

function saleOf(index: number, confirmedAt: number, lines: readonly Line[]): OrderConfirmed {
  const items = lines.map((each, i) => ({ lineNo: i + 1, categoryId: null, ...each }))
  return {
    orderId: `o${index}`,
    userId: 'ann',
    items,
    finalAmount: 0,
    currency: 'GBP',
    pointsUsed: 0,
    userCouponId: null,
    paidAt: confirmedAt,
    confirmedAt,
  }
}

interface Reversal {
  readonly order: number
  readonly cancel: boolean
  readonly confirmed: boolean
  readonly returnId: string | null
  readonly items: readonly { readonly lineNo: number; readonly quantity: number }[]
  readonly laterMs: number
}

function reversalOf(sales: readonly Fact[], what: Reversal): Fact {
  const sale = sales[what.order % sales.length]?.order as OrderConfirmed
  const items = what.items.map((item): ReversedItem => ({ ...item, productId: 'any', amount: 1 }))
  const shared = { orderId: sale.orderId, userId: 'ann', items, refundAmount: 0, reason: '' }
  const at = sale.confirmedAt + what.laterMs
  const confirmedAt = what.confirmed ? sale.confirmedAt : null
  return what.cancel
    ? { kind: 'cancel', order: { ...shared, returnId: null, confirmedAt, at } }
    : { kind: 'return', order: { ...shared, returnId: what.returnId, confirmedAt, at } }
}
