/** I24 over random histories, on the embedded log and on the test driver's. */
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { memoryBackend } from '../../state/index.ts'
import {
  type BatchJournal,
  type InputRun,
  type Log,
  redecide,
  type TaskId,
  type Topic,
  type Topology,
} from '../../streams/index.ts'
import { ManualClock, MemoryStateDirectory, TopologyTestDriver } from '../../testing/index.ts'
import { bestSellers, couponIssuance, orders } from '../../topologies/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { MemoryLog } from '../../transports/simulated/index.ts'
import { decidedAgain, rowsOf } from '../support/decided-again.ts'
import { topicNamed } from '../support/engine-shop.ts'
import { OrderLoad } from '../support/orders/load.ts'
import { orderShop } from '../support/orders/shop.ts'
import { seededRandom } from '../support/random.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { StepEngine } from '../support/step-engine.ts'
import { requested } from '../unit/coupons/given.ts'
import { histories as couponHistories, START } from './coupon-history.ts'
import { RULES, START as ORDERS_START, TOPIC_OF } from './order-hosts.ts'
import { messages as orderMessages } from './order-messages.ts'
import { HISTORY_END, histories as rankingHistories } from './ranking-history.ts'

const KIBIBYTE = 1024
const PARTITIONS = 2

interface Fact {
  readonly topic: Topic<string, never>
  readonly key: string
  readonly value: unknown
  readonly at: number
}

/** What the log sees, and what disturbs the engine meanwhile. */
type Step = Fact | 'step' | 'settle' | 'restart' | 'crash' | 'housekeep' | { readonly waitMs: number }

interface History {
  readonly topologies: readonly Topology[]
  readonly now: number
  readonly steps: readonly Step[]
}

type JournalLog = Log & { journal(task: TaskId): Iterable<BatchJournal> | AsyncIterable<BatchJournal> }

function fact(topic: { readonly name: string }, key: string, value: unknown, at: number): Fact {
  return {
    topic: topic as Topic<string, never>,
    key,
    value,
    at,
    // A counterexample shows what happened, not how topics are coded.
    [fc.toStringMethod]: () => `${topic.name} ${JSON.stringify(value)}`,
  } as Fact
}

function history(topologies: readonly Topology[], now: number, steps: readonly Step[]): History {
  const names = topologies.map(({ name }) => name).join(', ')
  const shown = { [fc.toStringMethod]: () => `${names}: ${fc.stringify(steps)}` }
  return { topologies, now, steps, ...shown } as History
}

const disturbance: fc.Arbitrary<readonly Step[]> = fc.oneof(
  { weight: 10, arbitrary: fc.constant<Step[]>([]) },
  { weight: 4, arbitrary: fc.constant<Step[]>(['settle']) },
  { weight: 2, arbitrary: fc.constant<Step[]>(['step']) },
  { weight: 1, arbitrary: fc.constant<Step[]>(['step', 'crash']) },
  { weight: 1, arbitrary: fc.constant<Step[]>(['restart']) },
  { weight: 1, arbitrary: fc.constant<Step[]>(['housekeep']) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 3_000 }).map((waitMs): Step[] => [{ waitMs }]) },
)

const disturbances = fc.array(disturbance, { minLength: 10, maxLength: 40 })

/** What happens in turn with what disturbs it. */
function woven(facts: readonly Step[], between: readonly (readonly Step[])[]): Step[] {
  return facts.flatMap((fact, i) => [fact, ...(between[i % between.length] ?? [])])
}

const coupons: fc.Arbitrary<History> = fc.tuple(couponHistories, disturbances).map(([asked, between]) => {
  const facts = asked.flatMap((step): Step[] => {
    if (step.kind === 'wait') return [{ waitMs: step.ms }]
    if (step.kind !== 'command' && step.kind !== 'request') return []
    const topic = step.kind === 'command' ? topics.couponCampaignRequested : topics.couponIssueRequested
    return [fact(topic, step.value.couponId, step.value, START)]
  })
  // Wallets read a compacted topic, whose inputs do not stay: `wallet.test.ts` decides them again.
  return history([couponIssuance], START, woven(facts, between))
})

