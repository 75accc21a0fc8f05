/** A shop that took three orders: one completed and in part returned, one that failed, one that was paid too late. */
import type { ShopFacts } from '../../../../cli/load/orders/facts.ts'
import type { OrderStatus } from '../../../../schemas/index.ts'

const NOW = 1_800_000_000_000
const PAY_BY = NOW - 60_000

/** What may be written to; a test changes one thing of it. */
export type Changeable<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends object
    ? { -readonly [K in keyof T]: Changeable<T[K]> }
    : T
export type GivenShop = Changeable<Omit<ShopFacts, 'log'> & Required<Pick<ShopFacts, 'log'>>>
type GivenOrder = GivenShop['orders'][number]

const mugs = (quantity: number) => [
  { lineNo: 1, productId: 'mug', categoryId: null, quantity, unitPrice: 500 },
]

/** Three mugs at 5.00, less 1.50 by coupon and 50 points: 13.00, which earn 13 points; one mug came back for 4.33. */
const completed: GivenOrder = {
  orderId: 'o-done',
  userId: 'ann',
  state: 'COMPLETED',
  returnState: 'PARTIAL',
  items: mugs(3),
  amounts: { items: 1_500, discount: 150, points: 50, final: 1_300 },
  payBy: PAY_BY,
  userCouponId: 'spring-1',
  paymentKey: 'pay-done',
  confirmedAt: PAY_BY - 1_000,
  returns: [{ returnId: 'r1', status: 'DONE', items: [{ lineNo: 1, quantity: 1 }], refundAmount: 433 }],
}
const undone = { items: mugs(1), amounts: { items: 500, discount: 0, points: 0, final: 500 }, payBy: PAY_BY }
const failed: GivenOrder = {
  ...undone,
  orderId: 'o-failed',
  userId: 'bob',
  state: 'FAILED',
  returnState: 'NONE',
  confirmedAt: PAY_BY - 2_000,
  paymentKey: 'pay-failed',
  userCouponId: 'spring-2',
  returns: [],
}
const late: GivenOrder = {
  ...undone,
  orderId: 'o-late',
  userId: 'bob',
  state: 'CANCELLED',
  returnState: 'NONE',
  returns: [],
}

export function givenShop(): GivenShop {
  const facts: GivenShop = {
    askedAt: NOW,
    orders: [completed, failed, late],
    products: [{ productId: 'mug', received: 10, available: 8, reserved: 0, sold: 2 }],
    accounts: [
      {
        userId: 'ann',
        balance: 75,
        entries: [
          { kind: 'GRANTED', points: 100, balance: 100, reference: 'adjust:a' },
          { kind: 'SPENT', points: -60, balance: 40, reference: 'order:o-done' },
          { kind: 'RESTORED', points: 10, balance: 50, reference: 'order:o-done return:surplus' },
          { kind: 'EARNED', points: 13, balance: 63, reference: 'order:o-done' },
          { kind: 'RESTORED', points: 16, balance: 79, reference: 'order:o-done return:r1' },
          { kind: 'CLAWED_BACK', points: -4, balance: 75, reference: 'order:o-done return:r1' },
        ],
      },
      {
        userId: 'bob',
        balance: 30,
        entries: [
          { kind: 'GRANTED', points: 30, balance: 30, reference: 'adjust:b' },
          { kind: 'SPENT', points: -20, balance: 10, reference: 'order:o-late' },
          { kind: 'RESTORED', points: 20, balance: 30, reference: 'order:o-late' },
        ],
      },
    ],
    coupons: [
      { userId: 'ann', userCouponId: 'spring-1', status: 'USED' },
      { userId: 'bob', userCouponId: 'spring-2', status: 'ISSUED' },
    ],
    log: {
      statuses: [
        ...statuses('o-done', ['PENDING', 'AWAITING_PAYMENT', 'COMPLETED', 'COMPLETED']),
        ...statuses('o-failed', ['PENDING', 'CONFIRMED', 'REFUNDING', 'FAILED']),
        ...statuses('o-late', ['PENDING', 'COMPENSATING', 'CANCELLED']),
      ],
      reservations: ['o-done', 'o-failed', 'o-late'].map((orderId) => {
        return { orderId, productId: 'mug', status: 'RESERVED', available: 9, reason: null, epoch: 0 }
      }),
      restores: [restored('o-failed', 'STOCK'), restored('o-late', 'STOCK'), restored('o-late', 'POINTS')],
      payments: [
        paid('o-done', 'pay-done', 1_300),
        paid('o-done', 'pay-done', 1_300),
        paid('o-failed', 'pay-failed', 500),
        paid('o-late', 'pay-late', 500),
      ],
      refunds: [
        refunded('o-done', 'pay-done', 433),
        refunded('o-failed', 'pay-failed', 500),
        refunded('o-late', 'pay-late', 500),
      ],
      confirmed: [completed, failed].map(({ orderId, userId, items, amounts }) => {
        const order = { orderId, userId, items: items.map((item) => ({ ...item, categoryId: null })) }
        const money = { finalAmount: amounts.final, pointsUsed: amounts.points, currency: 'GBP' }
        return { ...order, ...money, userCouponId: null, paidAt: PAY_BY - 1_000, confirmedAt: PAY_BY - 1_000 }
      }),
      earned: [{ orderId: 'o-done', userId: 'ann', points: 13, rateBp: 100, earnedAt: NOW, expiresAt: null }],
    },
  }
  // Nothing of it is shared: a test changes what it likes.
  return structuredClone(facts)
}

function statuses(orderId: string, states: readonly OrderStatus['state'][]): OrderStatus[] {
  return states.map((state, revision) => {
    const at = { userId: 'ann', returnState: 'NONE' as const, step: '', attempt: 0, at: NOW, note: null }
    return { orderId, state, revision, ...at }
  })
}

export function restored(orderId: string, step: 'STOCK' | 'POINTS') {
  const part = {
    lineNo: step === 'STOCK' ? 1 : null,
    returnId: null,
    productId: step === 'STOCK' ? 'mug' : null,
  }
  return { orderId, step, ...part, status: 'RESTORED' as const, reason: null, shortfall: 0, epoch: 0 }
}

export function paid(orderId: string, paymentKey: string, amount: number) {
  return { orderId, paymentKey, amount, status: 'SUCCESS' as const, failureCode: null }
}

export function refunded(orderId: string, paymentKey: string, amount: number, refundId = `${orderId}|back`) {
  return { refundId, orderId, paymentKey, amount, status: 'REFUNDED' as const, reason: null }
}
