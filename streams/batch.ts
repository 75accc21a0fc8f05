/**
 * What a task did since its last commit, as far as its journal tells: with these few numbers, the inputs and the
 * processors the batch can be decided again.
 */
import type { BatchJournal, TaskTimes } from './log.ts'

export class Batch {
  /** The one wall time that the whole batch sees, epoch milliseconds. */
  readonly wallTime: number
  readonly #punctuators: readonly number[]
  readonly #runs: { topic: string; partition: number; firstOffset: number; count: number }[] = []
  /** Wall timers that fired at its start. */
  wallTimers = 0
  /** Something happened that must be committed. */
  effective = false

  constructor(wallTime: number, punctuators: readonly number[]) {
    this.wallTime = wallTime
    this.#punctuators = punctuators
  }

  /** A record was taken. A run may jump over compacted offsets: it counts records, not offsets. */
  took(topic: string, partition: number, offset: number): void {
    const run = this.#runs.at(-1)
    if (run?.topic === topic) run.count++
    else this.#runs.push({ topic, partition, firstOffset: offset, count: 1 })
    this.effective = true
  }

  get tookRecords(): boolean {
    return this.#runs.length > 0
  }

  journal(sequence: number, times: TaskTimes, crc: number): BatchJournal {
    const { wallTimers } = this
    return {
      sequence,
      times,
      wallTimers,
      punctuators: this.#punctuators,
      inputs: this.#runs,
      outputsCrc: crc,
    }
  }
}
