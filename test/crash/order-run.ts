/** One data directory of a shop that takes orders, through many lives of its engine; and the verdict on what is left. */
import { setTimeout as delay } from 'node:timers/promises'
import { topics } from '../../schemas/index.ts'
import { APPLICATION, type PlainRecord } from '../support/engine-shop.ts'
import { Engine } from '../support/engine.ts'
import { type RawFact, type ShopLog, shopLogOf, type ShopRows } from '../support/orders/facts.ts'
import { countStates, isSettled, JUDGED, judgeShop } from '../support/orders/judge.ts'
import { OrderLoad } from '../support/orders/load.ts'
import { orderShop, RATE_BP, type ShopOptions, shopRowsOf } from '../support/orders/shop.ts'
import { judgeToldPoints } from '../support/orders/told-points.ts'
import type { Random } from '../support/random.ts'
import { judgeJournals } from './engine-judge.ts'
import { Harness, Refused } from './harness.ts'
import { type KillPlan, KillSwitch } from './kill-switch.ts'

/** Most that is sent after its order is sent within these milliseconds. */
const SPAN_MS = 6_000
const PAY_WITHIN_MS = 20_000
const SENDERS = 3
const IDLE_MS = 20
/** What all that is open may take to come to its end. */
const SETTLE_LIMIT_MS = 300_000
const LOOK_EVERY_MS = 500

export interface OrderVerdict {
  readonly complaints: readonly string[]
  /** How many orders ended in which state. */
  readonly states: ReadonlyMap<string, number>
  readonly records: number
}

export class OrderRun {
  readonly #directory: string
  readonly #shop: ShopOptions
  readonly #load: OrderLoad
  readonly #kinds = new Map<string, number>()
  /** Sent, and never acknowledged. */
  readonly #open: PlainRecord[][] = []
  #acknowledged = 0

  constructor(directory: string, seed: number, orders: number, random: Random) {
    this.#directory = directory
    this.#shop = { seed, patienceMs: 1_500, maxDelayMs: 700, tellEntries: true }
    this.#load = new OrderLoad({ orders, spanMs: SPAN_MS, payWithinMs: PAY_WITHIN_MS }, random)
  }

  get summary(): string {
    const kinds = [...this.#kinds].map(([kind, count]) => `${kind} ${count}`)
    return `${kinds.join(', ')}; ${this.#acknowledged} calls acknowledged`
  }

  /** Goods, points and coupons are there before anybody orders. */
  async open(): Promise<void> {
    const harness = await Harness.ready(this.#options)
    await harness.append(this.#load.first(Date.now()))
    await harness.kill()
  }

  async untilKilled(plan: KillPlan): Promise<void> {
    this.#kinds.set(plan.trigger, (this.#kinds.get(plan.trigger) ?? 0) + 1)
    const harness = new Harness(this.#options)
    const kill = new KillSwitch(plan, () => harness.child.signal('SIGKILL'))
    for (const stage of ['opening', 'opened'] as const) {
      await harness.stage(stage)
      kill.saw(stage)
      if (kill.thrown) break
    }
    if (!kill.thrown) {
      await harness.ready()
      await Promise.all(Array.from({ length: SENDERS }, () => this.#send(harness, kill)))
    }
    await harness.kill()
  }

  /** Sends the rest, lets everything come to its end in this process, and judges the log and the rows. */
  async finish(): Promise<OrderVerdict> {
    const last = await Harness.ready(this.#options)
    const end = KillSwitch.told()
    while (await this.#sendNext(last, end));
    await last.kill()
    const shop = orderShop(this.#shop)
    const { topologies } = shop
    const engine = await Engine.open(this.#directory, { application: APPLICATION, topologies })
    try {
      return await judged(engine, shop)
    } finally {
      await engine.close()
    }
  }

  get #options() {
    return {
      log: { directory: this.#directory, writeBufferBytes: 65_536 },
      orders: this.#shop,
    }
  }

  async #send(harness: Harness, kill: KillSwitch): Promise<void> {
    while (!kill.thrown && (await this.#sendNext(harness, kill)));
    // Nothing is left to send: the process is killed while it works on what there is.
    kill.saw('sent')
    kill.saw('acknowledged')
  }

  /** False: there is nothing any more. */
  async #sendNext(harness: Harness, kill: KillSwitch): Promise<boolean> {
    const records = this.#open.shift() ?? this.#load.next(Date.now())
    if (records === undefined) return false
    if (records.length === 0) {
      await delay(IDLE_MS)
      return true
    }
    try {
      const sending = harness.append(records)
      kill.saw('sent')
      await sending
      this.#acknowledged++
      kill.saw('acknowledged')
    } catch (error) {
      this.#open.push([...records])
      if (!kill.thrown && !(error instanceof Refused)) throw error
    }
    return true
  }
}

/**
 * Once nothing of any order is open any more. What is judged is of one moment: answers that a sandbox gives late, and
 * returns, still come while log, rows and journals are read; then they are read again.
 */
async function judged(engine: Engine, shop: ReturnType<typeof orderShop>): Promise<OrderVerdict> {
  const until = Date.now() + SETTLE_LIMIT_MS
  for (;;) {
    const moment = await momentOf(engine)
    await engine.drain()
    const log = await logOf(engine)
    const rows = await rowsOf(engine, shop)
    const complaints = [
      ...judgeShop(log, rows, { rateBp: RATE_BP, graceMs: 0 }),
      ...judgeToldPoints(log, rows.accounts),
      ...(await judgeJournals(engine, retained(engine))),
    ]
    const isOneMoment = (await momentOf(engine)) === moment
    if ((isSettled(log) && isOneMoment) || Date.now() > until)
      return { complaints, states: countStates(log), records: recordsIn(engine) }
    await delay(LOOK_EVERY_MS)
  }
}

/** Another one once anything was appended or committed. */
async function momentOf(engine: Engine): Promise<string> {
  const checkpoints = await Promise.all(engine.tasks.map((task) => engine.log.committed(task)))
  return [recordsIn(engine), ...checkpoints.map((checkpoint) => checkpoint?.sequence ?? 0)].join(' ')
}

function recordsIn({ log }: Engine): number {
  return log.stats().partitions.reduce((sum, { start, end }) => sum + end - start, 0)
}

/** Tasks whose inputs are all there still: what is compacted cannot be decided again. */
function retained({ tasks, streams }: Engine): Engine['tasks'] {
  return tasks.filter(({ topology, subTopology }) => {
    const sources = streams.runner(topology).topology.subTopologies[subTopology]?.sources ?? []
    return sources.every(({ topic }) => topic.cleanup === 'delete')
  })
}

async function logOf(engine: Engine): Promise<ShopLog> {
  const known = new Map<string, RawFact[]>()
  for (const { name } of [...JUDGED, 'pointEntry' as const].map((judged) => topics[judged])) {
    const facts: RawFact[] = []
    for (let partition = 0; partition < engine.log.partitions(name); partition++)
      facts.push(...(await engine.raw(name, partition)))
    known.set(name, facts)
  }
  return shopLogOf((topic) => known.get(topic) ?? [])
}

async function rowsOf(engine: Engine, { places }: ReturnType<typeof orderShop>): Promise<ShopRows> {
  const all = new Map<object, readonly (readonly [unknown, unknown])[]>()
  for (const place of Object.values(places)) {
    const queries = engine.streams.queries(place.topology.name, place.store as never)
    all.set(place, await queries.pageAll({ limit: 100_000 }))
  }
  return shopRowsOf(places, (place) => all.get(place) ?? [])
}
