/**
 * The number of the last batch whose callers were told that it is durable, in a file of its own.
 *
 * The ring of batch numbers shows a batch missing in the middle, but not one missing at the end: LevelDB takes a
 * damaged last batch for one that was never finished. The number here is written after the disk has the batch and before
 * anyone is told. It is not synced itself: after a power cut it may be old, which proves less, but it can never be ahead
 * of what the disk has. Two slots take turns, so that one torn write leaves the other.
 */
import { closeSync, existsSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { StreamsError } from '../../streams/index.ts'

export const acknowledgedFile = 'acknowledged'

/** number(double) crc32(u32), padded. */
const SLOT_BYTES = 16
const CHECKED_BYTES = 8

export class Acknowledged {
  readonly #file: number
  readonly #slot = Buffer.alloc(SLOT_BYTES)
  #last: number

  private constructor(file: number, last: number) {
    this.#file = file
    this.#last = last
  }

  /**
   * A file without a readable slot is `LOG_CORRUPT`; none at all proves nothing and is made.
   */
  static open(directory: string): Acknowledged {
    const path = join(directory, acknowledgedFile)
    const isNew = !existsSync(path)
    const file = openSync(path, isNew ? 'wx+' : 'r+')
    if (isNew) {
      const made = new Acknowledged(file, 0)
      made.set(0)
      // One slot that a power cut cannot take back: zeros in the other prove nothing and are no damage.
      fsyncSync(file)
      return made
    }
    const bytes = Buffer.alloc(2 * SLOT_BYTES)
    const length = readSync(file, bytes, 0, bytes.length, 0)
    const slots = [readSlot(bytes, 0), readSlot(bytes, SLOT_BYTES)].filter((slot) => slot !== undefined)
    if (length > 0 && slots.length === 0) {
      closeSync(file)
      throw new StreamsError(
        'LOG_CORRUPT',
        `${path} is damaged: whether the newest batches are all there cannot be told`,
      )
    }
    return new Acknowledged(file, Math.max(0, ...slots))
  }

  /** The highest number written. */
  get last(): number {
    return this.#last
  }

  set(sequence: number): void {
    const slot = this.#slot
    slot.writeDoubleBE(sequence, 0)
    slot.writeUInt32BE(crc32(slot.subarray(0, CHECKED_BYTES)), CHECKED_BYTES)
    writeSync(this.#file, slot, 0, SLOT_BYTES, (sequence % 2) * SLOT_BYTES)
    this.#last = sequence
  }

  close(): void {
    fsyncSync(this.#file)
    closeSync(this.#file)
  }
}

function readSlot(bytes: Buffer, at: number): number | undefined {
  const right = bytes.readUInt32BE(at + CHECKED_BYTES) === crc32(bytes.subarray(at, at + CHECKED_BYTES))
  return right ? bytes.readDoubleBE(at) : undefined
}
