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
/** Milliseconds between looks whether the switches are read. */
const LOOK_MS = 20

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
  readonly #switches: TopicView<ConnectorSwitch>
  #outbox: Outbox | undefined
  #isBegun = false
  #cancelLook: (() => void) | undefined

  private constructor(options: RunningConnectorsOptions) {
    const { connectors, log, topics, clock, telemetry, application, random } = options
    this.#options = options
    const hooks = telemetry.connectors
    this.#runners = connectors.map((connector) => {
      const runner = new ConnectorRunner({ application, connector, log, clock, hooks, random })
      runner.pause()
      return runner
    })
    const { name: topic, value } = topics.opsConnector
    this.#switches = new TopicView({
      log,
      topic,
      value,
      clock,
      maxBytes: MAX_BYTES,
      onFault: (name, fault) =>
        telemetry.logger.warn({ topic: name, err: fault }, 'switches cannot be read on'),
      onNews: (bytes) => this.#apply(value.deserialize(bytes)),
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
    running.#begin()
    return running
  }

  /** As soon as it is known which of them are paused. */
  #begin(): void {
    if (!this.#switches.ready) {
      this.#cancelLook = this.#options.clock.after(LOOK_MS, () => this.#begin())
      return
    }
    this.#isBegun = true
    const paused = this.#paused()
    for (const runner of this.#runners) if (!paused.has(runner.connector.name)) runner.resume()
    if (this.#outbox !== undefined && !paused.has(this.#outbox.name)) this.#outbox.resume()
  }

  #paused(): ReadonlySet<string> {
    return new Set(this.#switches.values().flatMap(({ connector, paused }) => (paused ? connector : [])))
  }

  /** It publishes nothing before it is known whether it is paused. Who opened it closes it. */
  include(outbox: Outbox): void {
    this.#outbox = outbox
    if (!this.#isBegun || this.#paused().has(outbox.name)) outbox.pause()
  }

  #apply({ connector, paused }: ConnectorSwitch): void {
    const found = this.#named(connector)
    if (paused) found?.pause()
    else found?.resume()
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

  /** Nothing where there is none of this name. */
  isPaused(name: string): boolean | undefined {
    return this.#named(name)?.isPaused
  }

  setPaused(connector: string, paused: boolean): void {
    this.#apply({ connector, paused, at: this.#options.clock.now() })
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
    this.#cancelLook?.()
    this.#switches.close()
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
