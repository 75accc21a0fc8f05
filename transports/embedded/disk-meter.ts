/** How many bytes the data directory takes, without asking the disk at every append. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Written bytes after which the directory is measured again. */
const MEASURE_EVERY_BYTES = 16 * 1024 * 1024

export class DiskMeter {
  readonly #directory: string
  #measured = 0
  #written = 0
  #measuring: Promise<void> | undefined

  constructor(directory: string) {
    this.#directory = directory
  }

  /** As last measured; what was written since is not in it. */
  get bytes(): number {
    return this.#measured
  }

  wrote(bytes: number): void {
    this.#written += bytes
    if (this.#written >= MEASURE_EVERY_BYTES) void this.measure()
  }

  /** Never rejects: files come and go while LevelDB works, and a size that cannot be had leaves the last one. */
  measure(): Promise<void> {
    this.#measuring ??= this.#measure().finally(() => (this.#measuring = undefined))
    return this.#measuring
  }

  async #measure(): Promise<void> {
    this.#written = 0
    const names = await readdir(this.#directory).catch(() => undefined)
    if (names === undefined) return
    const sizes = await Promise.all(
      names.map((name) =>
        stat(join(this.#directory, name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    )
    this.#measured = sizes.reduce((sum, size) => sum + size, 0)
  }
}
