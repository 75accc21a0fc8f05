/** What sandboxes are asked for: order `o1`, 1000 to pay, unless told. */
import type {
  DeliveryCancel,
  DeliveryRequested,
  PaymentRefund,
  PaymentRequested,
} from '../../../schemas/index.ts'

export function payment(changes: Partial<PaymentRequested> = {}): PaymentRequested {
  const what = { orderId: 'o1', userId: 'ann', amount: 1_000, currency: 'EUR' }
  return { ...what, deadline: 2_000_000_000_000, epoch: 0, ...changes }
}

export function refund(amount: number, changes: Partial<PaymentRefund> = {}): PaymentRefund {
  return { refundId: `r${amount}`, orderId: 'o1', paymentKey: 'sandbox-o1-0', amount, ...changes }
}

export function delivery(changes: Partial<DeliveryRequested> = {}): DeliveryRequested {
  return { orderId: 'o1', customerId: 'ann', shipTo: null, epoch: 0, ...changes }
}

export function cancel(changes: Partial<DeliveryCancel> = {}): DeliveryCancel {
  return { orderId: 'o1', reason: null, ...changes }
}
