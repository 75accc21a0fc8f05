/**
 * A task: one partition of a sub-topology; the unit of work, state and failure.
 *
 * Its job: take records in the order of their timestamps, run them through its nodes into the overlay, fire timers and
 * punctuators, and hand over sealed batches. Not its job: when to run (`task-turns.ts`) or commit (`commits.ts`),
 * what a commit does (`commit.ts`), what nodes may ask for (`node-effects.ts`), where rows and records live (the ports).
 *
 * Invariants:
 * 1. One `run` at a time; between two runs the overlay holds whole records only.
 * 2. A record is in the batch with all of its effects or with none.
 * 3. A batch sees one wall time. Wall timers and wall punctuators run at its start, stream timers after the record that
 *    brought the time, so the journal's few numbers are enough to decide the batch again (`replay`).
 * 4. A failed task touches nothing any more; what was not sealed is lost and comes again from the checkpoint.
 */
import type { RowWatch, TaskState } from '../state/index.ts'
import { Batch } from './batch.ts'
import { type Flood, TaskBreaker } from './breaker.ts'
import { DeferredWork } from './deferred-work.ts'
import { leavesStateReadable, StreamsError } from './errors.ts'
import { EventIdMakers } from './event-id.ts'
import type { SubTopology } from './graph.ts'
import type { StreamsHooks } from './hooks.ts'
import { type Lifecycle, taskLifecycle, type TaskPhase } from './lifecycle.ts'
import type { BatchJournal, Checkpoint, Log, TaskCommit } from './log.ts'
import { NodeEffects } from './node-effects.ts'
import { buildNodeGraph } from './node-graph.ts'
import { OutputCollector, outputsCrc } from './output-collector.ts'
import type { BreakerPolicy } from './policies.ts'
import type { Position } from './record.ts'
import { RecordHandler } from './record-handler.ts'
import { TaskClock } from './task-clock.ts'
import { type TaskId, taskName } from './task-id.ts'
import type { Head, TaskInput } from './task-input.ts'
import { TaskInputs } from './task-inputs.ts'
import { TaskTimers } from './task-timers.ts'

/** Wall timers that one batch fires at most: after downtime the overdue ones come at this pace. */
const WALL_TIMERS_PER_BATCH = 1_000
/** Bytes of uncommitted state and outputs at which a task waits for its commit. */
const BATCH_LIMIT_BYTES = 64 * 1024 * 1024

export interface TaskOptions {
  readonly id: TaskId
  readonly epoch: number
  readonly subTopology: SubTopology
  readonly log: Log
  readonly state: TaskState
  readonly checkpoint: Checkpoint
  /** By topic, the end of each input that is to be read so far before all others. */
  readonly bootstrapTo?: ReadonlyMap<string, number> | undefined
  readonly hooks: StreamsHooks
  readonly breaker: BreakerPolicy | 'off'
  /** Wall time for the next batch, epoch milliseconds. */
  readonly wallTime: () => number
  /** Expiries must wait: wall timers do not fire. */
  readonly expiriesFrozen: () => boolean
  readonly monotonic: () => number
  readonly onReadable: () => void
  /** Told of the rows of each commit. */
  readonly watches?: RowWatch | undefined
}

export class Task {
  readonly task: TaskId
  readonly name: string
  readonly state: TaskState
  readonly lifecycle: Lifecycle<TaskPhase>
  readonly #inputs: TaskInputs
  readonly #options: TaskOptions
  readonly #outputs: OutputCollector
  readonly #records: RecordHandler
  readonly #timers: TaskTimers
  readonly #breaker: TaskBreaker
  readonly #clock: TaskClock
  #epoch: number
  #sequence: number
  #batch: Batch | undefined
  #committing = false
  #failure: Error | undefined