const rankingTopics = {
  sale: topics.orderConfirmed,
  return: topics.orderReturned,
  cancel: topics.orderCancelled,
}

const ranking: fc.Arbitrary<History> = fc
  .tuple(
    rankingHistories,
    disturbances,
    fc.constantFrom<'streamTime' | 'wallClock'>('streamTime', 'wallClock'),
  )
  .map(([{ timeZone, facts }, between, closing]) => {
    const steps = facts.map(({ kind, order }): Step => {
      const at = 'at' in order ? order.at : order.confirmedAt
      return fact(rankingTopics[kind], order.orderId, order, at)
    })
    return {
      topologies: [bestSellers({ timeZone, closing })],
      now: HISTORY_END,
      steps: woven(steps, between),
    }
  })

const ordered: fc.Arbitrary<History> = fc.tuple(orderMessages, disturbances).map(([all, between]) => {
  const facts = all.map(({ kind, value }): Step => {
    return fact(topics[TOPIC_OF[kind]], value.orderId, value, ORDERS_START)
  })
  // Waits between messages, so that timers fire among them.
  return history([orders(RULES)], ORDERS_START, woven(facts, [...between, [{ waitMs: 20_000 }]]))
})

/** All topologies of orders, and what customers send them. */
const wholeShop: fc.Arbitrary<History> = fc.tuple(fc.nat(1_000_000), disturbances).map(([seed, between]) => {
  const load = new OrderLoad({ orders: 5, spanMs: 10_000, payWithinMs: 20_000 }, seededRandom(seed))
  const records = load.first(ORDERS_START)
  for (let now = ORDERS_START; ; now += 2_000) {
    const more = load.next(now)
    if (more === undefined) break
    records.push(...more)
  }
  const facts = records.map(({ topic, key, value }) => fact(topicNamed(topic), key, value, ORDERS_START))
  // A compacted input is not retained for ever: housekeeping ends what can be decided again.
  const calm = between.filter((steps) => !steps.includes('housekeep'))
  const waits: Step[] = [{ waitMs: 3_000 }]
  return history(orderShop({ seed }).topologies, ORDERS_START, woven(facts, [...calm, waits]))
})

/** `runs`: for each hundred of the others. */
const kinds: [string, fc.Arbitrary<History>, runs: number][] = [
  ['coupons', coupons, 100],
  ['best-sellers', ranking, 100],
  ['orders', ordered, 100],
  ['a whole shop', wholeShop, 8],
]

/** Plays the history to its end; `housekeep` where the log does that. */
async function play<L extends Log>(
  engine: StepEngine<L>,
  { steps }: History,
  housekeep: (log: L) => Promise<unknown>,
): Promise<void> {
  for (const step of steps) {
    if (step === 'step') await engine.step()
    else if (step === 'settle') await engine.settle()
    else if (step === 'restart') await engine.restart()
    else if (step === 'crash') await engine.crash()
    else if (step === 'housekeep') await housekeep(engine.log)
    else if ('waitMs' in step) await engine.advance(step.waitMs)
    else await engine.append(step.topic, step.key, step.value as never, step.at)
  }
  await engine.settle()
  await engine.advance(5_000)
}

/** Every task's outputs and rows come out of its inputs again. */
async function expectSameAgain<L extends JournalLog>(
  engine: StepEngine<L>,
  topologies: readonly Topology[],
): Promise<number> {
  const { log } = engine
  let records = 0
  for (const task of engine.tasks) {
    const topology = topologies.find(({ name }) => name === task.topology) as Topology
    const live = engine.backend(task) ?? (await log.taskState(task))
    const options = { topology, task, log, journal: log.journal(task) }
    const decided = await decidedAgain(options, live)
    expect({ task, differs: decided.result.firstDifference }).toEqual({ task, differs: undefined })
    expect({ task, rows: decided.again }).toEqual({ task, rows: decided.live })
    records += decided.result.records
  }
  return records
}

