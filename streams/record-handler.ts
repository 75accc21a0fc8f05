/**
 * Takes one record through a task's nodes, or to where its source's or a processor's policy sends it.
 *
 * Invariant: when `handle` is done, the overlay and the outputs hold all of the record's effects or none.
 */
import type { TaskState } from '../state/index.ts'
import type { DeferredWork } from './deferred-work.ts'
import { StreamsError } from './errors.ts'
import type { EventIdMakers } from './event-id.ts'
import type { StreamsHooks } from './hooks.ts'
import { type AnyRecord, type NodeGraph, ProcessorInstance } from './node-graph.ts'
import type { OutputCollector } from './output-collector.ts'
import type { ErrorAction, ErrorPolicy } from './policies.ts'
import type { LogRecord } from './record.ts'
import { type TaskId, taskName } from './task-id.ts'
import type { Head } from './task-input.ts'

export interface RecordHandlerParts {
  readonly task: TaskId
  readonly state: TaskState
  readonly nodes: NodeGraph
  readonly outputs: OutputCollector
  readonly deferred: DeferredWork
  readonly hooks: StreamsHooks
  readonly ids: EventIdMakers
}

export class RecordHandler {
  readonly #parts: RecordHandlerParts

  constructor(parts: RecordHandlerParts) {
    this.#parts = parts
  }

  /** A promise only where pages must be read. Throws `PROCESSING_FAILED` and what asks for more than `continue`. */
  handle(head: Head): Promise<void> | undefined {
    const { record, refusal } = head
    const { outputs, state, ids } = this.#parts
    outputs.begin({
      ids: ids.of(record.topic),
      origin: record,
      placeHigh: record.partition,
      placeLow: record.offset,
    })
    state.mark()
    if (refusal === undefined) return this.#attempt(head, 0)
    this.#dispose(record, refusal.action, refusal.reason, refusal.cause)
    return undefined
  }

  #attempt(head: Head, tries: number): Promise<void> | undefined {
    const { nodes, deferred } = this.#parts
    ProcessorInstance.active = undefined
    try {
      const { key, value, timestamp, record } = head
      const entry: AnyRecord = { key, value, timestamp, origin: record }
      for (const child of nodes.entries.get(record.topic) ?? []) child.receive(entry)
    } catch (error) {
      return this.#failed(head, tries, error)
    }
    if (deferred.empty) return undefined
    return deferred.run().catch((error: unknown) => this.#failed(head, tries, error))
  }

  /** Undoes the try, then does what the policy of the processor that threw says. */
  #failed(head: Head, tries: number, error: unknown): Promise<void> | undefined {
    const { state, outputs, deferred, task } = this.#parts
    const blamed = ProcessorInstance.active
    ProcessorInstance.active = undefined
    deferred.clear()
    state.rollback()
    outputs.rollback()
    if (error instanceof Error && 'reaction' in error && error.reaction !== 'continue') throw error
    const policy: ErrorPolicy = blamed?.onError ?? 'fail'
    const action: ErrorAction = typeof policy === 'string' ? policy : policy.otherwise
    if (typeof policy !== 'string' && tries < policy.retries) return this.#attempt(head, tries + 1)
    if (action === 'fail') {
      const where = `${blamed?.name ?? taskName(task)} at ${place(head.record)}`
      throw new StreamsError('PROCESSING_FAILED', where, { cause: error })
    }
    this.#dispose(head.record, action, 'ProcessingError', error)
    return undefined
  }

  /** Ends a record that goes no further. */
  #dispose(record: LogRecord, action: ErrorAction, reason: string, cause: unknown): void {
    const { outputs, hooks, task } = this.#parts
    switch (action) {
      case 'fail':
        throw new StreamsError('DESERIALIZATION_FAILED', `${reason} at ${place(record)}`, { cause })
      case 'dead-letter':
        outputs.deadLetter(reason, cause)
        return hooks.onDeadLetter(task, record.topic, reason)
      case 'skip':
        return hooks.onDropped(task, reason)
    }
  }
}

function place({ topic, partition, offset }: LogRecord): string {
  return `${topic}-${partition}@${offset}`
}
