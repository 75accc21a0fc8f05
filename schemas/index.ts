/** The record types of the pipeline, their topics and codec. */
export { campaignCommand } from './campaign-command.ts'
export { avroSerde, stateSerde, type AvroSerdeOptions } from './codec.ts'
export { checkCompatibility, Incompatibility } from './compatibility.ts'
export {
  DeserializationError,
  deserializationErrors,
  JsonValueError,
  SchemaError,
  schemaErrors,
  SerializationError,
  serializationErrors,
  type DeserializationErrorCode,
  type JsonProblem,
  type SchemaErrorCode,
  type SerializationErrorCode,
} from './errors.ts'
export { frame, HEADER_BYTES, MAX_SCHEMA_ID, readSchemaId, writeHeader } from './framing.ts'
export { fromJson, type FromJsonOptions } from './from-json.ts'
export { cartChangedSchema, type CartChanged, type CartItem } from './generated/cart.ts'
export {
  campaignSchema,
  couponIssuedSchema,
  couponIssueRejectedSchema,
  couponIssueRequestedSchema,
  quotaStateSchema,
  type Campaign,
  type CampaignOperation,
  type CampaignStatus,
  type CouponIssued,
  type CouponIssueRejected,
  type CouponIssueRequested,
  type Discount,
  type DiscountKind,
  type Eligibility,
  type Fairness,
  type QuotaState,
  type RejectReason,
} from './generated/coupon.ts'
export {
  incidentSchema,
  opsAuditSchema,
  redriveSchema,
  type Incident,
  type IncidentStatus,
  type OpsAudit,
  type Redrive,
} from './generated/ops.ts'
export {
  orderCancelledSchema,
  orderConfirmedSchema,
  orderReturnedSchema,
  type OrderCancelled,
  type OrderConfirmed,
  type OrderItem,
  type OrderReturned,
  type ReversedItem,
} from './generated/order.ts'
export { productCatalogSchema, type ProductCatalog } from './generated/product.ts'
export {
  rankingPartitionUpdateSchema,
  rankingSalesDeltaSchema,
  rankingSnapshotSchema,
  type BoardEntry,
  type DeltaKind,
  type PartitionBoard,
  type RankingEntry,
  type RankingPartitionUpdate,
  type RankingSalesDelta,
  type RankingSnapshot,
} from './generated/ranking.ts'
export {
  answerWatchSchema,
  boardPartSchema,
  boardStateSchema,
  boardWatchSchema,
  campaignCommandsSchema,
  campaignCountersSchema,
  claimStateSchema,
  couponWatchSchema,
  hourTallySchema,
  incidentStateSchema,
  mergeProgressSchema,
  rankerProgressSchema,
  requestStateSchema,
  saleStateSchema,
  userCouponSchema,
  watchedRequestSchema,
  watchedUserSchema,
  windowMetaSchema,
  windowSumSchema,
  type AnswerMark,
  type AnswerWatch,
  type BoardPart,
  type BoardState,
  type BoardWatch,
  type CampaignCommand,
  type CampaignCommands,
  type CampaignCounters,
  type ClaimState,
  type CommandOutcome,
  type CouponWatch,
  type HeldLine,
  type HeldReversal,
  type HourTally,
  type IncidentState,
  type MergeProgress,
  type PartitionProgress,
  type RankerProgress,
  type RequestState,
  type ReversalKind,
  type RevisionWatch,
  type SaleLine,
  type SaleState,
  type StreamWatch,
  type UserCoupon,
  type UserCouponStatus,
  type WatchedRequest,
  type WatchedUser,
  type WindowCounts,
  type WindowMeta,
  type WindowSum,
} from './generated/state.ts'
export { recordedSchemas } from './generated/versions.ts'
export { userProfileSchema, type UserProfile } from './generated/user.ts'
export { toJson, type ToJsonOptions } from './to-json.ts'
export type { AvroField, AvroRecord, AvroSchema, RecordSchema } from './record-schema.ts'
export {
  embeddedSchemas,
  fixedSource,
  recordedDefinition,
  type RecordedSchema,
  type SchemaSource,
} from './registry.ts'
export { defaultScanLimits, type ScanLimits } from './scan-cursor.ts'
export { stringSerde, type Serde } from './serde.ts'
export { upcastOf } from './upcast.ts'
export { boardKey, createTopics, positionKey, shardKey, topics, type Topic, type Topics } from './topics.ts'
