/**
 * What the nodes of one task ask for: outputs, dead letters, work for later, and the time. It all stays in the overlay
 * and among the outputs of the running batch; nothing leaves the process.
 */
import type { Scan, TaskState } from '../state/index.ts'
import type { DeferredWork } from './deferred-work.ts'
import type { StreamsHooks } from './hooks.ts'
import type { AnyRecord, NodeHost, ProcessorInstance } from './node-graph.ts'
import { type OutputCollector, OutputTooLarge } from './output-collector.ts'
import type { Headers, PastCause } from './record.ts'
import type { TaskClock } from './task-clock.ts'
import type { TaskId } from './task-id.ts'
import type { AnyTopic } from './topic.ts'

export interface NodeEffectsParts {
  readonly task: TaskId
  readonly state: TaskState
  readonly clock: TaskClock
  readonly outputs: OutputCollector
  readonly deferred: DeferredWork
  readonly hooks: StreamsHooks
}

export class NodeEffects implements NodeHost {
  readonly task: TaskId
  readonly state: TaskState
  readonly #clock: TaskClock
  readonly #outputs: OutputCollector
  readonly #deferred: DeferredWork
  readonly #hooks: StreamsHooks

  constructor({ task, state, clock, outputs, deferred, hooks }: NodeEffectsParts) {
    this.task = task
    this.state = state
    this.#clock = clock
    this.#outputs = outputs
    this.#deferred = deferred
    this.#hooks = hooks
  }

  get streamTime(): number {
    return this.#clock.streamTime
  }

  get wallTime(): number {
    return this.#clock.wallTime
  }

  get idleMs(): number {
    return this.#clock.idleMs
  }

  defer(node: ProcessorInstance, record: AnyRecord, work: Scan<void>): void {
    this.#deferred.add(node, record, work)
  }

  send(
    topic: AnyTopic,
    record: AnyRecord,
    partition: ((partitions: number) => number) | undefined,
    headers: Headers,
  ): void {
    try {
      this.#outputs.emit(topic, record.key, record.value, record.timestamp, partition, headers)
    } catch (error) {
      if (!(error instanceof OutputTooLarge)) throw error
      this.refused(record, 'OutputTooLarge', error.message)
    }
  }

  /** A timer has no record that could be a dead letter. */
  refused(record: AnyRecord, reason: string, message: string): void {
    if (record.origin.offset < 0) this.dropped(reason)
    else this.deadLetter(record, reason, message)
  }

  deadLetter(record: AnyRecord, reason: string, message: string): void {
    if (record.origin.offset < 0) throw new Error('a timer has no record to dead-letter')
    this.#outputs.deadLetter(reason, undefined, message)
    this.#hooks.onDeadLetter(this.task, record.origin.topic, reason)
  }

  causedBy(cause: PastCause): void {
    this.#outputs.causedBy(cause)
  }

  dropped(reason: string): void {
    this.#hooks.onDropped(this.task, reason)
  }
}
