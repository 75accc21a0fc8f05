/** What people are told they may do with an order is what the saga would let them do, wherever the order is. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { newOrder } from '../../processors/orders/created.ts'
import { type OrderInput, orderSaga } from '../../processors/orders/order-saga.ts'
import type { OrderProgress } from '../../processors/orders/order-state.ts'
import { orderSummary, repairsOf } from '../../processors/orders/order-summary.ts'
import type { OrderRow } from '../../schemas/index.ts'
import { advance, dueAtOf, sagaActions } from '../../streams/kit/index.ts'

const START = Date.UTC(2026, 0, 1)
const saga = orderSaga({
  currency: 'GBP',
  payByMs: 1_000,
  completeOn: 'delivered',
  keepMs: 1_000_000_000,
  patience: { timeoutMs: 1_000, retry: { attempts: 2, backoffMs: 100 } },
  deliveryPatience: { timeoutMs: 10_000 },
})
const order = {
  orderId: 'o1',
  userId: 'ann',
  items: [
    { lineNo: 1, productId: 'tea', categoryId: null, quantity: 2, unitPrice: 300 },
    { lineNo: 2, productId: 'milk', categoryId: null, quantity: 1, unitPrice: 100 },
  ],
  userCouponId: 'spring-1',
  pointsToUse: 50,
  currency: 'GBP',
  payBy: START + 1_000_000_000,
  shipTo: Buffer.from('sealed'),
  bodyHash: null,
}

const PARTS: readonly (readonly [step: string, part: string, yes: object])[] = [
  ['stock', 'tea', { status: 'RESERVED' }],
  ['stock', 'milk', { status: 'RESERVED' }],
  ['points', '', { status: 'DEDUCTED' }],
  ['coupon', '', { status: 'USED', discountAmount: 70 }],
  ['payment', '', { value: { status: 'SUCCESS', paymentKey: 'p1' }, at: START }],
  ['delivery', '', { value: { status: 'STARTED', deliveryId: 'd1' }, at: START }],
  ['handover', '', { value: { status: 'DELIVERED', deliveryId: 'd1' }, at: START }],
]
const NO: Readonly<Record<string, object>> = {
  payment: { value: { status: 'FAILED', failureCode: 'NO' }, at: START },
  delivery: { value: { status: 'FAILED', reason: 'NO', deliveryId: 'd1' }, at: START },
  handover: { value: { status: 'FAILED', reason: 'NO', deliveryId: 'd1' }, at: START },
}
const BACK: Readonly<Record<string, object>> = {
  payment: { status: 'REFUNDED' },
  delivery: { status: 'CANCELLED' },
}

const inputs = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .constantFrom(...PARTS)
      .map(([step, part, answer]) => ({ kind: 'answer', step, part, answer })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...PARTS).map(([step, part]) => {
      const answer = NO[step] ?? { status: 'REJECTED', reason: 'NO' }
      return { kind: 'answer', step, part, answer }
    }),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom(...PARTS), fc.boolean()).map(([[step, part], good]) => {
      const answer = good ? (BACK[step] ?? { status: 'RESTORED' }) : { status: 'FAILED', reason: 'NO' }
      return { kind: 'undone', step, part, answer }
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'timer' }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'cancel', reason: '' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...sagaActions).map((action) => ({ kind: 'operator', action, reason: '' })),
  },
)

const good = PARTS.map(([step, part, answer]) => ({ kind: 'answer', step, part, answer }))
/** A while all goes well, or no order would get far; then anything happens. */
const histories = fc
  .tuple(fc.nat({ max: good.length }), fc.array(inputs, { maxLength: 30 }))
  .map(([well, others]): readonly object[] => [...good.slice(0, well), ...others])

function takes(progress: OrderProgress, input: OrderInput, now: number): boolean {
  return !advance(saga, 'o1', progress, input, now).notices.some(({ kind }) => kind === 'ignored')
}

/** Every place that an order gets to by these inputs, with the time. */
function* places(given: readonly object[]): Generator<readonly [OrderProgress, number]> {
  let now = START
  let progress = advance(
    saga,
    'o1',
    undefined,
    { kind: 'begin', data: newOrder(order, order.payBy) },
    now,
  ).progress
  for (const input of given) {
    if (progress === undefined || progress.endedAt !== null) break
    yield [progress, now]
    const due = dueAtOf(saga, progress)
    if ((input as OrderInput).kind === 'timer' && Number.isFinite(due)) now = Math.max(now, due)
    progress = advance(saga, 'o1', progress, input as OrderInput, now).progress
  }
  if (progress !== undefined) yield [progress, now]
}

const rowOf = (progress: OrderProgress): OrderRow => ({
  order: progress,
  givenBack: [],
  incidents: [],
  revision: 1,
  createdAt: START,
  since: START,
  events: 1,
})

describe('an order as it is told', () => {
  test('I14: says what a customer and an operator may do, and no more', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(histories, (given) => {
        for (const [progress, now] of places(given)) {
          const row = rowOf(progress)
          const summary = orderSummary(row)
          const state = summary?.state
          const actions: readonly string[] = summary?.actions ?? []
          seen.add(String(state))
          const cancel: OrderInput = { kind: 'cancel', reason: '' }
          expect([state, actions.includes('cancel')]).toEqual([state, takes(progress, cancel, now)])
          for (const action of sagaActions) {
            const operator: OrderInput = { kind: 'operator', action, reason: '' }
            expect([action, repairsOf(row).includes(action)]).toEqual([
              action,
              takes(progress, operator, now),
            ])
          }
          expect(actions.includes('return')).toBe(state === 'COMPLETED')
          if (actions.includes('pay')) expect(state).toBe('AWAITING_PAYMENT')
        }
      }),
    )
    // The histories get everywhere, or this says nothing.
    expect([...seen]).toEqual(
      expect.arrayContaining(['PENDING', 'AWAITING_PAYMENT', 'SHIPPED', 'COMPENSATING', 'NEEDS_ATTENTION']),
    )
  })

  test('I17: its amounts add up wherever it is', () => {
    fc.assert(
      fc.property(histories, (given) => {
        for (const [progress] of places(given)) {
          const amounts = orderSummary(rowOf(progress))?.amounts
          const { items = 0, discount = 0, points = 0, final = -1 } = amounts ?? {}
          expect(items - discount - points).toBe(final)
          expect(final).toBeGreaterThanOrEqual(0)
        }
      }),
    )
  })

  test('payments that no order asked for are no order, and can be repaired', () => {
    const data = {
      kind: 'STRAY',
      id: 'p9',
      orderId: 'o9',
      userId: '',
      lines: [],
      points: 0,
      money: 5,
      shortfall: 0,
      paymentKey: 'p9',
      reason: 'UNKNOWN_ORDER',
    }
    const stuck = {
      data,
      phase: 'NEEDS_ATTENTION',
      direction: 'FORWARD',
      steps: [],
      cause: null,
      trouble: null,
      deadlineAt: null,
      endedAt: null,
      revision: 3,
    }
    const rest = { incidents: [], revision: 2, createdAt: 0, since: 0, events: 1 }
    const row: OrderRow = { order: null, givenBack: [stuck], ...rest }
    expect(orderSummary(row)).toBeUndefined()
    expect(repairsOf(row)).toEqual(['retry', 'resume', 'compensate', 'resolve'])
  })
})
