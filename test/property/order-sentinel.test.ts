/** The sentinel's rules of orders: silent on everything that is right, however it is read; and each faulty shop is found. */
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  judgeOrder,
  judgeShopper,
  type OrderTold,
  type ShopperTold,
  type Violation,
  type WatchedInvariant,
} from '../../processors/index.ts'
import type {
  CouponUsed,
  OrderConfirmed,
  OrderReturned,
  OrderStatus,
  PaymentRefund,
  PaymentRequested,
  PointDeductResult,
  StockReserveResult,
} from '../../schemas/index.ts'
import { rowMap } from '../support/coupon-rows.ts'
import { type Fault, withFault } from './faulty-topology.ts'
import { type OrderHistory, orderHistory, START, type Told, type ToldStream } from './order-shop.ts'

const SEEDS = Array.from({ length: 16 }, (_, i) => i + 1)
const ORDERS = 8
const NOW = START

let histories: readonly OrderHistory[] = []
beforeAll(async () => {
  const all: OrderHistory[] = []
  for (const seed of SEEDS) all.push(await orderHistory(seed, ORDERS))
  histories = all
}, 600_000)

const which = fc.nat(SEEDS.length - 1)
/** Which stream goes on next, turn by turn. */
const interleavings = fc.array(fc.nat(30), { minLength: 1, maxLength: 80 })

/** @param choices which of the streams that still have facts is read next, round and round */
function interleaved<F>(streams: readonly ToldStream<F>[], choices: readonly number[]): Told<F>[] {
  const left = streams.map((stream) => ({ stream, next: 0 }))
  const read: Told<F>[] = []
  for (let turn = 0; ; turn++) {
    const open = left.filter(({ stream, next }) => next < stream.length)
    const chosen = open[(choices[turn % choices.length] ?? 0) % Math.max(1, open.length)]
    if (chosen === undefined) return read
    read.push(chosen.stream[chosen.next++] as Told<F>)
  }
}

type Change = <F extends OrderTold | ShopperTold>(stream: ToldStream<F>, index: number) => ToldStream<F>

/** What the rules find, all users watched. */
function judged(
  { orders, shoppers }: OrderHistory,
  choices: readonly number[],
  change: Change = (stream) => stream,
): Violation[] {
  const rows = rowMap<string, never>()
  const shopperRows = { orders: rowMap<[string, string], never>(), uses: rowMap<[string, string], never>() }
  const ofOrders = interleaved(orders.map(change), choices).flatMap(({ fact, place }) =>
    judgeOrder(fact, place, rows, NOW),
  )
  const ofShoppers = interleaved(shoppers.map(change), choices).flatMap(({ fact, place }) =>
    judgeShopper(fact, place, shopperRows, NOW),
  )
  return [...ofOrders, ...ofShoppers]
}

describe('right histories of orders raise no alarm', () => {
  test('I10 to I15, I17, I19 to I21: whichever topic is read first', () => {
    fc.assert(
      fc.property(which, interleavings, (n, choices) => {
        expect(judged(histories[n] as OrderHistory, choices)).toEqual([])
      }),
      { numRuns: 600 },
    )
  })

  test('when facts are read again, by a sentinel that lost its place', () => {
    fc.assert(
      fc.property(which, interleavings, fc.nat(60), (n, choices, back) => {
        const again: Change = (stream) => [...stream, ...stream.slice(-back)]
        expect(judged(histories[n] as OrderHistory, choices, again)).toEqual([])
      }),
      { numRuns: 600 },
    )
  })

  test('when what was said is said again: the same events at new places', () => {
    fc.assert(
      fc.property(which, interleavings, fc.nat(60), (n, choices, back) => {
        expect(judged(histories[n] as OrderHistory, choices, saidAgain(back))).toEqual([])
      }),
      { numRuns: 600 },
    )
  })

  test('when the beginning is gone, and of statuses the last ones are left', () => {
    fc.assert(
      fc.property(
        which,
        interleavings,
        fc.array(fc.nat(60), { minLength: 30, maxLength: 30 }),
        fc.nat(30),
        (n, choices, gone, back) => {
          const left: Change = (stream, i) => saidAgain(back)(retained(stream, gone[i] ?? 0), i)
          expect(judged(histories[n] as OrderHistory, choices, left)).toEqual([])
        },
      ),
      { numRuns: 600 },
    )
  })

  test('and they are not all alike', () => {
    const met = new Set<string>(
      histories.flatMap(({ orders, shoppers }) =>
        [...orders, ...shoppers].flatMap((stream) =>
          stream.map(({ fact }) => (fact.kind === 'STATUS' ? fact.value.state : fact.kind)),
        ),
      ),
    )
    const all = ['NEEDS_ATTENTION', 'COMPLETED', 'CANCELLED', 'FAILED', 'REFUNDING', 'CANCELLING']
    expect(all.filter((what) => !met.has(what))).toEqual([])
    expect(['RETURNED', 'REFUND', 'USED', 'EARNED'].filter((what) => !met.has(what))).toEqual([])
  })
})

