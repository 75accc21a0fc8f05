/**
 * Durable timers and punctuators of one task.
 *
 * A punctuator runs when a multiple of its interval lies between two times of its clock, so that what is due follows
 * from committed times alone and nothing about it must be stored.
 */
import type { DueTimer, TaskState, TimerClock } from '../state/index.ts'
import type { DeferredWork } from './deferred-work.ts'
import { StreamsError } from './errors.ts'
import type { EventIdMakers } from './event-id.ts'
import type { StreamsHooks } from './hooks.ts'
import type { AnyRecord, NodeGraph, ProcessorInstance } from './node-graph.ts'
import type { OutputCollector } from './output-collector.ts'
import { partitionFor } from './partitioner.ts'
import { type LogRecord, NO_HEADERS } from './record.ts'
import type { TaskId } from './task-id.ts'

export interface TaskTimersParts {
  readonly task: TaskId
  readonly state: TaskState
  readonly nodes: NodeGraph
  readonly outputs: OutputCollector
  readonly deferred: DeferredWork
  readonly ids: EventIdMakers
  readonly hooks: StreamsHooks
}

interface Installed {
  readonly node: ProcessorInstance
  /** Which of the processor's punctuators. */
  readonly index: number
  readonly clock: TimerClock
  readonly everyMs: number
}

export class TaskTimers {
  readonly #parts: TaskTimersParts
  readonly #punctuators: readonly Installed[]

  constructor(parts: TaskTimersParts) {
    this.#parts = parts
    this.#punctuators = parts.nodes.processors.flatMap((node) =>
      node.definition.punctuators.map(({ clock, everyMs }, index) => ({ node, index, clock, everyMs })),
    )
  }

  /** Timers are due at `now`, or it takes a look at the store to know. */
  due(clock: TimerClock, now: number): boolean {
    const { state } = this.#parts
    return state.nextTimerAt(clock) <= now || state.needsTimerLoad(clock, now)
  }

  /** Fires up to `limit` due timers in the order of their times; answers how many. */
  async fire(clock: TimerClock, now: number, limit: number): Promise<number> {
    const { state, deferred } = this.#parts
    for (let fired = 0; fired < limit; fired++) {
      if (state.needsTimerLoad(clock, now)) await state.loadTimers(clock)
      const due = state.popDueTimer(clock, now)
      if (due === undefined) return fired
      this.#fire(due, now)
      await deferred.run()
      this.#checkProgress(due)
    }
    return limit
  }

  /** A timer that sets itself again must move on, or it would fire for ever. */
  #checkProgress({ clock, name, key, at }: DueTimer): void {
    const next = this.#parts.state.timer(clock, name).dueAt(key)
    if (next !== undefined && next <= at) {
      throw new StreamsError(
        'PROCESSING_FAILED',
        `timer ${name} of ${key} was due at ${at} and set itself to ${next}`,
      )
    }
  }

  #fire(due: DueTimer, now: number): void {
    const { task, nodes, outputs, ids, hooks } = this.#parts
    const target = nodes.timers.get(due.name)
    // A timer of a processor that the topology no longer has.
    if (target === undefined) return hooks.onDropped(task, 'UnknownTimer')
    const record = this.#timeRecord(due.key, now)
    const placeHigh = partitionFor(Buffer.from(due.key), 0x7fffffff)
    outputs.begin({ ids: ids.of(due.name), origin: record.origin, placeHigh, placeLow: due.at })
    target.node.fire(target.timer, due.key, due.at, record)
  }

  /** Ordinals of the punctuators that fall due when the clock goes from one time to another. */
  duePunctuators(clock: TimerClock, from: number, to: number): number[] {
    const due: number[] = []
    this.#punctuators.forEach((punctuator, ordinal) => {
      if (punctuator.clock !== clock) return
      if (Math.floor(to / punctuator.everyMs) > Math.floor(from / punctuator.everyMs)) due.push(ordinal)
    })
    return due
  }

  async punctuate(ordinals: readonly number[], now: number): Promise<void> {
    for (const ordinal of ordinals) {
      const { node, index } = this.#punctuators[ordinal] as Installed
      const record = this.#timeRecord('', now)
      const ids = this.#parts.ids.of(`${node.name}#${index}`)
      this.#parts.outputs.begin({ ids, origin: record.origin, placeHigh: 0, placeLow: now })
      node.punctuate(index, now, record)
      await this.#parts.deferred.run()
    }
  }

  /** When a wall punctuator is next due after `now`; `Infinity` without one. */
  nextWallPunctuation(now: number): number {
    const times = this.#punctuators
      .filter(({ clock }) => clock === 'wall')
      .map(({ everyMs }) => (Math.floor(now / everyMs) + 1) * everyMs)
    return Math.min(Number.POSITIVE_INFINITY, ...times)
  }

  /** Stands for the record where a timer or punctuator is the cause. */
  #timeRecord(key: string, now: number): AnyRecord {
    const origin: LogRecord = {
      topic: '',
      partition: this.#parts.task.partition,
      offset: -1,
      key: null,
      value: null,
      timestamp: now,
      appendTime: now,
      lineage: undefined,
      headers: NO_HEADERS,
    }
    return { key, value: undefined, timestamp: now, origin }
  }
}
