/**
 * Erasures of a shop whose log is in its data directory: the list that a restore needs, and the bytes that must go.
 *
 * The list (`erasures.ts`) is a file of its own beside the database, so that no backup of the log holds it. A line is
 * synced before the key is deleted; a key whose deletion did not follow is erased by a restore all the same, which is
 * what was asked for.
 */
import type { Clock } from '../../../streams/index.ts'
import { topics } from '../../../schemas/index.ts'
import { privacy } from '../../../topologies/index.ts'
import type { EmbeddedLog } from '../../../transports/embedded/index.ts'
import { appendErasures } from './erasures.ts'
import type { Eraser } from './key-port.ts'

/** A setting of the log: bytes of deleted keys may be on the disk. */
export const SWEEP_DUE = 'cli.privacy-sweep-due'
/** Until the topology has processed what the log has. */
const LOOK_MS = 200
const topic = topics.privacyKey.name

export interface EraserParts {
  readonly log: EmbeddedLog
  readonly directory: string
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly onFault: (fault: unknown) => void
}

export class EmbeddedEraser implements Eraser {
  readonly #parts: EraserParts
  #noting: Promise<void> = Promise.resolve()
  #noted = 0
  /** The one that runs, and whether another was asked for since it began. */
  #sweeping: Promise<void> | undefined
  #again = false
  #closed = false
  #wake: (() => void) | undefined

  constructor(parts: EraserParts) {
    this.#parts = parts
  }

  /** Ends what a crash has interrupted. Call it once the topologies run. */
  async resume(): Promise<void> {
    if ((await this.#parts.log.setting(SWEEP_DUE)) === true) this.sweep()
  }

  note(userId: string): Promise<void> {
    const { log, directory, clock } = this.#parts
    const line = async (): Promise<void> => {
      this.#noted += 1
      await appendErasures(directory, [{ userId, at: clock.now() }])
      await log.putSetting(SWEEP_DUE, true)
    }
    const noted = this.#noting.then(line)
    this.#noting = noted.catch(() => undefined)
    return noted
  }

  sweep(): void {
    this.#again = true
    this.#sweeping ??= this.#sweep()
      .catch((fault: unknown) => {
        if (!this.#closed) this.#parts.onFault(fault)
      })
      .finally(() => (this.#sweeping = undefined))
  }

  /** Resolves when nothing is swept any more; what was not ended is due at the next start. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    this.#wake?.()
    await this.#noting
    await this.#sweeping
  }

  async #sweep(): Promise<void> {
    const { log } = this.#parts
    while (this.#again && !this.#closed) {
      this.#again = false
      const noted = this.#noted
      if (!(await this.#processed())) return
      await log.purge({ topic, topology: privacy.name })
      // One that was noted meanwhile has another sweep.
      if (!this.#again && noted === this.#noted) await log.putSetting(SWEEP_DUE, undefined)
    }
  }

  /** Waits until all readers have passed what the topic holds now; false once it is closed. */
  async #processed(): Promise<boolean> {
    const { log, clock } = this.#parts
    const read = () => log.stats().partitions.filter((partition) => partition.topic === topic)
    const ends = read().map(({ end }) => end)
    while (read().some(({ held }, index) => held < (ends[index] as number))) {
      await new Promise<void>((resolve) => {
        const cancel = clock.after(LOOK_MS, resolve)
        this.#wake = () => {
          cancel()
          resolve()
        }
      })
      if (this.#closed) return false
    }
    return !this.#closed
  }
}
