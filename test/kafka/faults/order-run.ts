/**
 * A shop that takes orders on a cluster, and its customers, outside of the processes that are killed. In the end, once
 * nothing of any order is open, plain books over what Kafka's own consumer reads are held against the changelogs.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { inject, onTestFinished } from 'vitest'
import { topics } from '../../../schemas/index.ts'
import { changelogTopic, isStreamsError } from '../../../streams/index.ts'
import { type KafkaLog, openKafkaLog } from '../../../transports/kafka/index.ts'
import { appendRecord, type PlainRecord } from '../../support/engine-shop.ts'
import { eventually } from '../../support/kafka/eventually.ts'
import { readCommitted } from '../../support/kafka/oracle.ts'
import { freshName } from '../../support/kafka/topics.ts'
import { type RawFact, type ShopLog, shopLogOf, type ShopRows } from '../../support/orders/facts.ts'
import { countStates, isSettled, JUDGED, judgeShop } from '../../support/orders/judge.ts'
import { OrderLoad } from '../../support/orders/load.ts'
import { RATE_BP, shopRowsOf } from '../../support/orders/shop.ts'
import { seededRandom } from '../../support/random.ts'
import { scratchDirectory } from '../../support/scratch.ts'
import '../../support/kafka/fixture.ts'
import { Engine, type EngineOptions } from './engine.ts'
import { clearTopics, PARTITIONS, theOrderShop, topicsOf } from './shop-topics.ts'

const SPAN_MS = 8_000
const PAY_WITHIN_MS = 15_000
const PAUSE_MS = 60
const SETTLE_LIMIT_MS = 240_000

export interface OrderRunOptions {
  readonly name: string
  readonly seed: number
  readonly orders: number
}

export class OrderRun {
  readonly #application: string
  readonly #bootstrap: string
  readonly #directory: string
  readonly #log: KafkaLog
  readonly #load: OrderLoad
  readonly #watchers = new Set<() => void>()
  #accepted = 0
  #made = 0
  #sending: Promise<void> | undefined

  private constructor(application: string, directory: string, log: KafkaLog, load: OrderLoad) {
    this.#application = application
    this.#bootstrap = inject('kafka').bootstrap
    this.#directory = directory
    this.#log = log
    this.#load = load
  }

  static async open({ name, seed, orders }: OrderRunOptions): Promise<OrderRun> {
    const { bootstrap } = inject('kafka')
    const connection = { brokers: bootstrap.split(','), clientId: 'load' }
    const log = await openKafkaLog({ application: 'load', connection, slot: 'load', version: '0' })
    const application = freshName(name)
    await clearTopics(bootstrap, application)
    await log.ensureTopics(topicsOf(application, ['orders']))
    const load = new OrderLoad({ orders, spanMs: SPAN_MS, payWithinMs: PAY_WITHIN_MS }, seededRandom(seed))
    const run = new OrderRun(application, await scratchDirectory(name), log, load)
    onTestFinished(() => log.close())
    // A broker that has just made so many topics may not lead them yet.
    const first = load.first(Date.now())
    while (!(await run.#taken(first))) await delay(PAUSE_MS)
    return run
  }

  /** Starts a process in this slot, which keeps its directory over its lives. */
  start(slot: string, more: Partial<EngineOptions> = {}): Engine {
    return new Engine({
      brokers: this.#bootstrap.split(','),
      application: this.#application,
      slot,
      directory: `${this.#directory}/${slot}`,
      pipelines: ['orders'],
      ...more,
      log: { sessionTimeoutMs: 3_000, ...more.log },
    })
  }

  /** Customers come until there are no more of them. */
  startLoad(): void {
    this.#sending ??= this.#send()
    this.#sending.catch(() => undefined)
  }

  /** Resolves after so many further calls were accepted, or when nothing is left to send. */
  acceptedMore(count: number): Promise<void> {
    const target = this.#accepted + count
    const reached = new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.#accepted < target) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
    })
    return Promise.race([reached, this.#sending ?? Promise.resolve()])
  }

  /**
   * Some engine must run every task. Fails the test unless the books add up once nothing of any order is open; answers a
   * summary. Log and changelogs are not read at one moment, and returns, points and late answers still come after the
   * last order has ended: they are read again until they agree. What was done wrong stays in them for ever.
   */
  async finish(): Promise<string> {
    await this.#sending
    let ended: string[] = []
    let complaints: readonly string[] = []
    await eventually(
      async () => {
        const log = await this.#readLog()
        ended = [...countStates(log)].map(([state, count]) => `${state} ${count}`)
        complaints = isSettled(log)
          ? judgeShop(log, await this.#readRows(), { rateBp: RATE_BP, graceMs: 0 })
          : ['orders are open']
        return complaints.length === 0
      },
      { timeoutMs: SETTLE_LIMIT_MS, describe: () => [...complaints, ...ended].join('; ') },
    )
    return `${this.#accepted} calls accepted, ${ended.join(', ')}`
  }

  async #send(): Promise<void> {
    for (;;) {
      const records = this.#load.next(Date.now())
      if (records === undefined) return
      while (!(await this.#taken(records))) await delay(PAUSE_MS)
      await delay(PAUSE_MS)
    }
  }

  async #taken(records: readonly PlainRecord[]): Promise<boolean> {
    try {
      if (records.length > 0) await this.#append(records)
    } catch (error) {
      // Whether it was taken or not, its ids tell.
      if (isStreamsError(error, 'LOG_BUSY') || isStreamsError(error, 'APPEND_UNKNOWN')) return false
      throw error
    }
    if (records.length > 0) this.#accepted++
    for (const look of this.#watchers) look()
    return true
  }

  async #append(records: readonly PlainRecord[]): Promise<void> {
    const now = Date.now()
    await this.#log.append(records.map((record) => appendRecord(record, now, this.#made++)))
  }

  async #readLog(): Promise<ShopLog> {
    const known = new Map<string, readonly RawFact[]>()
    for (const { name } of JUDGED.map((judged) => topics[judged]))
      known.set(name, await readCommitted(this.#bootstrap, name))
    return shopLogOf((topic) => known.get(topic) ?? [])
  }

  /** As the changelogs have them. */
  async #readRows(): Promise<ShopRows> {
    const { places } = theOrderShop
    const all = new Map<object, readonly (readonly [unknown, unknown])[]>()
    for (const place of Object.values(places)) {
      const { topology, store } = place
      const subTopology = topology.subTopologies.findIndex(({ stores }) => {
        return stores.some(({ name }) => name === store.name)
      })
      const rows = new Map<string, Buffer>()
      const task = { topology: topology.name, subTopology, partition: PARTITIONS - 1 }
      const changes = await readCommitted(
        this.#bootstrap,
        changelogTopic(this.#application, task, store.name),
      )
      for (const { key, value } of changes) {
        if (key === null) continue
        if (value === null) rows.delete(key.toString('latin1'))
        else rows.set(key.toString('latin1'), value)
      }
      all.set(
        place,
        [...rows].map(([key, value]) => [store.key.decode(key), store.value.deserialize(value)]),
      )
    }
    return shopRowsOf(places, (place) => all.get(place) ?? [])
  }
}
