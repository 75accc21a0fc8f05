/** What the sentinel reads of orders, each fact with its place in the log. */
import type {
  CouponUsed,
  CouponUseResult,
  OrderCancelled,
  OrderCompleted,
  OrderConfirmed,
  OrderFailed,
  OrderReturned,
  OrderStatus,
  PaymentRefund,
  PaymentRequested,
  PaymentResult,
  PointDeductResult,
  PointEarned,
  RestoreResult,
  StockReserveResult,
} from '../../schemas/index.ts'
import type { Place } from './facts.ts'

/** Under the orderId. */
export type OrderTold =
  | { readonly kind: 'STATUS'; readonly value: OrderStatus }
  | { readonly kind: 'CONFIRMED'; readonly value: OrderConfirmed }
  | { readonly kind: 'COMPLETED'; readonly value: OrderCompleted }
  | { readonly kind: 'FAILED'; readonly value: OrderFailed }
  | { readonly kind: 'CANCELLED'; readonly value: OrderCancelled }
  | { readonly kind: 'RETURNED'; readonly value: OrderReturned }
  | { readonly kind: 'STOCK'; readonly value: StockReserveResult }
  | { readonly kind: 'POINTS'; readonly value: PointDeductResult }
  | { readonly kind: 'COUPON'; readonly value: CouponUseResult }
  | { readonly kind: 'RESTORED'; readonly value: RestoreResult }
  | { readonly kind: 'PAY'; readonly value: PaymentRequested }
  | { readonly kind: 'PAID'; readonly value: PaymentResult }
  | { readonly kind: 'REFUND'; readonly value: PaymentRefund }

/** Under the userId, of users who are watched. */
export type ShopperTold =
  | { readonly kind: 'USED'; readonly value: CouponUsed }
  | { readonly kind: 'COMPLETED'; readonly value: OrderCompleted }
  | { readonly kind: 'EARNED'; readonly value: PointEarned }

/** Where a fact of an order lies, and the time that its record bears, epoch milliseconds. */
export interface OrderPlace extends Place {
  readonly timestamp: number
}

/** What the orchestrator is told; whatever it says of a sale or an end was caused by one of these. */
const TOLD: ReadonlySet<string> = new Set([
  'order.created',
  'stock.reserve.result',
  'point.deduct.result',
  'coupon.use.result',
  'restore.result',
  'payment.result',
  'payment.refund.result',
  'delivery.result',
  'delivery.cancel.result',
  'order.cancel.requested',
  'order.return.requested',
  'order.repair.requested',
])

/**
 * Whether the shop's own orchestrator said it: `order.confirmed`, `order.cancelled` and `order.returned` may be of orders
 * that are recorded elsewhere, which the invariants of the saga do not touch. What a timer made is not told from those.
 */
export function isOfSaga({ lineage }: Place): boolean {
  return lineage?.cause !== undefined && TOLD.has(lineage.cause.topic)
}
