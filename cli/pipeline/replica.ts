/**
 * What this process knows of the campaigns, boards, titles and data keys that belong to tasks of others: the topics on
 * which their owners say what became of them, read along. For when an owner cannot be asked, and for titles, which are
 * small.
 *
 * It is behind its owners; see `CopyPort`.
 */
import type { BoardQuery, CampaignView, CopyPort } from '../../api/index.ts'
import { calendarOf, snapshotKey } from '../../processors/index.ts'
import {
  type Campaign,
  DeserializationError,
  type PrivacyKey,
  type ProductCatalog,
  type QuotaState,
  type RankingSnapshot,
  shardKey,
  type Topic,
  type Topics,
} from '../../schemas/index.ts'
import type { Answer, Clock, Log } from '../../streams/index.ts'
import { TopicView, type Viewed } from './topic-view.ts'

const MEBIBYTE = 1024 * 1024
/** Of each topic; what was written longest ago goes first. A board of 1,000 entries has about 30 KB. */
const MAX_CAMPAIGN_BYTES = 32 * MEBIBYTE
const MAX_QUOTA_BYTES = 16 * MEBIBYTE
const MAX_BOARD_BYTES = 64 * MEBIBYTE
const MAX_PRODUCT_BYTES = 32 * MEBIBYTE
/** Campaigns have no more shards yet. */
const SHARD = 0

export interface ReplicaOptions {
  readonly log: Pick<Log, 'partitions' | 'bounds' | 'openReader'>
  /** With the serdes of this deployment. */
  readonly topics: Topics
  /** IANA zone of the boards; those of another are not answered. */
  readonly timeZone: string
  /** Bytes of data keys that are read along, for what this process seals and opens; nothing: it does neither. */
  readonly keyBytes: number | undefined
  readonly clock: Pick<Clock, 'after' | 'yield'>
  /** A topic cannot be read just now; it is tried again. */
  readonly onFault: (topic: string, fault: unknown) => void
}

export class Replica implements CopyPort {
  readonly #calendar: ReturnType<typeof calendarOf>
  readonly #campaigns: TopicView<Campaign>
  readonly #quotas: TopicView<QuotaState>
  readonly #boards: TopicView<RankingSnapshot>
  readonly #products: TopicView<ProductCatalog>
  readonly #keys: TopicView<PrivacyKey> | undefined

  /** Begins to read; answers nothing until it has read what there is. The topics exist, or will. */
  constructor({ log, topics, timeZone, keyBytes, clock, onFault }: ReplicaOptions) {
    this.#calendar = calendarOf(timeZone)
    const view = <V>({ name, value }: Topic<V>, maxBytes: number): TopicView<V> => {
      return new TopicView({ log, topic: name, value, clock, maxBytes, onFault })
    }
    this.#campaigns = view(topics.couponCampaign, MAX_CAMPAIGN_BYTES)
    this.#quotas = view(topics.couponQuota, MAX_QUOTA_BYTES)
    this.#boards = view(topics.rankingSnapshot, MAX_BOARD_BYTES)
    this.#products = view(topics.productCatalog, MAX_PRODUCT_BYTES)
    this.#keys = keyBytes === undefined ? undefined : view(topics.privacyKey, keyBytes)
  }

  get ready(): boolean {
    return this.#views.every((view) => view.ready)
  }

  campaign(couponId: string): Answer<CampaignView> | undefined {
    const campaign = known(this.#campaigns, couponId)
    // Every edit is reported on both topics; before both are here, nothing is known.
    const quota = known(this.#quotas, shardKey(couponId, SHARD))
    if (campaign === undefined || quota === undefined) return undefined
    const { issued, exhaustedAt } = quota.value
    return {
      value: { campaign: campaign.value, issued, soldOutAt: exhaustedAt },
      positions: [campaign.position, quota.position],
    }
  }

  board({ window, metric, category, at }: BoardQuery): Answer<RankingSnapshot> | undefined {
    const { start } = this.#calendar.at(at)[window]
    const found = known(this.#boards, snapshotKey({ window, metric, category }, start))
    if (found === undefined || found.value.timeZone !== this.#calendar.timeZone) return undefined
    return { value: found.value, positions: [found.position] }
  }

  product(productId: string): ProductCatalog | undefined {
    return known(this.#products, productId)?.value
  }

  /** The newest key of the user, wrapped. */
  privacyKey(userId: string): PrivacyKey | undefined {
    return this.#keys === undefined ? undefined : known(this.#keys, userId)?.value
  }

  /** Whether a user whose key is not among these has none. */
  get knowsAllKeys(): boolean {
    return this.#keys?.complete === true
  }

  /** Idempotent. */
  close(): void {
    for (const view of this.#views) view.close()
  }

  get #views(): readonly TopicView<unknown>[] {
    const keys = this.#keys === undefined ? [] : [this.#keys]
    return [this.#campaigns, this.#quotas, this.#boards, this.#products, ...keys]
  }
}

/** What cannot be decoded, or not yet, is not known. */
function known<V>(view: TopicView<V>, key: string): Viewed<V> | undefined {
  try {
    return view.get(key)
  } catch (error) {
    if (error instanceof DeserializationError) return undefined
    throw error
  }
}
