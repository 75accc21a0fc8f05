/** The times of one task, as its nodes see them and its commits keep them. Stream time only grows; wall time moves once per batch. */
import type { TaskTimes } from './log.ts'

export class TaskClock {
  #times: TaskTimes

  constructor(committed: TaskTimes) {
    this.#times = committed
  }

  /** As they are to be committed. */
  get times(): TaskTimes {
    return this.#times
  }

  get streamTime(): number {
    return this.#times.streamTime
  }

  get wallTime(): number {
    return this.#times.wallTime
  }

  /** Wall time since the last batch with a record, milliseconds; `Infinity` before the first. */
  get idleMs(): number {
    const { wallTime, lastRecordAt } = this.#times
    return lastRecordAt < 0 ? Number.POSITIVE_INFINITY : wallTime - lastRecordAt
  }

  advanceStream(streamTime: number): void {
    this.#times = { ...this.#times, streamTime }
  }

  beginBatch(wallTime: number): void {
    this.#times = { ...this.#times, wallTime }
  }

  /** The batch that ends had records. */
  tookRecords(): void {
    this.#times = { ...this.#times, lastRecordAt: this.#times.wallTime }
  }
}