/** The last facts once more. */
function saidAgain(back: number): Change {
  return (stream) => {
    const again = stream.slice(-back).map(({ fact, place }, i) => {
      return { fact, place: { ...place, offset: 1_000 + i } }
    })
    return back === 0 ? stream : [...stream, ...again]
  }
}

/** Without the first `gone`; of an order's statuses, without its first ones. */
function retained<F extends OrderTold | ShopperTold>(stream: ToldStream<F>, gone: number): ToldStream<F> {
  if (stream[0]?.fact.kind !== 'STATUS') return stream.slice(gone)
  const seen = new Map<string, number>()
  return stream.filter(({ fact }) => {
    const { orderId } = fact.value
    const before = seen.get(orderId) ?? 0
    seen.set(orderId, before + 1)
    return before >= (gone * 7 + orderId.length * gone) % 9 || !later(stream, fact)
  })
}

function later<F extends OrderTold | ShopperTold>(stream: ToldStream<F>, fact: F): boolean {
  return stream.findLast((one) => one.fact.value.orderId === fact.value.orderId)?.fact !== fact
}

// --- faulty shops

const says = (where: string, output: string, change: (value: never) => object): Fault => ({
  in: where,
  emit: (emit) => ({
    [output]: (key, value, at) => emit[output]?.(key, change(value) as never, at),
  }),
})
const saysTwice = (where: string, output: string, change: (value: never) => object): Fault => ({
  in: where,
  emit: (emit) => ({
    [output]: (key, value, at) => {
      emit[output]?.(key, value, at)
      emit[output]?.(key, change(value) as never, at)
    },
  }),
})
const SAGA = 'order-saga'

