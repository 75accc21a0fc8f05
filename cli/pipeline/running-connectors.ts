/**
 * The connectors of this process: runs them, and pauses those that an operator has paused.
 *
 * What is paused stands in the compacted topic `ops.connector`, which every process reads along: it outlives a restart,
 * and holds in all of them. Until it is read nothing is delivered.
 */
import type { ConnectorPort, ConnectorReport } from '../../api/index.ts'
import {
  type Connector,
  ConnectorRunner,
  type ConnectorView,
  groupOf,
  type OutboxReader,
  type OutboxView,
} from '../../connectors/index.ts'
import type { ConnectorSwitch, Topics } from '../../schemas/index.ts'
import { type Clock, type Log, StreamsError } from '../../streams/index.ts'
import type { ConnectorFacts, Telemetry } from '../../telemetry/index.ts'
import { TopicView } from './topic-view.ts'

/** A switch has a few dozen bytes. */
const MAX_BYTES = 1024 * 1024

export interface RunningConnectorsOptions {
  readonly application: string
  readonly connectors: readonly Connector[]
  readonly log: Log
  readonly topics: Pick<Topics, 'opsConnector'>
  readonly clock: Clock
  readonly random: () => number
  readonly telemetry: Pick<Telemetry, 'connectors' | 'logger'>
}

/** Read from a table instead of the log; watched and paused as they are. */
export type Outbox = Pick<OutboxReader, 'name' | 'isPaused' | 'pause' | 'resume' | 'view'>

export class RunningConnectors {
  readonly #options: RunningConnectorsOptions
  readonly #runners: readonly ConnectorRunner[]
  #switches: TopicView<ConnectorSwitch> | undefined
  #outbox: Outbox | undefined

  private constructor(options: RunningConnectorsOptions) {
    const { connectors, log, clock, telemetry, application, random } = options
    this.#options = options
    const hooks = telemetry.connectors
    this.#runners = connectors.map((connector) => {
      const runner = new ConnectorRunner({ application, connector, log, clock, hooks, random })
      runner.pause()
      return runner
    })
  }

  /** Joins their groups; the tasks begin behind it. Throws what the log throws; then none runs. */
  static async open(options: RunningConnectorsOptions): Promise<RunningConnectors> {
    const running = new RunningConnectors(options)
    try {
      for (const runner of running.#runners) await runner.start()
    } catch (error) {
      await running.close()
      throw error
    }
    running.#switches = running.#readSwitches()
    return running
  }

  /** Which of them are paused is applied as soon as it is known, and whenever it had to be read anew. */
  #readSwitches(): TopicView<ConnectorSwitch> {
    const { log, topics, clock, telemetry } = this.#options
    const { name: topic, value } = topics.opsConnector
    const switches = new TopicView({
      log,
      topic,
      value,
      clock,
      maxBytes: MAX_BYTES,
      onFault: (name, fault) =>
        telemetry.logger.warn({ topic: name, err: fault }, 'switches cannot be read on'),
      onNews: (bytes) => {
        const { connector, paused } = value.deserialize(bytes)
        this.setPaused(connector, paused)
      },
      onReady: () => {
        const names = this.#runners.map(({ connector }) => connector.name)
        if (this.#outbox !== undefined) names.push(this.#outbox.name)
        const paused = pausedIn(switches)
        for (const name of names) this.setPaused(name, paused.has(name))
      },
    })
    return switches
  }

  /** It publishes nothing before it is known whether it is paused. Who opened it closes it. */
  include(outbox: Outbox): void {
    this.#outbox = outbox
    if (this.#switches?.ready !== true || pausedIn(this.#switches).has(outbox.name)) outbox.pause()
  }

  #named(name: string): ConnectorRunner | Outbox | undefined {
    if (name === this.#outbox?.name) return this.#outbox
    return this.#runners.find(({ connector }) => connector.name === name)
  }

  // --- what is asked

  get all(): readonly Connector[] {
    return this.#runners.map(({ connector }) => connector)
  }

  /** Throws `TASK_NOT_HERE` where the group's task of the partition is another process's. */
  assertReading(group: string, partition: number): void {
    const runner = this.#runners.find(({ connector }) => groupOf(connector) === group)
    if (runner?.has(partition) !== true)
      throw new StreamsError('TASK_NOT_HERE', `partition ${partition} of ${group}`)
  }

  async reports(): Promise<readonly ConnectorReport[]> {
    return (await this.#views()).map(({ tasks, waitingRows, ...rest }) => ({
      ...rest,
      ...(waitingRows !== undefined && { waitingRows }),
      tasks: tasks.map(({ inputs, failure, ...task }) => ({
        ...task,
        ...(failure !== undefined && { failure }),
        inputs: inputs.map(({ offset, ...input }) => ({ ...input, position: offset })),
      })),
    }))
  }

  /** Nothing where there is none of this name. Throws `TASK_NOT_HERE` while it is not known what was switched. */
  isPaused(name: string): boolean | undefined {
    const found = this.#named(name)
    if (found === undefined) return undefined
    if (this.#switches?.ready !== true) throw new StreamsError('TASK_NOT_HERE', 'switches are not read yet')
    return found.isPaused
  }

  setPaused(connector: string, paused: boolean): void {
    const found = this.#named(connector)
    if (paused) found?.pause()
    else found?.resume()
  }

  async facts(): Promise<readonly ConnectorFacts[]> {
    return (await this.#views()).map(({ name, state, breaker, tasks, waitingRows }) => ({
      connector: name,
      state,
      breaker,
      lags: tasks.flatMap(({ name: task, inputs }) =>
        waitingRows === undefined
          ? inputs.map(({ topic, lagRecords }) => ({ task, topic, lagRecords }))
          : [{ task, topic: name, lagRecords: waitingRows }],
      ),
    }))
  }

  #views(): Promise<(ConnectorView & Partial<OutboxView>)[]> {
    return Promise.all([...this.#runners, this.#outbox ?? []].flat().map((one) => one.view()))
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#switches?.close()
    await Promise.all(this.#runners.map((runner) => runner.stop()))
  }
}

export function connectorPort(running: RunningConnectors): ConnectorPort {
  return {
    connectors: () => running.reports(),
    isConnectorPaused: (name) => running.isPaused(name),
    setConnectorPaused: (name, paused) => running.setPaused(name, paused),
  }
}

function pausedIn(switches: TopicView<ConnectorSwitch>): ReadonlySet<string> {
  return new Set(switches.values().flatMap(({ connector, paused }) => (paused ? connector : [])))
}
