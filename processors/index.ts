/** The shop's rules: pure functions, and the thin processors around them that `topologies/` wires. */
export { type CartContext, keepCart } from './carts/keep-cart.ts'
export { type CatalogContext, keepProduct } from './catalog/keep-product.ts'
export { applyCommand, type CommandContext } from './coupons/apply-command.ts'
export { type IssueContext, issueCoupon, sendQuota } from './coupons/issue-coupon.ts'
export { type LineContext, lineReporter } from './dataplatform/report-lines.ts'
export { parsePair, type Keeping, keepingOf } from './keeping.ts'
export {
  completedMail,
  couponMail,
  failedMail,
  givesMoneyBack,
  mailSubject,
  refundMail,
} from './mail/mails.ts'
export {
  type MailContext,
  type MailMessage,
  mailRequester,
  type MailRules,
} from './mail/request-mail.ts'
export { KEPT_NEWS, type NewsContext, newsKeeper, type NewsRules } from './notifier/keep-news.ts'
export {
  earnedNews,
  issuedNews,
  type NewsMessage,
  rejectedNews,
  statusNews,
  usedNews,
} from './notifier/news.ts'
export { pointKeeper, type PointContext, type PointMessage, type PointRules } from './points/keep-points.ts'
export { MAX_EVENTS } from './orders/order-events.ts'
export { type Orchestrator, orchestrator, type OrderMessage } from './orders/orchestrate.ts'
export { type OrderIncident, orderIncidents } from './orders/order-row.ts'
export type { OrderRules } from './orders/order-saga.ts'
export {
  type CustomerAction,
  orderSummary,
  type OrderSummary,
  repairsOf,
  type ReturnSummary,
} from './orders/order-summary.ts'
export {
  type Timeline,
  type TimelineAnswer,
  type TimelineCommand,
  timelineOf,
  type TimelineStep,
} from './orders/order-timeline.ts'
export type { OrderContext } from './orders/order-turn.ts'
export { type OrderOutputName, orderOutputs, type OrderOutputValues } from './orders/outputs.ts'
export { keepKey, type KeyContext, withKey } from './privacy/keep-keys.ts'
export { type AskingRules, askingRulesOf } from './providers/asking.ts'
export { providerIncidents } from './providers/incidents.ts'
export {
  type PaymentGatewayMessage,
  paymentGatewayKeeper,
} from './providers/keep-payments.ts'
export {
  type DeliveryGatewayMessage,
  deliveryGatewayKeeper,
  type DeliveryGatewayRules,
} from './providers/keep-shipments.ts'
export type { PaymentGatewayRules } from './providers/payment-context.ts'
export { boardRoute, MAX_DEPTH, parseSnapshotKey, snapshotKey, windowKey } from './ranking/boards.ts'
export { closeByStreamTime, closeWhenIdle, OPEN, reportProgress } from './ranking/close-windows.ts'
export { type DeriveContext, type OrderFact, salesDeriver } from './ranking/derive-sales.ts'
export { startSweep, sweep } from './ranking/expire-windows.ts'
export { makeSnapshot, type MergeContext, mergeUpdate, settle } from './ranking/merge-boards.ts'
export { applyDelta } from './ranking/rank-sales.ts'
export type { RankContext, RankingRules } from './ranking/ranker.ts'
export { sendChanged } from './ranking/send-boards.ts'
export { calendarOf, type WindowName, windowNames } from './ranking/windows.ts'
export {
  type DeliveryCommand,
  type DeliveryContext,
  deliverySandboxKeeper,
} from './sandboxes/keep-deliveries.ts'
export { type PaymentCommand, type PaymentContext, paymentSandboxKeeper } from './sandboxes/keep-payments.ts'
export {
  approveAll,
  type Chances,
  deliverAll,
  type DeliveryOutcome,
  type DeliveryRule,
  type PaymentOutcome,
  type PaymentRequest,
  type PaymentRule,
  seededDeliveries,
  seededPayments,
} from './sandboxes/rules.ts'
export { deliveryOfTestUsers, paymentOfTestUsers, type TestFate } from './sandboxes/test-users.ts'
export { noAnswers, unanswered } from './sentinel/answers.ts'
export { watchBoard } from './sentinel/board-rules.ts'
export type { CouponFact, Place } from './sentinel/facts.ts'
export { incidentKey } from './sentinel/incident.ts'
export { lookAtIncident } from './sentinel/incident-desk.ts'
export { type Violation, type WatchedInvariant, watchedInvariants } from './sentinel/invariants.ts'
export { ANSWERS, type CouponRows, judgeCoupon, type Rows } from './sentinel/judge-coupons.ts'
export { judgeOrder, ORDER_QUIET_MS } from './sentinel/judge-orders.ts'
export { judgeShopper, type ShopperRows } from './sentinel/judge-shoppers.ts'
export { isWatched } from './sentinel/digest.ts'
export type { OrderPlace, OrderTold, ShopperTold } from './sentinel/order-told.ts'
export {
  ENDED_QUIET_MS,
  forgetOrder,
  forgetShopperOrder,
  watchOrderFact,
  watchShopperFact,
} from './sentinel/watch-orders.ts'
export type { IncidentRules } from './sentinel/incident.ts'
export { forgetCoupon, type SentinelRules, watchCouponFact, watchSnapshot } from './sentinel/watch.ts'
export { discountOf } from './wallet/discount.ts'
export { type StockCommand, type StockContext, stockKeeper } from './stock/keep-stock.ts'
export { keepProfile, type ProfileContext } from './users/keep-profile.ts'
export { joinTerms, type TermsContext, type TermsFact } from './wallet/join-terms.ts'
export {
  waitingFor,
  type WalletContext,
  walletKeeper,
  type WalletMessage,
  type WalletRules,
} from './wallet/keep-wallet.ts'
