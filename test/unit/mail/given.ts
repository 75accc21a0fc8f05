/** What happens to orders, coupons and users that is told by mail: user `ann`, order `o1`, unless told. */
import type {
  CouponIssued,
  MailSuppressed,
  OrderCancelled,
  OrderCompleted,
  OrderFailed,
  OrderReturned,
  UserProfile,
} from '../../../schemas/index.ts'
import { START } from '../../support/services.ts'

const item = { lineNo: 1, productId: 'mug', categoryId: null, quantity: 2, unitPrice: 300 }
const back = { lineNo: 1, productId: 'mug', categoryId: null, quantity: 1, amount: 300 }

export function completed(changes: Partial<OrderCompleted> = {}): OrderCompleted {
  return { orderId: 'o1', userId: 'ann', items: [item], finalAmount: 600, completedAt: START, ...changes }
}

export function failed(changes: Partial<OrderFailed> = {}): OrderFailed {
  return { orderId: 'o1', userId: 'ann', failedStep: 'stock', reason: '', compensations: [], ...changes }
}

export function returned(changes: Partial<OrderReturned> = {}): OrderReturned {
  const what = { orderId: 'o1', userId: 'ann', returnId: 'r1', items: [back], refundAmount: 300 }
  return { ...what, confirmedAt: START, at: START, reason: '', ...changes }
}

export function cancelled(changes: Partial<OrderCancelled> = {}): OrderCancelled {
  return { ...returned(), returnId: null, refundAmount: 600, ...changes }
}

export function issued(changes: Partial<CouponIssued> = {}): CouponIssued {
  return {
    requestId: 'q1',
    couponId: 'spring',
    userCouponId: 'spring-1',
    userId: 'ann',
    sequence: 1,
    shard: 0,
    sourceOffset: 0,
    issuedAt: START,
    expiresAt: null,
    campaignRevision: 1,
    discount: null,
    ...changes,
  }
}

/** `email` stands for what is sealed. */
export function profile(email: string | null = 'sealed', changes: Partial<UserProfile> = {}): UserProfile {
  return { userId: 'ann', email: email === null ? null : Buffer.from(email), locale: null, ...changes }
}

export function suppressed(email = 'sealed', changes: Partial<MailSuppressed> = {}): MailSuppressed {
  const at = { mailId: 'm', at: START }
  return { userId: 'ann', email: Buffer.from(email), reason: '550 5.1.1', ...at, ...changes }
}
