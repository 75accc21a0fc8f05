/** The pipelines as data, with the stores that queries read. Nothing here starts anything. */
export { carts, cartStore } from './carts.ts'
export { catalog, productStore } from './catalog.ts'
export {
  campaignStore,
  claimStore,
  commandStore,
  couponIssuance,
  counterStore,
  requestStore,
  shardPartition,
} from './coupon-issuance.ts'
export {
  campaignTermsStore,
  heldCouponStore,
  couponUseStore,
  WALLET,
  wallet,
  walletStore,
} from './coupon-wallet.ts'
export { answerStore, sentinel, SENTINEL } from './sentinel.ts'
export type { SentinelOptions } from './sentinel-options.ts'
export { ORDER_SENTINEL, orderSentinel, orderWatchStore, shopperOrderStore } from './order-sentinel.ts'
export { bestSellers, type BestSellerOptions, type BestSellers } from './best-sellers.ts'
export { orderStockStore, stock, stockAdjustmentStore, stockLevelStore } from './stock.ts'
export {
  orderEarningStore,
  orderPointStore,
  pointAccountStore,
  pointAdjustmentStore,
  pointLedgerStore,
  type PointOptions,
  points,
} from './points.ts'
export { ORDER_LINES, orderLines, reportedOrderStore } from './order-lines.ts'
export {
  orderEventStore,
  type OrderOptions,
  orders,
  ordersByStateStore,
  ordersByUserStore,
  orderStore,
} from './orders.ts'
export { deliveryGateway, type DeliveryGatewayOptions, gatewayDeliveryStore } from './delivery-gateway.ts'
export { deliverySandbox, type DeliverySandboxOptions, sandboxDeliveryStore } from './delivery-sandbox.ts'
export {
  gatewayChargeStore,
  gatewayPaymentStore,
  gatewayRefundStore,
  paymentGateway,
  type PaymentGatewayOptions,
} from './payment-gateway.ts'
export {
  paymentSandbox,
  type PaymentSandboxOptions,
  sandboxPaymentStore,
  sandboxRefundStore,
} from './payment-sandbox.ts'
export { privacy, privacyKeyStore } from './privacy.ts'
export {
  mailAddressStore,
  mailer,
  type MailerOptions,
  mailStore,
  mailSuppressionStore,
} from './mailer.ts'
export { NOTIFIER, notifier, userNewsHeadStore, userNewsStore } from './notifier.ts'
export { profileStore, users } from './users.ts'
