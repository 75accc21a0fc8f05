/**
 * Topics of the order saga: the orchestrator's commands to the services, their answers, and what became of an order.
 * Commands stand under the key of whoever does them, answers under the orderId.
 */
import {
  couponRestoreSchema,
  couponRevokeSchema,
  couponUsedSchema,
  couponUseResultSchema,
  couponUseSchema,
  type CouponRestore,
  type CouponRevoke,
  type CouponUse,
  type CouponUsed,
  type CouponUseResult,
} from './generated/coupon.ts'
import { orderLineSchema, type OrderLine } from './generated/dataplatform.ts'
import {
  deliveryCallResultSchema,
  deliveryCallSchema,
  deliveryCancelResultSchema,
  deliveryCancelSchema,
  deliveryRequestedSchema,
  deliveryResultSchema,
  type DeliveryCall,
  type DeliveryCallResult,
  type DeliveryCancel,
  type DeliveryCancelResult,
  type DeliveryRequested,
  type DeliveryResult,
} from './generated/delivery.ts'
import {
  mailRequestedSchema,
  mailSentSchema,
  mailSuppressedSchema,
  type MailRequested,
  type MailSent,
  type MailSuppressed,
} from './generated/mail.ts'
import {
  orderCancelledSchema,
  orderCancelSchema,
  orderCompletedSchema,
  orderConfirmedSchema,
  orderCreatedSchema,
  orderFailedSchema,
  orderRepairSchema,
  orderReturnedSchema,
  orderReturnSchema,
  orderStatusSchema,
  restoreResultSchema,
  type OrderCancel,
  type OrderCancelled,
  type OrderCompleted,
  type OrderConfirmed,
  type OrderCreated,
  type OrderFailed,
  type OrderRepair,
  type OrderReturn,
  type OrderReturned,
  type OrderStatus,
  type RestoreResult,
} from './generated/order.ts'
import {
  paymentCallResultSchema,
  paymentCallSchema,
  paymentRefundResultSchema,
  paymentRefundSchema,
  paymentRequestedSchema,
  paymentResultSchema,
  type PaymentCall,
  type PaymentCallResult,
  type PaymentRefund,
  type PaymentRefundResult,
  type PaymentRequested,
  type PaymentResult,
} from './generated/payment.ts'
import {
  pointAdjustSchema,
  pointBookedSchema,
  pointDeductResultSchema,
  pointDeductSchema,
  pointEarnedSchema,
  pointRestoreSchema,
  type PointAdjust,
  type PointBooked,
  type PointDeduct,
  type PointDeductResult,
  type PointEarned,
  type PointRestore,
} from './generated/point.ts'
import {
  stockAdjustSchema,
  stockCommitSchema,
  stockReserveResultSchema,
  stockReserveSchema,
  stockRestoreSchema,
  type StockAdjust,
  type StockCommit,
  type StockReserve,
  type StockReserveResult,
  type StockRestore,
} from './generated/stock.ts'
import type { TopicMaker } from './topic.ts'

const byOrder = { keyOf: ({ orderId }: { readonly orderId: string }) => orderId }
const timestamps = 'LogAppendTime'
/** Mails about an order, or about a user's coupon. */
const bySubject = {
  keyOf: ({ orderId, userCouponId }: { readonly orderId: string; readonly userCouponId: string | null }) =>
    userCouponId ?? orderId,
}
/** Commands, by whose order and time the log decides. */
const toOrder = { ...byOrder, timestamps } as const
const toProduct = { keyOf: ({ productId }: { readonly productId: string }) => productId, timestamps } as const
const byUser = { keyOf: ({ userId }: { readonly userId: string }) => userId }
const toUser = { ...byUser, timestamps } as const

/** What becomes of an order, and what people ask for. */
export function orderTopics(topic: TopicMaker) {
  return {
    orderCreated: topic<OrderCreated>('order.created', orderCreatedSchema, byOrder),
    orderConfirmed: topic<OrderConfirmed>('order.confirmed', orderConfirmedSchema, {
      ...byOrder,
      eventTime: (value) => value.confirmedAt,
    }),
    orderCompleted: topic<OrderCompleted>('order.completed', orderCompletedSchema, {
      ...byOrder,
      eventTime: (value) => value.completedAt,
    }),
    orderFailed: topic<OrderFailed>('order.failed', orderFailedSchema, byOrder),
    orderCancelRequested: topic<OrderCancel>('order.cancel.requested', orderCancelSchema, toOrder),
    orderReturnRequested: topic<OrderReturn>('order.return.requested', orderReturnSchema, toOrder),
    orderRepairRequested: topic<OrderRepair>('order.repair.requested', orderRepairSchema, toOrder),
    orderCancelled: topic<OrderCancelled>('order.cancelled', orderCancelledSchema, {
      ...byOrder,
      eventTime: (value) => value.at,
    }),
    orderReturned: topic<OrderReturned>('order.returned', orderReturnedSchema, {
      ...byOrder,
      eventTime: (value) => value.at,
    }),
    orderStatus: topic<OrderStatus>('order.status', orderStatusSchema, {
      ...byOrder,
      cleanup: 'compact',
      eventTime: (value) => value.at,
    }),
    mailRequested: topic<MailRequested>('mail.requested', mailRequestedSchema, { ...bySubject, timestamps }),
    /** Mails that the server put off: tried again once their record has rested. */
    mailRetryRequested: topic<MailRequested>('mail.retry.requested', mailRequestedSchema, {
      ...bySubject,
      timestamps,
    }),
    mailSent: topic<MailSent>('mail.sent', mailSentSchema, bySubject),
    /** A null under the userId: mails go there again. */
    mailSuppressed: topic<MailSuppressed>('mail.suppressed', mailSuppressedSchema, {
      ...byUser,
      cleanup: 'compact',
      eventTime: (value) => value.at,
    }),
    /** Lines of sales, cancels and returns, for the data platform. */
    dataplatformOrder: topic<OrderLine>('dataplatform.order', orderLineSchema, {
      ...byOrder,
      eventTime: (value) => value.at,
    }),
  }
}

