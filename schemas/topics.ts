/**
 * The catalogue of topics that carry Avro: what their key and value are, how they are kept, and which time is the
 * event's. Plain data; partition counts, retention and replication come from configuration.
 */
import { cartChangedSchema, type CartChanged } from './generated/cart.ts'
import {
  campaignSchema,
  couponIssuedSchema,
  couponIssueRejectedSchema,
  couponIssueRequestedSchema,
  quotaStateSchema,
  type Campaign,
  type CouponIssued,
  type CouponIssueRejected,
  type CouponIssueRequested,
  type QuotaState,
} from './generated/coupon.ts'
import {
  connectorSwitchSchema,
  opsAuditSchema,
  redriveSchema,
  type ConnectorSwitch,
  type OpsAudit,
  type Redrive,
} from './generated/ops.ts'
import { incidentSchema, type Incident } from './generated/ops.ts'
import { privacyKeySchema, type PrivacyKey } from './generated/privacy.ts'
import { productCatalogSchema, type ProductCatalog } from './generated/product.ts'
import {
  rankingPartitionUpdateSchema,
  rankingSalesDeltaSchema,
  rankingSnapshotSchema,
  type PartitionBoard,
  type RankingPartitionUpdate,
  type RankingSalesDelta,
  type RankingSnapshot,
} from './generated/ranking.ts'
import { userProfileSchema, type UserProfile } from './generated/user.ts'
import { orderTopics, portTopics, stepTopics } from './order-topics.ts'
import { embeddedSchemas, type SchemaSource } from './registry.ts'
import { topicMaker } from './topic.ts'

export type Topics = ReturnType<typeof createTopics>

/** The catalogue with serdes that take their schemas and ids from `source`. */
export function createTopics(source: SchemaSource) {
  const topic = topicMaker(source)
  return Object.freeze({
    couponCampaignRequested: topic<Campaign>('coupon.campaign.requested', campaignSchema, {
      keyOf: (value) => value.couponId,
      timestamps: 'LogAppendTime',
    }),
    couponCampaign: topic<Campaign>('coupon.campaign', campaignSchema, {
      keyOf: (value) => value.couponId,
      cleanup: 'compact',
    }),
    couponIssueRequested: topic<CouponIssueRequested>('coupon.issue.requested', couponIssueRequestedSchema, {
      keyOf: (value) => value.couponId,
      timestamps: 'LogAppendTime',
    }),
    couponIssued: topic<CouponIssued>('coupon.issued', couponIssuedSchema, {
      keyOf: (value) => value.couponId,
      eventTime: (value) => value.issuedAt,
    }),
    couponIssueRejected: topic<CouponIssueRejected>('coupon.issue.rejected', couponIssueRejectedSchema, {
      keyOf: (value) => value.couponId,
      eventTime: (value) => value.rejectedAt,
    }),
    couponQuota: topic<QuotaState>('coupon.quota', quotaStateSchema, {
      keyOf: (value) => shardKey(value.couponId, value.shard),
      cleanup: 'compact',
    }),
    ...orderTopics(topic),
    ...stepTopics(topic),
    ...portTopics(topic),
    rankingSalesDelta: topic<RankingSalesDelta>('ranking.sales.delta', rankingSalesDeltaSchema, {
      keyOf: (value) => value.productId,
      eventTime: (value) => value.eventTime,
    }),
    /** Internal: ranker partitions to the merge task. */
    rankingPartitionUpdate: topic<RankingPartitionUpdate>(
      'ranking.partition.update',
      rankingPartitionUpdateSchema,
      {
        keyOf: partitionUpdateKey,
      },
    ),
    rankingSnapshot: topic<RankingSnapshot>('ranking.snapshot', rankingSnapshotSchema, {
      keyOf: (value) => `${boardKey(value)}|${value.start}`,
      cleanup: 'compact',
    }),
    productCatalog: topic<ProductCatalog>('product.catalog', productCatalogSchema, {
      keyOf: (value) => value.productId,
      cleanup: 'compact',
    }),
    userProfile: topic<UserProfile>('user.profile', userProfileSchema, {
      keyOf: (value) => value.userId,
      cleanup: 'compact',
    }),
    /** A null erases the person: see `docs/privacy.md`. */
    privacyKey: topic<PrivacyKey>('privacy.key', privacyKeySchema, {
      keyOf: (value) => value.userId,
      cleanup: 'compact',
      erasable: true,
    }),
    /** Invariants that the facts do not keep, as they stand now. */
    opsIncident: topic<Incident>('ops.incident', incidentSchema, {
      keyOf: (value) => `${value.invariant}|${value.subject}`,
      cleanup: 'compact',
    }),
    cartChanged: topic<CartChanged>('cart.changed', cartChangedSchema, {
      keyOf: (value) => value.userId,
    }),
    opsAudit: topic<OpsAudit>('ops.audit', opsAuditSchema, {
      keyOf: (value) => value.actor,
      eventTime: (value) => value.at,
    }),
    /** Connectors that operators have paused. */
    opsConnector: topic<ConnectorSwitch>('ops.connector', connectorSwitchSchema, {
      keyOf: (value) => value.connector,
      cleanup: 'compact',
      eventTime: (value) => value.at,
    }),
    opsRedrive: topic<Redrive>('ops.redrive', redriveSchema, {
      keyOf: positionKey,
      cleanup: 'compact',
    }),
  })
}

/** The catalogue with the schema ids that are committed with the code. */
export const topics: Topics = createTopics(embeddedSchemas)

/** Key of one shard of a coupon: `couponId#shard`. */
export function shardKey(couponId: string, shard: number): string {
  return `${couponId}#${shard}`
}

/** Key of a board: `window|metric|category`, the category empty for all products. */
export function boardKey(board: Pick<PartitionBoard, 'window' | 'metric' | 'category'>): string {
  return `${board.window}|${board.metric}|${board.category ?? ''}`
}

/** Updates with a board stand under the board's key, progress alone under the ranker's partition. */
function partitionUpdateKey(update: RankingPartitionUpdate): string {
  return update.board === null ? `progress|${update.partition}` : boardKey(update.board)
}

/** Key of what is kept about a record: `topic|partition|offset`. */
export function positionKey(at: { topic: string; partition: number; offset: number }): string {
  return `${at.topic}|${at.partition}|${at.offset}`
}