/** What each gets wrong, and what it must be found by. */
const faultyShops: readonly [string, WatchedInvariant, Fault][] = [
  [
    'lets a coupon be used that is used',
    'I10',
    {
      in: 'wallet-keeper',
      reads: { wallet: (row: object) => ({ ...row, status: 'ISSUED', orderId: null }) },
    },
  ],
  [
    'sells what it does not have',
    'I11',
    says('stock-keeper', 'reserved', (value: StockReserveResult) => ({
      ...value,
      available: (value.available ?? 0) - 60,
    })),
  ],
  [
    'forgets what it answered for stock, and decides again',
    'I12',
    { in: 'stock-keeper', reads: { orders: (row: object) => ({ ...row, epoch: -1, lines: [] }) } },
  ],
  [
    'forgets that it has undone a step',
    'I12',
    { in: 'stock-keeper', reads: { orders: (row: object) => ({ ...row, undone: -1 }) } },
  ],
  [
    'lets points go below 0',
    'I13',
    says('point-keeper', 'deducted', (value: PointDeductResult) => ({
      ...value,
      balanceAfter: (value.balanceAfter ?? 0) - 400,
    })),
  ],
  [
    'goes on after the end',
    'I14',
    saysTwice(SAGA, 'orderStatus', (value: OrderStatus) => {
      return value.state === 'COMPLETED'
        ? { ...value, state: 'SHIPPED', revision: value.revision + 1 }
        : value
    }),
  ],
  [
    'says of a completed order that it failed',
    'I14',
    {
      in: SAGA,
      emit: (emit) => ({
        orderCompleted: (key, value, at) => {
          emit['orderCompleted']?.(key, value, at)
          const { orderId, userId } = value as { orderId: string; userId: string }
          const failed = { orderId, userId, failedStep: '', reason: '', compensations: [] }
          emit['orderFailed']?.(key, failed as never, at)
        },
      }),
    },
  ],
  [
    'numbers every status alike',
    'I15',
    says(SAGA, 'orderStatus', (value: OrderStatus) => ({ ...value, revision: 1 })),
  ],
  [
    'counts its revisions down',
    'I15',
    says(SAGA, 'orderStatus', (value: OrderStatus) => ({
      ...value,
      revision: value.revision % 2 === 0 ? value.revision : value.revision + 4,
    })),
  ],
  [
    'confirms another amount than it asked for',
    'I17',
    says(SAGA, 'orderConfirmed', (value: OrderConfirmed) => ({
      ...value,
      finalAmount: value.finalAmount + 1,
    })),
  ],
  [
    'confirms before it is paid',
    'I17',
    {
      in: SAGA,
      emit: (emit) => ({
        paymentRequested: (key, value, at) => {
          emit['paymentRequested']?.(key, value, at)
          const { orderId, userId, amount: finalAmount, currency } = value as PaymentRequested
          const sale = { orderId, userId, items: [], finalAmount, currency, pointsUsed: 0 }
          const times = { userCouponId: null, paidAt: at, confirmedAt: at }
          emit['orderConfirmed']?.(key, { ...sale, ...times } as never, at)
        },
      }),
    },
  ],
  [
    'takes a refusal of stock for a reservation',
    'I17',
    {
      in: SAGA,
      hears: ({ kind, value }: { kind: string; value: object }) => {
        return { kind, value: kind === 'STOCK' ? { ...value, status: 'RESERVED' } : value }
      },
    },
  ],
  [
    'takes a declined payment for a paid one',
    'I17',
    {
      in: SAGA,
      hears: ({ kind, value }: { kind: string; value: object }) => {
        return { kind, value: kind === 'PAYMENT' ? { ...value, status: 'SUCCESS' } : value }
      },
    },
  ],
  [
    'keeps a part of a payment that is not its own',
    'I19',
    says(SAGA, 'paymentRefundRequested', (value: PaymentRefund) => ({
      ...value,
      amount: Math.ceil(value.amount / 2),
    })),
  ],
  [
    'refunds under a new id each time',
    'I20',
    saysTwice(SAGA, 'paymentRefundRequested', (value: PaymentRefund) => ({
      ...value,
      refundId: `${value.refundId}|more`,
    })),
  ],
  [
    'tells that more goes back than was paid',
    'I20',
    says(SAGA, 'orderReturned', (value: OrderReturned) => ({
      ...value,
      refundAmount: value.refundAmount + 9_999,
    })),
  ],
  ['lets an order earn twice', 'I21', saysTwice('point-keeper', 'earned', (value: CouponUsed) => value)],
]

describe('a faulty shop is found, whichever topic is read first, that', () => {
  test.each(faultyShops)('%s: %s', async (_, invariant, fault) => {
    const found: OrderHistory[] = []
    for (const seed of [3, 4, 5]) {
      found.push(await orderHistory(seed, 12, (all) => all.map((topology) => withFault(topology, fault))))
    }
    fc.assert(
      fc.property(interleavings, (choices) => {
        const invariants = found.flatMap((history) => judged(history, choices)).map((one) => one.invariant)
        expect(invariants).toContain(invariant)
      }),
      { numRuns: 30 },
    )
  })
})
