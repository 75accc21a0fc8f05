/** Random histories of a service: its commands, some of them twice or late, and how the engine is disturbed meanwhile. */
import fc from 'fast-check'
import type { Topic } from '../../schemas/index.ts'
import { formatUuid7, NO_HEADERS, type Topology } from '../../streams/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import { decidedAgain } from '../support/decided-again.ts'
import { START } from '../support/services.ts'

/** A record that reaches the service. */
export interface Sent<C> {
  readonly command: C
  /** When the log took it, epoch milliseconds; no two are equal. */
  readonly at: number
}

/** Each command is appended one millisecond after whatever came before. */
export type Step<C> =
  | { readonly kind: 'send'; readonly command: C }
  /** What was appended so many steps ago comes again. */
  | { readonly kind: 'again'; readonly back: number }
  /** What was appended so far is processed and committed. */
  | { readonly kind: 'settle' }
  /** Some of what was appended so far is processed, none of it committed, and everything starts anew. */
  | { readonly kind: 'crash' }
  /** All is settled, then time passes. */
  | { readonly kind: 'wait'; readonly ms: number }

/** Histories of these commands, with waits of so many milliseconds. */
export function historiesOf<C>(
  command: fc.Arbitrary<C>,
  wait: fc.Arbitrary<number>,
): fc.Arbitrary<readonly Step<C>[]> {
  const step = fc.oneof(
    { weight: 16, arbitrary: command.map((value): Step<C> => ({ kind: 'send', command: value })) },
    { weight: 3, arbitrary: fc.nat(12).map((back): Step<C> => ({ kind: 'again', back })) },
    { weight: 1, arbitrary: fc.constant<Step<C>>({ kind: 'settle' }) },
    { weight: 1, arbitrary: fc.constant<Step<C>>({ kind: 'crash' }) },
    { weight: 1, arbitrary: wait.map((ms): Step<C> => ({ kind: 'wait', ms })) },
  )
  return fc.array(step, { maxLength: 60, size: 'max' })
}

/** The ways in which each history is played. */
export const played: [string, Partial<DriverOptions>][] = [
  ['one partition', {}],
  ['three partitions, restarted after every record', { partitions: 3, restartAfterEachRecord: true }],
  [
    'three partitions, rebuilt from changelogs after every record',
    { partitions: 3, restartAfterEachRecord: true, stateHome: 'task' },
  ],
]

export interface Play<C> {
  readonly driver: TopologyTestDriver
  /** In the order of their append times. */
  readonly sent: readonly Sent<C>[]
}

/**
 * Plays a history on the engine; the driver stays open for the caller to look at.
 * @param recordOf the record of a command
 */
export async function play<C>(
  topology: Topology,
  history: readonly Step<C>[],
  recordOf: (command: C) => readonly [topic: Topic<never>, value: unknown],
  options: Partial<DriverOptions>,
): Promise<Play<C>> {
  const driver = await TopologyTestDriver.open({ topologies: [topology], now: START, ...options })
  const sent: Sent<C>[] = []
  const append = async (command: C) => {
    driver.clock.advance(1)
    const [topic, value] = recordOf(command)
    const lineage = { eventId: formatUuid7(driver.clock.now(), sent.length, 0, 0) }
    const key = topic.key.serialize(topic.keyOf(value as never))
    const bytes = topic.value.serialize(value as never)
    const timestamp = driver.clock.now()
    await driver.log.append([
      { topic: topic.name, key, value: bytes, timestamp, lineage, headers: NO_HEADERS },
    ])
    sent.push({ command, at: timestamp })
    if (options.restartAfterEachRecord !== true) return
    await driver.settle()
    await driver.restart()
  }
  for (const step of history) {
    if (step.kind === 'send') await append(step.command)
    if (step.kind === 'again') {
      const again = sent.at(-1 - step.back)
      if (again !== undefined) await append(again.command)
    }
    if (step.kind === 'settle') await driver.settle()
    if (step.kind === 'wait') {
      await driver.settle()
      await driver.advanceWallTime(step.ms, step.ms)
    }
    if (step.kind === 'crash') {
      for (const runner of driver.streams.runners) await runner.step()
      await driver.restart()
    }
  }
  await driver.settle()
  return { driver, sent }
}

/** What a history sends and when, without an engine: for a look at what random histories are like. */
export function sentBy<C>(history: readonly Step<C>[]): {
  readonly sent: readonly Sent<C>[]
  readonly end: number
} {
  const sent: Sent<C>[] = []
  let now = START
  const append = (command: C) => void sent.push({ command, at: ++now })
  for (const step of history) {
    if (step.kind === 'send') append(step.command)
    const again = step.kind === 'again' ? sent.at(-1 - step.back) : undefined
    if (again !== undefined) append(again.command)
    if (step.kind === 'wait') now += step.ms
  }
  return { sent, end: now }
}

/** The same histories in every run, enough of them that everything happens. */
export const SAMPLE = { numRuns: 300, seed: 1 }

/** The values of a topic in the order in which their causes came. */
export function answersOf<V>(driver: TopologyTestDriver, topic: Topic<V>): V[] {
  return driver
    .read(topic)
    .sort((a, b) => (a.record.lineage?.cause?.timestamp ?? 0) - (b.record.lineage?.cause?.timestamp ?? 0))
    .map(({ value }) => structuredClone({ ...value }) as V)
}

/** I24: tasks of which the retained inputs, decided again, give other bytes or other rows. Needs state in the log. */
export async function decidedOtherwise(
  driver: TopologyTestDriver,
  topology: Topology,
  { partitions = 1 }: Partial<DriverOptions>,
): Promise<string[]> {
  const otherwise: string[] = []
  for (const subTopology of topology.subTopologies) {
    for (let partition = 0; partition < partitions; partition++) {
      const task = { topology: topology.name, subTopology: subTopology.id, partition }
      const journal = driver.journal(task)
      const live = await driver.log.taskState(task)
      const {
        result,
        again,
        live: rows,
      } = await decidedAgain({ topology, task, log: driver.log, journal }, live)
      const same = result.firstDifference === undefined && again.join() === rows.join()
      if (!same) otherwise.push(`${subTopology.id}_${partition}`)
    }
  }
  return otherwise
}
