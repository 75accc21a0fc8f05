/** Orders, and what comes back of them, from a seed: some twice, some before their sale. */
import { type OrderReturned, topics } from '../../schemas/index.ts'
import type { AppendRecord } from '../../streams/index.ts'
import { appendRecord } from '../support/engine-shop.ts'
import type { Random } from '../support/random.ts'

const DAY_MS = 86_400_000
const START = Date.UTC(2026, 0, 1)

/** Without end. Ids begin with `prefix`. */
export function* orderFacts(random: Random, prefix: string): Generator<AppendRecord, never> {
  let ordinal = 0
  for (let order = 1; ; order++) {
    const orderId = `${prefix}-${order}`
    const at = START + random.below(30) * DAY_MS + random.below(DAY_MS)
    const items = Array.from({ length: 1 + random.below(3) }, (_, index) => ({
      lineNo: index + 1,
      productId: `p${random.below(20)}`,
      categoryId: random.chance(0.5) ? 'tea' : null,
      quantity: 1 + random.below(5),
      unitPrice: 1 + random.below(999),
    }))
    const money = { finalAmount: 1, currency: 'GBP', pointsUsed: 0, userCouponId: null }
    const userId = `user ${random.below(50)}`
    const sale = { orderId, userId, items, ...money, paidAt: at, confirmedAt: at }
    const facts: [topic: string, value: object][] = [[topics.orderConfirmed.name, sale]]
    if (random.chance(0.3)) {
      const [{ lineNo, productId, quantity }] = items as [(typeof items)[number]]
      const back = [{ lineNo, productId, quantity: 1 + random.below(quantity), amount: 0 }]
      const fact = { orderId, userId, items: back, refundAmount: 0, confirmedAt: at, at: at + DAY_MS }
      const returned: OrderReturned = { ...fact, returnId: `r${order}`, reason: '' }
      facts.push([topics.orderReturned.name, returned])
      if (random.chance(0.3)) facts.reverse()
    }
    if (random.chance(0.1)) facts.push(random.pick(facts))
    for (const [topic, value] of facts)
      yield appendRecord({ topic, key: orderId, value }, at, ++ordinal, undefined)
  }
}
