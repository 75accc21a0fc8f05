/**
 * Campaigns on a cluster, and people who ask for their coupons the whole time, from outside of the processes that are
 * killed. It remembers what was accepted; in the end it waits until everything is decided, and has it judged. A consumer
 * of Java reads the decisions along.
 */
import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { inject, onTestFinished } from 'vitest'
import { isStreamsError } from '../../../streams/index.ts'
import { type KafkaLog, openKafkaLog } from '../../../transports/kafka/index.ts'
import { type Ask, campaignRecord, CouponLoad, requestRecord } from '../../crash/coupon-load.ts'
import type { PlainCampaign } from '../../crash/coupon-oracle.ts'
import { appendRecord, type PlainRecord } from '../../support/engine-shop.ts'
import { eventually } from '../../support/kafka/eventually.ts'
import { readCommitted } from '../../support/kafka/oracle.ts'
import { freshName } from '../../support/kafka/topics.ts'
import { seededRandom } from '../../support/random.ts'
import { scratchDirectory } from '../../support/scratch.ts'
import '../../support/kafka/fixture.ts'
import { couponIssuance, WALLET, wallet } from '../../../topologies/index.ts'
import { type Accepted, type Evidence, judgeCoupons, type Judged, type JudgeOptions } from './coupon-judge.ts'
import { Engine, type EngineOptions } from './engine.ts'
import { Orders } from './orders.ts'
import { ReadAlong } from './read-along.ts'
import type { Release } from './releases.ts'
import { clearTopics, committedOffsets, topicsOf } from './shop-topics.ts'

/** Between two appends: the load is to last long, not to be much. */
const PAUSE_MS = 10
const MOST_ASKS = 6
/** What everything that is still open may take to be decided. */
const DRAIN_LIMIT_MS = 60_000

export interface CouponRunOptions {
  readonly name: string
  readonly seed: number
  /** Different users that ask. */
  readonly users: number
  /** Else the run's broker. */
  readonly bootstrap?: string
  /** Where the engine connects to; else to `bootstrap`. */
  readonly engineBootstrap?: string
  readonly engine?: Partial<EngineOptions>
  /** Whose schemas clients write with, in turn, and the judge reads with; else those of this program. */
  readonly releases?: { readonly clients: readonly Release[]; readonly judge: Release }
  /** Else three. */
  readonly campaigns?: readonly PlainCampaign[]
  /** Of what others ask; see the judge. */
  readonly meaning?: Evidence['meaning']
}

interface Opened {
  readonly application: string
  readonly bootstrap: string
  readonly directory: string
  readonly log: KafkaLog
  readonly along: ReadAlong
}

export class CouponRun {
  readonly application: string
  readonly bootstrap: string
  readonly accepted: Accepted[] = []
  readonly #options: CouponRunOptions
  readonly #directory: string
  readonly #log: KafkaLog
  readonly #along: ReadAlong
  readonly #campaigns: readonly PlainCampaign[]
  readonly #load: CouponLoad
  /** Where the ranking runs as well. */
  readonly #orders: Orders | undefined
  readonly #watchers = new Set<() => void>()
  #made = 0
  #sending: Promise<void> | undefined
  #ends = false