  constructor(options: TaskOptions) {
    const { id, checkpoint, log, subTopology, state, hooks, monotonic } = options
    this.task = id
    this.name = taskName(id)
    this.#epoch = options.epoch
    this.state = state
    this.#options = options
    this.#clock = new TaskClock(checkpoint.times)
    this.#sequence = checkpoint.sequence
    this.lifecycle = taskLifecycle(this.name, (from, to) => hooks.onTaskState(id, from, to, this.#failure))
    this.#outputs = new OutputCollector(log)
    this.#breaker = new TaskBreaker(options.breaker, monotonic, (topic, flood) =>
      hooks.onBreaker(id, topic, flood),
    )
    const batched = {
      task: id,
      state,
      outputs: this.#outputs,
      deferred: new DeferredWork(state, monotonic),
      hooks,
    }
    const effects = new NodeEffects({ ...batched, clock: this.#clock })
    const parts = {
      ...batched,
      nodes: buildNodeGraph(subTopology, effects),
      ids: new EventIdMakers(this.name),
    }
    this.#records = new RecordHandler(parts)
    this.#timers = new TaskTimers(parts)
    this.#inputs = new TaskInputs({ ...options, partition: id.partition, positions: checkpoint.positions })
  }

  get failure(): Error | undefined {
    return this.#failure
  }

  /** Dead letters flood: it takes no records, and does all else. */
  get flood(): Flood | undefined {
    return this.#breaker.flood
  }

  /** Lets a task that is held by a flood take records again; answers whether it was. */
  release(): boolean {
    return this.#breaker.release()
  }

  /** Whether queries may read its committed rows: it runs, or stopped in a way that leaves them as they are. */
  get readable(): boolean {
    const { state } = this.lifecycle
    return state === 'running' || (state === 'failed' && leavesStateReadable(this.#failure as Error))
  }

  get inputs(): readonly TaskInput[] {
    return this.#inputs.all
  }

  get streamTime(): number {
    return this.#clock.streamTime
  }

  get wallTime(): number {
    return this.#clock.wallTime
  }

  /** There is something to commit. */
  get dirty(): boolean {
    return this.#batch?.effective === true
  }

  /** A sealed batch is under way. */
  get committing(): boolean {
    return this.#committing
  }

  /** Too much is uncommitted: run again after the commit. */
  get full(): boolean {
    return this.uncommittedBytes > BATCH_LIMIT_BYTES
  }

  /** Rough bytes of the running batch, state and outputs. */
  get uncommittedBytes(): number {
    return this.state.overlayBytes + this.#outputs.bytes
  }

  /** The task is kept by a new assignment: it goes on, and commits under that. */
  adopt(epoch: number): void {
    this.#epoch = epoch
  }

  // --- work

  /** Processes up to `limit` records; answers how many. Never throws: what goes wrong puts the task into `failed`. */
  async run(limit: number): Promise<number> {
    if (this.lifecycle.state !== 'running' || this.full) return 0
    try {
      return await this.#run(limit)
    } catch (error) {
      this.fail(error)
      return 0
    }
  }

  /** Timestamp of the record that comes next; nothing where none is at hand or the task cannot take one. */
  nextTimestamp(): number | undefined {
    if (this.lifecycle.state !== 'running' || this.full) return undefined
    return this.#nextInput()?.head?.timestamp
  }

  /** Stops the task; what is uncommitted is void. */
  fail(error: unknown): void {
    if (this.lifecycle.state === 'failed' || this.lifecycle.state === 'closed') return
    this.#failure = error instanceof Error ? error : new StreamsError('PROCESSING_FAILED', String(error))
    this.lifecycle.to('failed')
  }

  async #run(limit: number): Promise<number> {
    if (!this.#inputReady() && !this.#wallWorkDue()) return 0
    if (this.#batch === undefined) await this.#beginBatch()
    for (let done = 0; done < limit; done++) {
      const input = this.#nextInput()
      if (input === undefined) return done
      // Only what cannot be answered synchronously costs a promise.
      const pending = this.#process(input, input.head as Head)
      if (pending !== undefined) await pending
    }
    return limit
  }

  #process(input: TaskInput, head: Head): Promise<void> | undefined {
    const pending = this.#records.handle(head)
    if (pending !== undefined) return pending.then(() => this.#processed(input, head))
    return this.#processed(input, head)
  }

  /** The record is through: counts it, moves on, and lets stream time do what it brings. */
  #processed(input: TaskInput, head: Head): Promise<void> | undefined {
    const { topic, partition, offset } = head.record
    const batch = this.#batch as Batch
    batch.took(topic, partition, offset)
    input.shift()
    this.#breaker.note(topic, this.#outputs.deadLettered)
    if (head.refusal !== undefined || head.timestamp <= this.#clock.streamTime) return undefined
    const from = this.#clock.streamTime
    this.#clock.advanceStream(head.timestamp)
    const due = this.#timers.duePunctuators('stream', from, head.timestamp)
    if (due.length === 0 && !this.#timers.due('stream', head.timestamp)) return undefined
    return this.#onStreamTime(due, head.timestamp)
  }

  async #onStreamTime(due: readonly number[], now: number): Promise<void> {
    await this.#timers.punctuate(due, now)
    await this.#timers.fire('stream', now, Number.POSITIVE_INFINITY)
  }

  #inputReady(): boolean {
    const { fault } = this.#inputs
    if (fault !== undefined) throw fault
    return this.#nextInput() !== undefined
  }

  /** Nothing while a flood of dead letters holds it. */
  #nextInput(): TaskInput | undefined {
    return this.#breaker.holds() ? undefined : this.#inputs.next()
  }

  // --- batches

  #wallWorkDue(): boolean {
    if (this.#batch !== undefined) return false
    if (this.state.hasOldRows) return true
    const now = this.#options.wallTime()
    if (!this.#expiriesWait() && this.#timers.due('wall', now)) return true
    return this.#timers.duePunctuators('wall', this.#clock.wallTime, now).length > 0
  }

  /** Also until what must be known before the rest is judged was read. */
  #expiriesWait(): boolean {
    return this.#options.expiriesFrozen() || this.#inputs.bootstrapping
  }

  async #beginBatch(): Promise<void> {
    const now = Math.max(this.#options.wallTime(), this.#clock.wallTime)
    const punctuators = this.#timers.duePunctuators('wall', this.#clock.wallTime, now)
    await this.#openBatch(now, this.#expiriesWait() ? 0 : WALL_TIMERS_PER_BATCH, punctuators)
    // Not when a batch is decided again: what is stored is no part of what decides.
    if (!this.state.hasOldRows) return
    const isEffective = await this.state.rewriteSome()
    const batch = this.#batch as Batch | undefined
    if (batch !== undefined && isEffective) batch.effective = true
  }

  async #openBatch(wallTime: number, timerLimit: number, punctuators: number[]): Promise<void> {
    const batch = new Batch(wallTime, punctuators)
    this.#batch = batch
    this.#clock.beginBatch(wallTime)
    batch.wallTimers = await this.#timers.fire('wall', wallTime, timerLimit)
    await this.#timers.punctuate(punctuators, wallTime)
    batch.effective = batch.wallTimers > 0 || this.state.overlayBytes > 0 || this.#outputs.bytes > 0
  }

  /**
   * Decides a batch again as its journal says, from inputs that stand where it began; throws a `RangeError` where they
   * do not.
   */
  async replay(journal: BatchJournal, awaitHead: (input: TaskInput) => Promise<Head>): Promise<void> {
    await this.#openBatch(journal.times.wallTime, journal.wallTimers, [...journal.punctuators])
    for (const { topic, firstOffset, count } of journal.inputs) {
      const input = this.#inputs.of(topic)
      if (input === undefined) throw new StreamsError('UNKNOWN_TOPIC', `${topic} is no input of ${this.name}`)
      for (let i = 0; i < count; i++) {
        const head = await awaitHead(input)
        const { offset } = head.record
        if (i === 0 && offset !== firstOffset)
          throw new RangeError(
            `batch ${journal.sequence} goes on at ${topic} ${firstOffset}, the log at ${offset}`,
          )
        await this.#process(input, head)
      }
    }
  }

  /** Drops a batch in which nothing happened, so that the next one sees a new wall time. */
  dropEmptyBatch(): void {
    if (this.#batch?.effective === false) this.#batch = undefined
  }

  /**
   * Takes the batch out for a commit: from here on the task fills the next one. Call only when `dirty` and not
   * `committing`.
   */
  seal(): TaskCommit {
    const batch = this.#batch as Batch
    const { ops, changes } = this.state.seal()
    const outputs = this.#outputs.drain()
    const sequence = ++this.#sequence
    if (batch.tookRecords) this.#clock.tookRecords()
    const { times } = this.#clock
    this.#batch = undefined
    this.#committing = true
    return {
      task: this.task,
      epoch: this.#epoch,
      outputs,
      checkpoint: { positions: this.positions(), times, sequence },
      journal: batch.journal(sequence, times, outputsCrc(outputs)),
      state: ops,
      changes,
    }
  }

  /** The sealed batch is durable. */
  committed(): void {
    this.state.committed(this.#options.watches)
    this.#committing = false
  }

  /** The next offset of every input. */
  positions(): Position[] {
    return this.#inputs.positions()
  }

  /**
   * Whether the inputs went on, since this was asked last, by more than commits will tell: a log's own marks lie behind
   * the last record, and nothing of them is committed before the next one.
   */
  passedMarks(): boolean {
    return this.#batch === undefined && !this.#committing && this.#inputs.moved()
  }

  /** Wall time at which the task next has something to do by itself; `Infinity` while it waits for others. */
  nextWallWork(): number {
    if (this.lifecycle.state !== 'running' || this.#batch !== undefined) return Number.POSITIVE_INFINITY
    if (this.state.hasOldRows) return this.#options.wallTime()
    const { waitLimitMs } = this.#inputs
    if (waitLimitMs !== undefined) return this.#options.wallTime() + waitLimitMs
    const timers = this.#expiriesWait() ? Number.POSITIVE_INFINITY : this.state.nextTimerAt('wall')
    return Math.min(timers, this.#timers.nextWallPunctuation(this.#clock.wallTime))
  }

  /** Idempotent. */
  close(): void {
    if (this.lifecycle.state === 'closed') return
    this.#inputs.close()
    this.state.close()
    this.lifecycle.to('closed')
  }
}
