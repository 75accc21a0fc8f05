/**
 * Rules for trying a shop from outside: what stands after the last `+` of a userId says what becomes of the user's
 * payments and deliveries, as the numbers of test cards do at payment providers. Everybody else's are approved and
 * delivered.
 */
import { approveAll, deliverAll, type DeliveryRule, type PaymentRule } from './rules.ts'

/** What test users may be called, as listed in `docs/orders.md`. */
export type TestFate = 'declined' | 'late' | 'unheard' | 'wrong' | 'twice' | 'slow' | 'refused' | 'gone'

/** Longer than a short time to pay, short enough to be waited for. */
const LATE_MS = 4_000
/** Time to call a delivery off. */
const SLOW_MS = 4_000

export const paymentOfTestUsers: PaymentRule = (request) => {
  const usual = approveAll(request)
  switch (fateOf(request.userId)) {
    case 'declined':
      return { ...usual, approve: false }
    case 'late':
      return { ...usual, delayMs: LATE_MS }
    case 'unheard':
      return { ...usual, answers: 0 }
    case 'wrong':
      return { ...usual, charged: request.amount + 1 }
    case 'twice':
      return { ...usual, answers: 2 }
    default:
      return usual
  }
}

export const deliveryOfTestUsers: DeliveryRule = (request) => {
  const usual = deliverAll(request)
  switch (fateOf(request.customerId)) {
    case 'slow':
      return { ...usual, startMs: SLOW_MS }
    case 'refused':
      return { ...usual, ends: 'REFUSED' }
    case 'gone':
      return { ...usual, ends: 'LOST' }
    case 'twice':
      return { ...usual, answers: 2 }
    default:
      return usual
  }
}

function fateOf(userId: string): TestFate | undefined {
  return userId.slice(userId.lastIndexOf('+') + 1) as TestFate
}
