/** A service of the order saga to test with: its topology on the test driver, and how commands reach it. */
import type { Topic } from '../../schemas/index.ts'
import type { Topology } from '../../streams/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'

export const START = Date.UTC(2026, 0, 1)
export const DAY = 86_400_000

/** A topology must not notice a restart, wherever its state comes back from. */
export const modes: [string, Partial<DriverOptions>][] = [
  ['steady', {}],
  ['restarted after every record', { restartAfterEachRecord: true }],
  ['rebuilt from changelogs after every record', { restartAfterEachRecord: true, stateHome: 'task' }],
]

export class Service {
  readonly driver: TopologyTestDriver
  readonly topology: Topology
  /** Reasons of what was passed over. */
  readonly dropped: string[]

  private constructor(topology: Topology, driver: TopologyTestDriver, dropped: string[]) {
    this.topology = topology
    this.driver = driver
    this.dropped = dropped
  }

  static async open(topology: Topology, options: Partial<DriverOptions> = {}): Promise<Service> {
    const dropped: string[] = []
    const hooks = { onDropped: (_task: unknown, reason: string) => void dropped.push(reason) }
    const driver = await TopologyTestDriver.open({ topologies: [topology], now: START, hooks, ...options })
    return new Service(topology, driver, dropped)
  }

  /** Under its own key, a millisecond after whatever came before. */
  async send<V>(topic: Topic<V>, ...values: readonly V[]): Promise<void> {
    for (const value of values) {
      this.driver.clock.advance(1)
      await this.driver.pipe(topic, topic.keyOf(value), value)
    }
  }

  /** The values of a topic so far, as plain objects. */
  read<V>(topic: Topic<V>): V[] {
    return this.driver.read(topic).map(({ value }) => structuredClone({ ...value }) as V)
  }

  /** Dead letters as `reason: message`. */
  deadLetters(topic: Topic<never>): string[] {
    return this.driver.deadLetters(topic).map(({ headers }) => {
      const header = (name: string) => headers.find(([key]) => key === `__streams.errors.${name}`)?.[1]
      return `${header('exception')?.toString()}: ${header('message')?.toString()}`
    })
  }

  close(): Promise<void> {
    return this.driver.close()
  }
}