/** Stock, points and coupons: what is undone when an order comes to nothing. */
export function stepTopics(topic: TopicMaker) {
  return {
    stockReserveRequested: topic<StockReserve>('stock.reserve.requested', stockReserveSchema, toProduct),
    stockReserveResult: topic<StockReserveResult>('stock.reserve.result', stockReserveResultSchema, byOrder),
    stockRestoreRequested: topic<StockRestore>('stock.restore.requested', stockRestoreSchema, toProduct),
    stockCommitRequested: topic<StockCommit>('stock.commit.requested', stockCommitSchema, toProduct),
    stockAdjustRequested: topic<StockAdjust>('stock.adjust.requested', stockAdjustSchema, toProduct),
    pointDeductRequested: topic<PointDeduct>('point.deduct.requested', pointDeductSchema, toUser),
    pointDeductResult: topic<PointDeductResult>('point.deduct.result', pointDeductResultSchema, byOrder),
    pointRestoreRequested: topic<PointRestore>('point.restore.requested', pointRestoreSchema, toUser),
    pointAdjustRequested: topic<PointAdjust>('point.adjust.requested', pointAdjustSchema, toUser),
    pointEarned: topic<PointEarned>('point.earned', pointEarnedSchema, {
      ...byUser,
      eventTime: (value) => value.earnedAt,
    }),
    /** Every entry of users' ledgers, for the data platform. */
    pointEntry: topic<PointBooked>('point.entry', pointBookedSchema, {
      ...byUser,
      eventTime: (value) => value.at,
    }),
    couponUseRequested: topic<CouponUse>('coupon.use.requested', couponUseSchema, toUser),
    couponUseResult: topic<CouponUseResult>('coupon.use.result', couponUseResultSchema, byOrder),
    couponRestoreRequested: topic<CouponRestore>('coupon.restore.requested', couponRestoreSchema, toUser),
    couponRevokeRequested: topic<CouponRevoke>('coupon.revoke.requested', couponRevokeSchema, toUser),
    couponUsed: topic<CouponUsed>('coupon.used', couponUsedSchema, {
      ...byUser,
      eventTime: (value) => value.usedAt,
    }),
    /** Answers of all three to what is undone. */
    restoreResult: topic<RestoreResult>('restore.result', restoreResultSchema, byOrder),
  }
}

/** The ports to the outside: payment and courier. */
export function portTopics(topic: TopicMaker) {
  return {
    paymentRequested: topic<PaymentRequested>('payment.requested', paymentRequestedSchema, toOrder),
    paymentResult: topic<PaymentResult>('payment.result', paymentResultSchema, byOrder),
    paymentRefundRequested: topic<PaymentRefund>('payment.refund.requested', paymentRefundSchema, toOrder),
    paymentRefundResult: topic<PaymentRefundResult>(
      'payment.refund.result',
      paymentRefundResultSchema,
      byOrder,
    ),
    /** Internal: the gateway to its connector, and what the provider says. See `docs/providers.md`. */
    paymentCallRequested: topic<PaymentCall>('payment.call.requested', paymentCallSchema, toOrder),
    paymentCallResult: topic<PaymentCallResult>('payment.call.result', paymentCallResultSchema, byOrder),
    deliveryRequested: topic<DeliveryRequested>('delivery.requested', deliveryRequestedSchema, toOrder),
    deliveryResult: topic<DeliveryResult>('delivery.result', deliveryResultSchema, byOrder),
    deliveryCancelRequested: topic<DeliveryCancel>(
      'delivery.cancel.requested',
      deliveryCancelSchema,
      toOrder,
    ),
    deliveryCancelResult: topic<DeliveryCancelResult>(
      'delivery.cancel.result',
      deliveryCancelResultSchema,
      byOrder,
    ),
    deliveryCallRequested: topic<DeliveryCall>('delivery.call.requested', deliveryCallSchema, toOrder),
    deliveryCallResult: topic<DeliveryCallResult>('delivery.call.result', deliveryCallResultSchema, byOrder),
  }
}