describe.each(kinds)('I24 %s', (_kind, histories, runs) => {
  const some = (most: number) => ({ numRuns: Math.ceil((most * runs) / 100) })

  test('on the embedded log: the retained inputs decided again give the same bytes and the same rows', async () => {
    const directory = await scratchDirectory('redecide')
    let played = 0
    let records = 0
    await fc.assert(
      fc.asyncProperty(histories, async (given) => {
        const clock = new ManualClock(given.now)
        const where = join(directory, String(played++))
        const limits = { writeBufferBytes: 64 * KIBIBYTE, housekeepingIntervalMs: 0 }
        const openLog = () => openEmbeddedLog({ directory: where, application: 'step', clock, ...limits })
        const { topologies } = given
        const engine = await StepEngine.open({ topologies, clock, partitions: PARTITIONS, openLog })
        try {
          await play(engine, given, (log) => log.housekeep())
          records += await expectSameAgain(engine, topologies)
        } finally {
          await engine.close()
        }
      }),
      some(50),
    )
    expect(records).toBeGreaterThan(100)
  })

  test("in the test driver's log: stores rebuilt from changelogs equal the live ones, and so do those decided again", async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (given) => {
        const clock = new ManualClock(given.now)
        const log = new MemoryLog({ stateHome: 'task', now: () => clock.now() })
        const openLog = () => Promise.resolve(log)
        const stateDirectory = new MemoryStateDirectory()
        const { topologies } = given
        const engine = await StepEngine.open({
          topologies,
          clock,
          partitions: PARTITIONS,
          openLog,
          stateDirectory,
        })
        // This log ends with its process: a crash would leave nothing.
        const steps = given.steps.filter((step) => step !== 'crash')
        await play(engine, { ...given, steps }, () => Promise.resolve())
        await expectSameAgain(engine, topologies)
        const live = await allRows(engine)
        stateDirectory.clear()
        await engine.restart()
        expect(await allRows(engine)).toEqual(live)
        await engine.close()
      }),
      some(60),
    )
  })

  test('in the test driver: what queries answer from stores rebuilt from changelogs is what they answered before', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async ({ topologies, now, steps }) => {
        const mode = { stateHome: 'task', partitions: PARTITIONS, now } as const
        const driver = await TopologyTestDriver.open({ topologies, ...mode })
        for (const step of steps) {
          if (typeof step === 'object' && 'topic' in step)
            await driver.pipe(step.topic, step.key, step.value as never, { timestamp: step.at })
        }
        await driver.advanceWallTime(5_000)
        const live = await allAnswers(driver, topologies)
        await driver.restart()
        expect(await allAnswers(driver, topologies)).toEqual(live)
        await driver.close()
      }),
      some(25),
    )
  })
})

describe('I24 a journal that does not fit its inputs is refused', () => {
  const task: TaskId = { topology: couponIssuance.name, subTopology: 0, partition: 0 }

  test.each([
    ['goes on after their end', (run: InputRun) => ({ ...run, count: run.count + 1 })],
    ['begins elsewhere', (run: InputRun) => ({ ...run, firstOffset: run.firstOffset + 1 })],
  ])('when it %s', async (_how, forge) => {
    const driver = await TopologyTestDriver.open({ topologies: [couponIssuance] })
    await driver.pipe(topics.couponIssueRequested, 'spring', requested())
    const journal = driver
      .journal(task)
      .map((batch) => ({ ...batch, inputs: batch.inputs.map((run) => forge(run)) }))
    const given = { topology: couponIssuance, task, log: driver.log, journal, backend: memoryBackend() }
    await expect(redecide(given)).rejects.toThrow(RangeError)
    await driver.close()
  })
})

/** Every row of every store, as queries give them. */
async function allAnswers(driver: TopologyTestDriver, topologies: readonly Topology[]): Promise<unknown[]> {
  const specs = topologies.flatMap((topology) =>
    topology.subTopologies.flatMap(({ stores }) => stores.map((spec) => ({ topology, spec }))),
  )
  return Promise.all(
    specs.map(async ({ topology, spec }) => [
      spec.name,
      await driver.store(topology, spec).pageAll({ limit: 10_000 }),
    ]),
  )
}

async function allRows(engine: StepEngine<MemoryLog>): Promise<[TaskId, string[]][]> {
  return Promise.all(
    engine.tasks.map(async (task): Promise<[TaskId, string[]]> => {
      const backend = engine.backend(task)
      return [task, backend === undefined ? [] : await rowsOf(backend)]
    }),
  )
}
