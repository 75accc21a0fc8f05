/** What happens to points: user `ann`, order `o1`, unless told. */
import type {
  OrderCancelled,
  OrderCompleted,
  OrderReturned,
  PointAdjust,
  PointDeduct,
  PointRestore,
} from '../../../schemas/index.ts'
import { START } from '../../support/services.ts'

export function deduct(amount: number, changes: Partial<PointDeduct> = {}): PointDeduct {
  return { orderId: 'o1', userId: 'ann', amount, epoch: 0, ...changes }
}

export function giveBack(amount: number, changes: Partial<PointRestore> = {}): PointRestore {
  return { ...deduct(amount), returnId: null, refundAmount: 0, ...changes }
}

export function grant(amount: number, changes: Partial<PointAdjust> = {}): PointAdjust {
  return { adjustId: `a${amount}`, userId: 'ann', amount, expiresAt: null, reason: '', ...changes }
}

export function completed(finalAmount: number, changes: Partial<OrderCompleted> = {}): OrderCompleted {
  return { orderId: 'o1', userId: 'ann', items: [], finalAmount, completedAt: START, ...changes }
}

export function returned(refundAmount: number, changes: Partial<OrderReturned> = {}): OrderReturned {
  const what = { orderId: 'o1', userId: 'ann', returnId: 'r1', items: [], refundAmount }
  return { ...what, confirmedAt: START, at: START, reason: '', ...changes }
}

export function cancelled(changes: Partial<OrderCancelled> = {}): OrderCancelled {
  return { ...returned(0), returnId: null, ...changes }
}
