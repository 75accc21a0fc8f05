/** Examples for the OpenAPI document: one spring sale, told through. */

export const definitionExample = {
  name: 'Spring sale, 10 %',
  quota: 1_000,
  opensAt: '2026-03-01T00:00:00Z',
  closesAt: '2026-03-08T00:00:00Z',
  validForMs: 2_592_000_000,
  discount: { kind: 'PERCENT', value: 10, maxDiscount: 500_00 },
}

export const campaignExample = {
  couponId: 'spring-10',
  name: 'Spring sale, 10 %',
  quota: 1_000,
  issued: 412,
  remaining: 588,
  status: 'ACTIVE',
  opensAt: 1_772_323_200_000,
  closesAt: 1_772_928_000_000,
  perUserLimit: 1,
  validForMs: 2_592_000_000,
  discount: { kind: 'PERCENT', value: 10, maxDiscount: 500_00 },
  fairness: 'FIFO',
  shards: 1,
  revision: 1,
}

export const acceptedExample = {
  requestId: '0197a5d0-7c1e-7b6a-9f3e-2d1c0b9a8f7e',
  status: 'ACCEPTED',
  ticket: { topic: 'coupon.issue.requested', partition: 3, offset: 41 },
}

export const requestExamples = [
  { status: 'ACCEPTED', requestId: acceptedExample.requestId, ahead: 17, etaMs: 4 },
  { status: 'ISSUED', requestId: acceptedExample.requestId, userCouponId: 'spring-10-413', sequence: 413 },
  {
    status: 'REJECTED',
    requestId: acceptedExample.requestId,
    reason: 'SOLD_OUT',
    message: 'All coupons have been given out.',
  },
]

export const walletExample = {
  items: [
    {
      userCouponId: 'spring-10-413',
      couponId: 'spring-10',
      requestId: acceptedExample.requestId,
      status: 'ISSUED',
      issuedAt: 1_772_323_201_000,
      expiresAt: 1_774_915_201_000,
    },
  ],
}

export const productExample = {
  productId: '85123A',
  title: 'Hanging heart',
  categoryId: 'decor',
  price: 2_55,
  currency: 'GBP',
  stock: { received: 100, available: 90, reserved: 2, sold: 8 },
}

export const boardExample = {
  window: 'day',
  start: 1_772_323_200_000,
  end: 1_772_409_600_000,
  metric: 'quantity',
  category: null,
  timeZone: 'UTC',
  watermark: 1_772_380_000_000,
  revision: 5_310,
  final: false,
  corrected: false,
  lateCount: 0,
  entries: [
    {
      rank: 1,
      productId: '85123A',
      title: 'Hanging heart',
      score: 40,
      quantity: 40,
      amount: 102_00,
      previousRank: 3,
    },
  ],
}

export const eventsExample = {
  topic: 'order.confirmed',
  count: 1,
  positions: [{ partition: 2, offset: 107, eventId: '0197a5d0-7c1e-7b6a-9f3e-2d1c0b9a8f7e' }],
}

export const deadLetterExample = {
  deadLetter: { topic: 'order.confirmed.dlq', partition: 2, offset: 0 },
  original: { topic: 'order.confirmed', partition: 2, offset: 41 },
  dialect: 'streams',
  error: 'DeserializationError',
  timestamp: 1_767_225_600_000,
  key: 'o-1',
  keyBytes: 3,
  valueBytes: 120,
  state: 'waiting',
}

export const redriveExample = {
  dryRun: false,
  matched: 3,
  already: 0,
  sent: 2,
  done: 1,
  again: 1,
  waiting: 0,
  held: 1,
  unroutable: 0,
  left: 0,
  complete: true,
  ends: [4, 0, 0, 0, 0, 0],
}

export const shipToExample = {
  name: 'Ada Quill',
  phone: '+44 20 7946 0000',
  zipcode: 'N1 9GU',
  address: '1 Example Street, London',
  memo: 'leave it at the door',
}

export const profileExample = { userId: 'user-7', email: 'ada@example.com', locale: 'en-GB' }

export const cartExample = { userId: 'user-7', items: [{ productId: '85123A', quantity: 2 }] }

export const wantedExample = {
  userId: 'user-7',
  items: cartExample.items,
  shipTo: shipToExample,
  pointsToUse: 20,
  expectedTotal: 5_10,
}