  private constructor(options: CouponRunOptions, { application, bootstrap, directory, log, along }: Opened) {
    const { users, seed } = options
    this.#options = options
    this.bootstrap = bootstrap
    this.application = application
    this.#directory = directory
    this.#log = log
    this.#along = along
    this.#campaigns = options.campaigns ?? [
      { couponId: 'hot', quota: Math.ceil(users * 0.4), perUserLimit: 1 },
      { couponId: 'pairs', quota: users, perUserLimit: 2 },
      { couponId: 'plenty', quota: 1_000_000, perUserLimit: 1 },
    ]
    this.#load = new CouponLoad({ campaigns: this.#campaigns, users }, seededRandom(seed))
    const hasOrders = options.engine?.pipelines?.includes('ranking')
    this.#orders = hasOrders === true ? new Orders(seed, (records) => this.#append(records)) : undefined
  }

  static async open(options: CouponRunOptions): Promise<CouponRun> {
    const bootstrap = options.bootstrap ?? inject('kafka').bootstrap
    const log = await openKafkaLog({
      application: 'load',
      connection: { brokers: bootstrap.split(','), clientId: 'load' },
      slot: 'load',
      version: '0',
    })
    const application = freshName(options.name)
    await clearTopics(bootstrap, application)
    await log.ensureTopics(topicsOf(application))
    const along = await ReadAlong.start(bootstrap)
    const directory = await scratchDirectory(options.name)
    const run = new CouponRun(options, { application, bootstrap, directory, log, along })
    onTestFinished(async () => {
      await along.close()
      await run.stopLoad()
      await log.close()
    })
    return run
  }

  // --- engines

  /** Starts a process in this slot, which keeps its directory over its lives. */
  start(slot: string, more: Partial<EngineOptions> = {}): Engine {
    const { engine, engineBootstrap } = this.#options
    return new Engine({
      brokers: (engineBootstrap ?? this.bootstrap).split(','),
      application: this.application,
      slot,
      directory: this.directoryOf(slot),
      pipelines: ['coupons'],
      ...engine,
      ...more,
      log: { sessionTimeoutMs: 3_000, ...engine?.log, ...more.log },
    })
  }

  /** Where the tasks' databases of a slot are. */
  directoryOf(slot: string): string {
    return `${this.#directory}/${slot}`
  }

  // --- load

  /** Campaigns stand before anybody asks: some engine must run. */
  async openCampaigns(): Promise<void> {
    await this.reached(couponIssuance.name, 'coupon.campaign.requested', await this.askForCampaigns())
  }

  /** Answers the last offset of each partition. */
  async askForCampaigns(): Promise<ReadonlyMap<number, number>> {
    const commands = this.#campaigns.map((campaign) => campaignRecord(campaign, Date.now()))
    const places = await this.#append(commands)
    return new Map(places.map(({ partition, offset }) => [partition, offset]))
  }

  /** Asks until `stopLoad`. */
  startLoad(): void {
    this.#ends = false
    this.#sending ??= this.#send().finally(() => (this.#sending = undefined))
    this.#sending.catch(() => undefined)
  }

  /** Rejects with what ended the load before. */
  async stopLoad(): Promise<void> {
    this.#ends = true
    await this.#sending
  }

  /** Resolves after so many further requests were accepted. */
  acceptedMore(count: number): Promise<void> {
    const target = this.accepted.length + count
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.accepted.length < target) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  async #send(): Promise<void> {
    while (!this.#ends) {
      await this.#ask()
      await this.#orders?.send().catch(unlessLater)
      await delay(PAUSE_MS)
    }
    while (this.#load.unanswered > 0) await this.#ask()
  }

  async #ask(): Promise<void> {
    const asks = Array.from({ length: 1 + (this.#made % MOST_ASKS) }, () => this.#load.next())
    try {
      const places = await this.#append(asks.map(requestRecord))
      for (const [i, { partition, offset }] of places.entries())
        this.accepted.push({ ask: asks[i] as Ask, partition, offset })
      this.#load.answered(asks)
    } catch (error) {
      this.#load.lost(asks)
      unlessLater(error)
    }
    for (const look of this.#watchers) look()
  }

  #append(records: readonly PlainRecord[]) {
    const now = Date.now()
    return this.#log.append(
      records.map((record) => {
        const ordinal = this.#made++
        const { clients = [] } = this.#options.releases ?? {}
        return appendRecord(record, now, ordinal, clients[ordinal % clients.length]?.topicNamed)
      }),
    )
  }

  // --- the end

  /** Resolves when the topology has committed these offsets, by partition. */
  async reached(topology: string, topic: string, last: ReadonlyMap<number, number>): Promise<void> {
    const group = `${this.application}.${topology}`
    let behind = ''
    await eventually(
      async () => {
        const committed = await committedOffsets(this.bootstrap, group, topic)
        const waiting = [...last].filter(([partition, offset]) => (committed.get(partition) ?? 0) <= offset)
        behind = waiting
          .map(([partition, offset]) => `${partition}: ${committed.get(partition)} of ${offset + 1}`)
          .join(', ')
        return waiting.length === 0
      },
      { timeoutMs: DRAIN_LIMIT_MS, describe: () => `${group} has committed ${topic}; behind are ${behind}` },
    )
  }

  /** Ends the load and waits until every verdict is in a wallet. Some engine must run every task. */
  async drain(): Promise<void> {
    await this.stopLoad()
    const last = new Map<number, number>()
    for (const { partition, offset } of this.accepted)
      last.set(partition, Math.max(offset, last.get(partition) ?? 0))
    await this.reached(couponIssuance.name, 'coupon.issue.requested', last)
    const moved = wallet().internalTopics.map(({ name }) => name)
    for (const topic of ['coupon.issued', ...moved])
      await this.reached(WALLET, topic, await this.#lastOf(topic))
  }

  async #lastOf(topic: string): Promise<Map<number, number>> {
    const records = await readCommitted(this.bootstrap, topic)
    return new Map(records.map(({ partition, offset }) => [partition, offset]))
  }

  async judge(options?: JudgeOptions): Promise<Judged> {
    const { bootstrap, application, accepted } = this
    const campaigns = this.#campaigns
    const { meaning, releases } = this.#options
    const topics = releases?.judge.topicNamed
    const evidence = { bootstrap, application, accepted, campaigns, topics, meaning }
    const judged = await judgeCoupons(evidence, options)
    return { ...judged, complaints: [...judged.complaints, ...(await this.#along.judge())] }
  }

  /** Drains, and fails the test unless everything is as the oracle says. Answers a summary. */
  async finish(): Promise<string> {
    await this.drain()
    const { complaints, outcomes } = await this.judge()
    assert.deepEqual(complaints, [])
    const boards = await this.#finishOrders()
    const counts = [...outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(', ')
    return `${this.accepted.length} accepted, ${counts}${boards}`
  }

  async #finishOrders(): Promise<string> {
    if (this.#orders === undefined) return ''
    await this.#orders.sendTheRest()
    return `; ${await this.#orders.judge(this.bootstrap)}`
  }
}

/** Throws what is no reason to send the same again: whether it was taken or not, its ids tell. */
function unlessLater(error: unknown): void {
  if (!isStreamsError(error, 'LOG_BUSY') && !isStreamsError(error, 'APPEND_UNKNOWN')) throw error
}
