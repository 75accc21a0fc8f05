/** What a few orders may hear, in any order: for tests that care about the engine, not about sense. */
import fc from 'fast-check'
import type { OrderMessage } from '../../processors/index.ts'
import { START } from './order-hosts.ts'

const orderId = fc.constantFrom('o1', 'o2', 'o3')
const productId = fc.constantFrom('tea', 'milk')
const epoch = fc.constantFrom(0, 0, 0, 1)
const reason = fc.constantFrom(null, 'CODE')
const words = { reason: fc.constant('because'), actor: fc.constant('eve') }

const created = fc.record({
  orderId,
  userId: fc.constant('ann'),
  items: fc.constant([
    { lineNo: 1, productId: 'tea', categoryId: null, quantity: 2, unitPrice: 300 },
    { lineNo: 2, productId: 'milk', categoryId: null, quantity: 1, unitPrice: 100 },
  ]),
  userCouponId: fc.constantFrom(null, 'c1'),
  pointsToUse: fc.constantFrom(0, 100),
  currency: fc.constant('GBP'),
  payBy: fc.constantFrom(START + 30_000, START + 3_600_000),
  shipTo: fc.constantFrom(null, Buffer.from('sealed')),
  bodyHash: fc.constant(null),
})
const stock = fc.record({
  orderId,
  productId,
  status: fc.constantFrom('RESERVED' as const, 'RESERVED' as const, 'REJECTED' as const),
  available: fc.constant(null),
  reason,
  epoch,
})
const points = fc.record({
  orderId,
  userId: fc.constant('ann'),
  status: fc.constantFrom('DEDUCTED' as const, 'REJECTED' as const),
  balanceAfter: fc.constant(null),
  reason,
  epoch,
})
const coupon = fc.record({
  orderId,
  userCouponId: fc.constant('c1'),
  status: fc.constant('USED' as const),
  discountAmount: fc.constantFrom(50, 650),
  reason,
  epoch,
})
const restored = fc.record({
  orderId,
  step: fc.constantFrom('STOCK' as const, 'STOCK' as const, 'POINTS' as const, 'COUPON' as const),
  lineNo: fc.constantFrom(1, 2),
  returnId: fc.constantFrom(null, null, 'r1', 'surplus'),
  status: fc.constantFrom('RESTORED' as const, 'ALREADY' as const, 'FAILED' as const),
  reason,
  productId,
  shortfall: fc.constant(0),
  epoch,
})
const payment = fc.record({
  orderId,
  paymentKey: fc.constantFrom('p1', 'p2'),
  amount: fc.constantFrom(700, 600, 550),
  status: fc.constantFrom('SUCCESS' as const, 'SUCCESS' as const, 'FAILED' as const),
  failureCode: fc.constant(null),
})
const delivery = fc.record({
  orderId,
  deliveryId: fc.constant('d1'),
  status: fc.constantFrom('STARTED' as const, 'DELIVERED' as const, 'FAILED' as const),
  reason,
})
const cancel = fc.record({ orderId, ...words })
const returned = fc.record({
  orderId,
  returnId: fc.constant('r1'),
  items: fc.constantFrom([{ lineNo: 1, quantity: 1 }], [{ lineNo: 1, quantity: 9 }]),
  ...words,
})
const repair = fc.record({
  orderId,
  action: fc.constantFrom('RETRY' as const, 'RESUME' as const, 'COMPENSATE' as const, 'RESOLVE' as const),
  ...words,
})

function said<K extends OrderMessage['kind']>(
  kind: K,
  value: fc.Arbitrary<unknown>,
): fc.Arbitrary<OrderMessage> {
  return value.map((one) => ({ kind, value: one }) as OrderMessage)
}

export const messages: fc.Arbitrary<readonly OrderMessage[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: said('CREATED', created) },
    { weight: 6, arbitrary: said('STOCK', stock) },
    { weight: 3, arbitrary: said('POINTS', points) },
    { weight: 3, arbitrary: said('COUPON', coupon) },
    { weight: 3, arbitrary: said('RESTORE', restored) },
    { weight: 3, arbitrary: said('PAYMENT', payment) },
    { weight: 2, arbitrary: said('DELIVERY', delivery) },
    { weight: 1, arbitrary: said('CANCEL', cancel) },
    { weight: 1, arbitrary: said('RETURN', returned) },
    { weight: 1, arbitrary: said('REPAIR', repair) },
  ),
  { minLength: 5, maxLength: 40 },
)