export const placedExample = {
  orderId: '0197a5d0-7c1e-7b6a-9f3e-2d1c0b9a8f7e',
  status: 'PENDING',
  payBy: 1_772_325_000_000,
}

export const orderExample = {
  orderId: placedExample.orderId,
  userId: 'user-7',
  state: 'AWAITING_PAYMENT',
  returnState: 'NONE',
  step: 'payment',
  attempt: 1,
  revision: 4,
  createdAt: 1_772_323_200_000,
  since: 1_772_323_200_180,
  items: [{ lineNo: 1, productId: '85123A', categoryId: 'decor', quantity: 2, unitPrice: 2_55 }],
  amounts: { items: 5_10, discount: 0, points: 20, final: 4_90 },
  currency: 'GBP',
  payBy: placedExample.payBy,
  returns: [],
  actions: ['pay', 'cancel'],
}

export const returnAcceptedExample = {
  orderId: placedExample.orderId,
  status: 'ACCEPTED',
  state: 'COMPLETED',
  returnId: '0197a5d0-9a10-7b6a-9f3e-2d1c0b9a8f7e',
}

export const repairExample = {
  orderId: placedExample.orderId,
  action: 'retry',
  state: 'COMPENSATING',
  actions: [],
}

export const pointsExample = {
  userId: 'user-7',
  balance: 480,
  items: [
    {
      kind: 'SPENT',
      points: -20,
      balance: 480,
      at: 1_772_323_203_000,
      reference: `order:${placedExample.orderId}`,
    },
    { kind: 'GRANTED', points: 500, balance: 500, at: 1_772_323_202_000, reference: 'adjust:hello' },
  ],
}

export const grantExample = { userId: 'user-7', adjustId: 'hello', points: 500, balance: 500 }

export const orderListExample = {
  items: [
    {
      orderId: placedExample.orderId,
      userId: 'user-7',
      state: 'AWAITING_PAYMENT',
      since: 1_772_323_200_180,
      createdAt: 1_772_323_200_000,
      returnState: 'NONE',
      step: 'payment',
      attempt: 1,
      revision: 4,
      currency: 'GBP',
      final: 4_90,
    },
  ],
  partitions: { count: 6, missing: [] },
}

const answeredAt = { topic: 'stock.reserve.result', partition: 1, offset: 310, timestamp: 1_772_323_200_043 }
const askedAt = { topic: 'stock.reserve.requested', partition: 4, offset: 87, timestamp: 1_772_323_200_020 }

export const timelineExample = {
  orderId: placedExample.orderId,
  complete: true,
  states: [
    { state: 'PENDING', returnState: 'NONE', step: 'stock', attempt: 1, revision: 1, at: 1_772_323_200_012 },
    { state: 'STOCK_RESERVED', returnState: 'NONE', revision: 2, at: 1_772_323_200_050 },
  ],
  steps: [
    {
      saga: 'ORDER',
      step: 'stock',
      part: '85123A',
      way: 'DO',
      commands: [
        {
          topic: 'stock.reserve.requested',
          attempt: 1,
          epoch: 0,
          sentAt: 1_772_323_200_012,
          position: askedAt,
          answer: { status: 'RESERVED', at: 1_772_323_200_050, position: answeredAt, cause: askedAt },
          durationMs: 38,
        },
      ],
      answers: [],
    },
  ],
  events: [
    {
      kind: 'STOCK',
      status: 'RESERVED',
      at: 1_772_323_200_050,
      position: answeredAt,
      cause: askedAt,
      causationId: '0197a5d0-7c14-7b6a-9f3e-2d1c0b9a8f7e',
    },
  ],
}

export const paymentNewsExample = {
  type: 'charge.updated',
  eventId: 'evt-1',
  orderId: '0197a5d0-7c1e-7b6a-9f3e-2d1c0b9a8f7e',
  idempotencyKey: '5f1d7a84db00d2fce00b31a7fc73224f3a2e7d1c',
  status: 'SUCCEEDED',
  paymentKey: 'ch-1',
  amount: 4_90,
  currency: 'EUR',
}

export const shipmentNewsExample = {
  type: 'shipment.updated',
  eventId: 'evt-2',
  orderId: '0197a5d0-7c1e-7b6a-9f3e-2d1c0b9a8f7e',
  idempotencyKey: '0b31a7fc73224f3a2e7d1c5f1d7a84db00d2fce0',
  status: 'STARTED',
  deliveryId: 'parcel-1',
}
