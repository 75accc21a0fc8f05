/** What a part of a batch leaves in the log: outputs, dead letters, positions, and how it came about, as one commit. */
import {
  type Checkpoint,
  EventIdMakers,
  type InputRun,
  type Log,
  type LogRecord,
  OutputCollector,
  outputsCrc,
  type Position,
  positionText,
  type TaskCommit,
  type TaskId,
  taskName,
} from '../../streams/index.ts'
import type { Delivered, Produced } from './connector.ts'
import type { Taken } from './inputs.ts'

export interface CommittedPart {
  readonly taken: readonly Taken[]
  readonly delivered: Delivered
  /** Why the one record that was delivered alone was not taken. */
  readonly failed?: string | undefined
  /** The next offset of every input after it. */
  readonly positions: readonly Position[]
}

/** A commit but for its epoch, which is known once it may begin. */
export type PartCommit = Omit<TaskCommit, 'epoch'>

export class BatchCommits {
  readonly #task: TaskId
  readonly #outputs: OutputCollector
  readonly #ids: EventIdMakers
  readonly #now: () => number
  readonly #onRejected: (topic: string, reason: string) => void
  /** By topic, where the log was at the beginning: a target that keeps positions may be behind it. */
  readonly #logBegin: ReadonlyMap<string, number>
  #last: Checkpoint

  /** `last`: what the task's last commit left. */
  constructor(options: {
    readonly task: TaskId
    readonly log: Log
    readonly last: Checkpoint
    readonly now: () => number
    readonly onRejected: (topic: string, reason: string) => void
  }) {
    this.#task = options.task
    this.#outputs = new OutputCollector(options.log)
    this.#ids = new EventIdMakers(taskName(options.task))
    this.#last = options.last
    this.#logBegin = new Map(options.last.positions.map(({ topic, offset }) => [topic, offset]))
    this.#now = options.now
    this.#onRejected = options.onRejected
  }

  get positions(): readonly Position[] {
    return this.#last.positions
  }

  /** Call once for each part, in order; what it answers is committed before the next. */
  make({ taken, delivered, failed, positions }: CommittedPart): PartCommit {
    const produced = Map.groupBy(delivered.outputs ?? [], ({ because }) => positionText(because))
    const rejected = new Map(
      (delivered.rejected ?? []).map(({ record, reason }) => [positionText(record), reason]),
    )
    for (const one of taken) {
      const at = positionText(one.record)
      this.#begin(one.record)
      if (one.refusal !== undefined) this.#deadLetter(one.record, one.refusal.reason, one.refusal.cause)
      else if (failed !== undefined) this.#deadLetter(one.record, 'DeliveryFailed', failed)
      else if (rejected.has(at)) this.#deadLetter(one.record, 'Rejected', rejected.get(at))
      else this.#emit(one.record, produced.get(at) ?? [])
    }
    const outputs = this.#outputs.drain()
    const checkpoint = (this.#last = { positions: this.#ahead(positions), ...this.#clocks(taken) })
    const { sequence, times } = checkpoint
    return {
      task: this.#task,
      outputs,
      checkpoint,
      journal: {
        sequence,
        times,
        wallTimers: 0,
        punctuators: [],
        inputs: runsOf(taken),
        outputsCrc: outputsCrc(outputs),
      },
      state: [],
      changes: [],
    }
  }

  /** Never back: what the log has of the records before is there already. */
  #ahead(positions: readonly Position[]): Position[] {
    return positions.map((at) => ({ ...at, offset: Math.max(at.offset, this.#logBegin.get(at.topic) ?? 0) }))
  }

  #clocks(taken: readonly Taken[]): Pick<Checkpoint, 'times' | 'sequence'> {
    const { times, sequence } = this.#last
    const wallTime = Math.max(times.wallTime, this.#now())
    const streamTime = taken.reduce((time, { record }) => Math.max(time, record.timestamp), times.streamTime)
    return { times: { streamTime, wallTime, lastRecordAt: wallTime }, sequence: sequence + 1 }
  }

  #begin(record: LogRecord): void {
    this.#outputs.begin({
      ids: this.#ids.of(record.topic),
      origin: record,
      placeHigh: record.partition,
      placeLow: record.offset,
    })
  }

  #emit(record: LogRecord, produced: readonly Produced[]): void {
    try {
      for (const { topic, key, value, timestamp } of produced)
        this.#outputs.emit(topic, key, value, timestamp, undefined, [])
    } catch (error) {
      // The target has it; what it answered is no record of its topic.
      this.#outputs.rollback()
      this.#deadLetter(record, 'OutputError', error)
    }
  }

  /** Once for each record: what was set aside last is read again at each start until its target takes something behind it. */
  #deadLetter({ topic, offset }: Position, reason: string, cause: unknown): void {
    if (offset < (this.#logBegin.get(topic) ?? 0)) return
    this.#outputs.deadLetter(reason, cause)
    this.#onRejected(topic, reason)
  }
}

/** Runs of records taken in a row from one input. */
function runsOf(taken: readonly Taken[]): InputRun[] {
  const runs: InputRun[] = []
  for (const { record } of taken) {
    const { topic, partition, offset: firstOffset } = record
    const last = runs.at(-1)
    if (last?.topic === topic) runs[runs.length - 1] = { ...last, count: last.count + 1 }
    else runs.push({ topic, partition, firstOffset, count: 1 })
  }
  return runs
}
