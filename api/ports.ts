/**
 * What the HTTP API needs of the running pipeline. The composition root implements it over the log and the stores;
 * the tests over a few maps.
 *
 * Rules for implementers:
 * 1. Reads see committed rows only and say the positions up to which they are true.
 * 2. A read of a store whose task is restoring, or runs in another process, throws `TaskNotHere`, with the address of
 *    the process that says it runs the task: it is asked, once. Without an address the client gets 503 and `Retry-After`.
 * 3. Synchronous methods do not block: they read memory or one key.
 */
import type {
  Campaign,
  CampaignCommand,
  Incident,
  ProductCatalog,
  RankingSnapshot,
  RequestState,
  UserCoupon,
} from '../schemas/index.ts'
import type { Answer, AppendRecord, AppendResult, Position } from '../streams/index.ts'

export interface Pipeline extends LogPort, CouponPort, ProductPort, RankingPort, OperationsPort {
  /** Absent where one process has everything. */
  readonly copies?: CopyPort | undefined
}

export interface LogPort {
  /**
   * `Log.append`: all of the records or none, durable before it resolves.
   * Rejects with `LOG_BUSY`, `APPEND_UNKNOWN`, `LOG_FULL`, `RECORD_TOO_LARGE`, `LOG_CLOSED`.
   */
  append(records: readonly AppendRecord[]): Promise<readonly AppendResult[]>
  /** Why new records of this topic are not taken just now: its tasks are too far behind. Asked on every write. */
  admission(topic: string): Refusal | undefined
  /**
   * Waits until every task that reads this partition has committed all offsets **before** `position.offset`: for the
   * record at offset 7 ask for 8. True once it is so, at once if no task reads the topic; false after `timeoutMs`, or
   * once `signal` fires. Never rejects for being late.
   */
  reached(position: Position, wait: WaitOptions): Promise<boolean>
}

export interface CouponPort {
  /** The campaign as the issuer last applied it, with its counters. */
  campaign(couponId: string): Answer<CampaignView | undefined>
  /**
   * What became of the command at `offset` of the coupon's partition of `coupon.campaign.requested`; nothing while it
   * is not processed, or when so many commands followed that it is forgotten.
   */
  campaignCommand(couponId: string, offset: number): CampaignCommand | undefined
  /** The verdict on a request; nothing while there is none. */
  couponRequest(couponId: string, requestId: string): Answer<RequestState | undefined>
  /**
   * The partition of `coupon.issue.requested` in which requests for this coupon wait. Nothing when `partition` is given
   * and is another. A read as rule 2 has it: only the owner knows how far the partition is.
   */
  requestQueue(couponId: string, partition?: number): Promise<RequestQueue | undefined>
  /** A user's coupons in the order of their keys. */
  userCoupons(userId: string, page: PageRequest): Promise<Answer<Page<UserCoupon>>>
}

export interface ProductPort {
  product(productId: string): Answer<ProductCatalog | undefined>
  /** Titles in the order of the ids; at most 1,000 of them. */
  titles(productIds: readonly string[]): readonly (string | undefined)[]
}

export interface RankingPort {
  /**
   * The board of the window that holds `at`. A window in which nothing was sold has an empty board with its own
   * `start`, `end` and the current `watermark`; nothing when the window is too old to be known.
   */
  board(query: BoardQuery): Promise<Answer<RankingSnapshot | undefined>>
}

/**
 * What the owners of campaigns and boards last said on their topics, as every process reads it, for when the owner cannot
 * be asked. It may be behind what the owner answered before, by the time that a record takes to get here; of what is
 * issued also by the time between two reports. Nothing where it is not known, which says nothing of whether it is.
 */
export interface CopyPort {
  campaign(couponId: string): Answer<CampaignView> | undefined
  board(query: BoardQuery): Answer<RankingSnapshot> | undefined
}

export interface OperationsPort {
  /** `live`: the process can go on. `ready`: it can serve. `startup`: restores and start-up checks are done. */
  health(probe: Probe): readonly HealthCheck[]
  metrics(): Promise<MetricsPage>
  time(): TimeReport
  /** What the sentinel found, the last seen first; nothing where it is off. */
  incidents(): readonly Incident[] | undefined
  /** The live graph: nodes, edges, and what is measured on them. Plain data for JSON. */
  topologyJson(): object
  /** Kafka Streams' text format, or a Mermaid diagram. */
  topologyText(format: 'describe' | 'mermaid'): string
}

export interface Refusal {
  readonly retryAfterMs: number
  /** For people: what is behind and how far. */
  readonly reason: string
}

export interface WaitOptions {
  readonly timeoutMs: number
  /** The client went away or the server closes. */
  readonly signal?: AbortSignal | undefined
}

export interface CampaignView {
  readonly campaign: Campaign
  /** Issued so far, over all shards. */
  readonly issued: number
  /** Since when nothing is left, epoch milliseconds; null while something is. */
  readonly soldOutAt: number | null
}

export interface RequestQueue {
  readonly topic: string
  readonly partition: number
  /** Offset that the next record will get, as far as known here. */
  readonly end: number
  /** Next offset to be decided: everything before it is decided and committed. */
  readonly processed: number
  /** Decisions per second lately; 0 when nothing was measured. */
  readonly ratePerSecond: number
}

export interface PageRequest {
  readonly limit: number
  /** `next` of the page before. Comes back exactly as it was given. */
  readonly after?: string | undefined
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Where the next page begins; absent on the last one. */
  readonly next?: string | undefined
}

export type RankingWindow = 'hour' | 'day' | 'week'
export type RankingMetric = 'quantity' | 'amount'

export interface BoardQuery {
  readonly window: RankingWindow
  readonly metric: RankingMetric
  /** null: all products. */
  readonly category: string | null
  /** An instant inside the window, epoch milliseconds. */
  readonly at: number
}

export type Probe = 'live' | 'ready' | 'startup'

export interface HealthCheck {
  readonly name: string
  readonly ok: boolean
  /** It serves, and somebody should look: an invariant is broken, for example. Not where `ok` is false. */
  readonly degraded?: boolean | undefined
  /** For people; no names of users, no paths. */
  readonly detail?: string | undefined
}

export interface MetricsPage {
  readonly contentType: string
  readonly body: string
}

export interface TimeReport {
  /** Wall time as tasks see it, epoch milliseconds. */
  readonly now: number
  /** Expiries are frozen because the clocks disagree. */
  readonly frozen: boolean
}
