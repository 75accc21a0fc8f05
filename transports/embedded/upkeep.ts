/**
 * Small writes beside appends and commits: topics, tasks, settings, housekeeping. They go through the one writer like
 * everything else.
 */
import type { BatchDraft } from './draft.ts'
import type { Member, Writer } from './writer.ts'

/** What such a write counts for against the size of a batch. */
const WRITE_BYTES = 1024

export class Upkeep {
  readonly #writer: Writer
  #last: Promise<unknown> = Promise.resolve()

  constructor(writer: Writer) {
    this.#writer = writer
  }

  /**
   * Durable when the promise resolves. `prepare` puts the writes into the batch, and into `draft.applied` what has to
   * change in memory with it; it may throw, or leave the batch as it is.
   */
  write(prepare: (draft: BatchDraft) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const member: Member = { kind: 'upkeep', bytes: WRITE_BYTES, prepare, resolve, reject }
      this.#writer.submit(member)
    })
  }

  /** Resolves when the batch that is under way, and what waited before, has ended; never rejects. */
  async barrier(): Promise<void> {
    await this.write(() => {}).catch(() => undefined)
  }

  /** Runs `change` when those before it have ended: what it plans, nobody else changes before it is written. */
  serially<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#last.then(change)
    this.#last = result.catch(() => undefined)
    return result
  }
}
