/** The HTTP API and the port it needs of the pipeline. */
export type { Page, PageRequest, WaitOptions } from './asking.ts'
export type { Role, TokenSpec } from './access.ts'
export type { MailPort, SuppressedMail, SuppressedMails } from './mail-port.ts'
export type { ConnectorPort, ConnectorReport, ConnectorTaskReport } from './connector-port.ts'
export { ApiError, apiErrorTable, type ApiErrorCode, type FieldProblem, type Problem } from './errors.ts'
export { type Ids, uuid7Ids } from './ids.ts'
export { type ApiLimits, defaultLimits } from './limits.ts'
export { isLoopback } from './loopback.ts'
export {
  type ApiHooks,
  type ApiOptions,
  ApiOptionsError,
  type OrderTerms,
  type PeerOptions,
  type PeerRefusal,
  type Webhooks,
} from './options.ts'
export { mergeStretches, type OrderStretch } from './order-list.ts'
export type {
  OrderAction,
  OrderList,
  OrderListing,
  OrderPlace,
  OrderPort,
  OrderQuery,
  OrderRepairs,
  OrderStatusView,
  OrderTimeline,
  OrderView,
  PointPort,
  RepairAction,
  ReturnView,
  StockPort,
} from './order-ports.ts'
export type {
  BoardQuery,
  CampaignView,
  CopyPort,
  DeadLetterCause,
  DeadLetterCauses,
  DeadLetterFilter,
  DeadLetterPort,
  DeadLetterShow,
  DeadLetterSummary,
  DeadLetterView,
  CouponPort,
  HealthCheck,
  LogPort,
  MetricsPage,
  OperationsPort,
  PausedTask,
  Pipeline,
  Probe,
  ProductPort,
  RankingMetric,
  RankingPort,
  RankingWindow,
  RedriveReport,
  RedriveRequest,
  Refusal,
  RequestQueue,
  TimeReport,
} from './ports.ts'
export type { NewsPlace, NewsPort, UserNewsView } from './news-port.ts'
export type { Open, PrivacyPort, Seal, SealedFor, UserPort } from './user-ports.ts'
export { masterKeyMissing, personalDataOff } from './privacy-errors.ts'
export { type Api, createApi } from './server.ts'
