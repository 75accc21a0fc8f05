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
import type { Page, PageRequest, WaitOptions } from './asking.ts'
import type { ConnectorPort } from './connector-port.ts'
import type { MailPort } from './mail-port.ts'
import type { NewsPort } from './news-port.ts'
import type { OrderPort, PointPort, StockPort } from './order-ports.ts'
import type { PrivacyPort, UserPort } from './user-ports.ts'

export interface Pipeline
  extends LogPort,
    CouponPort,
    ProductPort,
    RankingPort,
    OrderPort,
    StockPort,
    PointPort,
    UserPort,
    PrivacyPort,
    NewsPort,
    OperationsPort,
    ConnectorPort,
    MailPort,
    DeadLetterPort {
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
  /** Resolves once the board is enough, or it is time; `query` is asked again, for now moves on. */
  boardUntil(
    query: () => BoardQuery,
    enough: (board: RankingSnapshot | undefined) => boolean,
    wait: WaitOptions,
  ): Promise<void>
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

/**
 * Records that were put aside. No answer but `raw` ones holds anything of a record that may be personal (I25).
 * `topic` in all of it is the topic that they come from.
 */
export interface DeadLetterPort {
  /** The topic whose dead letters are meant by its own name or theirs; nothing where there are none. */
  deadLetterTopic(name: string): string | undefined
  /** By topic and partition, oldest first. A page may be short, even empty, and have a next one. */
  deadLetters(filter: DeadLetterFilter, page: PageRequest): Promise<Page<DeadLetterSummary>>
  /** How many there are by topic and error, most first. */
  deadLetterCauses(filter: DeadLetterFilter): Promise<DeadLetterCauses>
  /** One of them; nothing where it is not kept. */
  deadLetter(at: Position, show: DeadLetterShow): Promise<DeadLetterView | undefined>
  /** Dead letters of the topic are being sent back just now. Throws `TASK_NOT_HERE` where another process does that. */
  isRedriving(topic: string): boolean
  /**
   * Sends dead letters back, those of a key one after the other, and waits for what becomes of them. Call it again until
   * it is complete: what was sent once is not sent again. Nothing while another call does. Throws as `isRedriving`, and
   * as an append does.
   */
  redrive(request: RedriveRequest, wait: WaitOptions): Promise<RedriveReport | undefined>
  /** Why the task is paused; nothing where it is not, or there is none. A read as rule 2 has it. */
  pausedTask(task: string): PausedTask | undefined
  /** Lets a paused task go on. As `pausedTask`. */
  resumeTask(task: string): void
}

export interface OperationsPort {
  /** `live`: the process can go on. `ready`: it can serve. `startup`: restores and start-up checks are done. */
  health(probe: Probe): readonly HealthCheck[]
  metrics(): Promise<MetricsPage>
  time(): TimeReport
  /** The system clock of this process counts again, whatever it says; where nothing is frozen, nothing happens. */
  thawClocks(): void
  /** What the sentinel and the order saga found, the last seen first; nothing where both are off. */
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

export interface DeadLetterFilter {
  /** Absent: of every topic. */
  readonly topic?: string | undefined
  /** Class of the failure, exactly. */
  readonly error?: string | undefined
  /** The records' own times, epoch milliseconds: not before `from`, before `to`. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly key?: string | undefined
  /** Of the dead letter. */
  readonly partition?: number | undefined
  readonly offset?: number | undefined
  /** Those that were sent back already, those that were not, or all; `waiting` unless told. A redrive never sends twice. */
  readonly state?: 'waiting' | 'sent' | 'all' | undefined
}

export interface DeadLetterSummary {
  /** Where the dead letter lies. */
  readonly deadLetter: Position
  /** Where the record was; absent where nothing says so. */
  readonly original?: Position
  /** Who wrote the headers: `streams` also stands for this program. */
  readonly dialect: 'streams' | 'connect' | 'spring' | 'unknown'
  readonly error: string
  /** A connector or consumer group, where the headers name one. */
  readonly consumer?: string
  /** The record's own time, epoch milliseconds. */
  readonly timestamp: number
  /** Absent: there is none, or it does not look like an id. */
  readonly key?: string
  readonly keyBytes: number
  readonly valueBytes: number
  /** `begun`: a redrive that did not end may have sent it. */
  readonly state: 'waiting' | 'begun' | 'sent'
  /** The dead letter that was sent back and became this one. */
  readonly redriven?: Position
}

/** `preview`: sizes. `typed`: the value's fields, personal ones masked. `raw`: everything. */
export type DeadLetterShow = 'preview' | 'typed' | 'raw'

export interface DeadLetterView extends DeadLetterSummary {
  /** In a connector's words why its target, or its profile, does not take it; absent for any other failure. */
  readonly reason?: string
  readonly headers: readonly { readonly name: string; readonly bytes: number; readonly hex?: string }[]
  /** Typed: absent where the topic's schema does not read it. */
  readonly value?: unknown
  /** Raw only, the first bytes of long ones. */
  readonly keyHex?: string
  readonly valueHex?: string
  readonly message?: string
  readonly stacktrace?: string
}

export interface DeadLetterCauses {
  readonly causes: readonly DeadLetterCause[]
  /** False: there are more than were looked at. */
  readonly complete: boolean
}

export interface DeadLetterCause {
  readonly topic: string
  readonly error: string
  readonly count: number
  /** Times of the records, epoch milliseconds. */
  readonly earliest: number
  readonly latest: number
}

export interface RedriveRequest {
  /** With a topic. */
  readonly filter: DeadLetterFilter & { readonly topic: string }
  /** Counts, and sends nothing. */
  readonly dryRun: boolean
  /** Earlier dead letters of a key that the filter leaves out hold back no later ones. */
  readonly ignoreEarlier: boolean
  /** `ends` of an earlier call: dead letters that came since, by that call for example, are not meant. */
  readonly ends?: readonly number[] | undefined
}

export interface RedriveReport {
  /** Dead letters that the filter means and that were not sent before. */
  readonly matched: number
  /** Those that were sent before, by an earlier call. */
  readonly already: number
  /** Appended to their topics by this call. */
  readonly sent: number
  /** Of what was sent: processed. */
  readonly done: number
  /** Of what was sent: dead letters again. */
  readonly again: number
  /** Of what was sent: not processed yet. */
  readonly waiting: number
  /** Not sent, because an earlier one of the key is not done. */
  readonly held: number
  /** Not sent, because nothing says where to, or nothing of the record is left. */
  readonly unroutable: number
  /** Not sent yet: call again. In a dry run: what would be sent. */
  readonly left: number
  /** Nothing is waiting or left. */
  readonly complete: boolean
  /** Where the dead letters of each partition ended when the call began, or as it was told. */
  readonly ends: readonly number[]
}

export interface PausedTask {
  readonly task: string
  /** Whose dead letters flood. */
  readonly topic: string
  /** The last records of the topic, and how many of them became dead letters. */
  readonly records: number
  readonly deadLetters: number
}
