/** Plays a history on the engine: fact after fact, or in heaps and disturbed. */
import { topics } from '../../schemas/index.ts'
import { formatUuid7, NO_HEADERS } from '../../streams/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import { type BestSellerOptions, bestSellers, type BestSellers } from '../../topologies/index.ts'
import { type Fact, HISTORY_END, type History } from './ranking-history.ts'

const topicOf = {
  sale: topics.orderConfirmed,
  return: topics.orderReturned,
  cancel: topics.orderCancelled,
} as const

export interface Played {
  readonly topology: BestSellers
  readonly driver: TopologyTestDriver
}

async function open(
  { timeZone }: History,
  mode: Partial<DriverOptions>,
  options: BestSellerOptions = {},
): Promise<Played> {
  const topology = bestSellers({ timeZone, retentionMs: Number.POSITIVE_INFINITY, ...options })
  const driver = await TopologyTestDriver.open({ topologies: [topology], now: HISTORY_END, ...mode })
  return { topology, driver }
}

function timeOf({ kind, order }: Fact): number {
  return kind === 'sale' ? order.confirmedAt : order.at
}

/** Each fact alone, until everything about it was said. */
export async function playEach(history: History, mode: Partial<DriverOptions>): Promise<Played> {
  const played = await open(history, mode)
  for (const fact of history.facts) {
    const { orderId } = fact.order
    await played.driver.pipe(
      topicOf[fact.kind] as typeof topics.orderConfirmed,
      orderId,
      fact.order as never,
      {
        timestamp: timeOf(fact),
      },
    )
    await played.driver.advanceWallTime(3_000)
  }
  return played
}

/** How facts are appended together, and what disturbs the engine meanwhile. */
export type Disturbance = 'none' | 'settle' | 'crash' | 'second'

/** Many facts at once, in whatever order the tasks get to them; at the end everything was said. */
export async function playTogether(
  history: History,
  disturbances: readonly Disturbance[],
  mode: Partial<DriverOptions>,
  options: BestSellerOptions,
): Promise<Played> {
  const played = await open(history, mode, options)
  const { driver } = played
  for (const [index, fact] of history.facts.entries()) {
    const topic = topicOf[fact.kind]
    const value = topic.value.serialize(fact.order as never)
    const lineage = { eventId: formatUuid7(timeOf(fact), index, 0, 0) }
    const record = {
      key: Buffer.from(fact.order.orderId),
      value,
      timestamp: timeOf(fact),
      lineage,
      headers: NO_HEADERS,
    }
    await driver.log.append([{ topic: topic.name, ...record }])
    const disturbance = disturbances[index % disturbances.length]
    if (disturbance === 'settle') await driver.settle()
    if (disturbance === 'second') await driver.advanceWallTime(1_000)
    if (disturbance === 'crash') {
      for (const runner of driver.streams.runners) await runner.step()
      await driver.restart()
    }
  }
  await driver.settle()
  await driver.advanceWallTime(25_000, 5_000)
  return played
}

/** The facts in the order in which the deriver's tasks read them, which its journal tells. */
export function factsAsRead({ driver, topology }: Played, partitions: number): Fact[] {
  const kinds = Object.entries(topicOf) as [Fact['kind'], typeof topics.orderConfirmed][]
  const values = new Map<string, Fact>()
  for (const [kind, topic] of kinds) {
    for (const { partition, offset, value } of driver.read(topic)) {
      values.set(`${topic.name} ${partition} ${offset}`, { kind, order: value } as Fact)
    }
  }
  return Array.from({ length: partitions }, (_, partition) =>
    driver
      .journal({ topology: topology.name, subTopology: 0, partition })
      .flatMap(({ inputs }) => inputs)
      .flatMap(({ topic, firstOffset, count }) =>
        Array.from(
          { length: count },
          (_each, i) => values.get(`${topic} ${partition} ${firstOffset + i}`) as Fact,
        ),
      ),
  ).flat()
}
