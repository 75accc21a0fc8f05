/**
 * What LZ4 and Snappy inflate into: literals from the source, and matches, which repeat what is already there. Grows as
 * it is filled and never beyond its limit.
 */

/** Up to here a loop is faster than a call. Bytes. */
const LOOP_BYTES_MAX = 32
const CAPACITY_MIN = 256

export class GrowingOutput {
  #bytes: Buffer
  #length = 0
  readonly #maxBytes: number
  readonly #tooLarge: () => Error

  /** `expected`: bytes to begin with. `tooLarge` makes the error for going beyond `maxBytes`. */
  constructor(expected: number, maxBytes: number, tooLarge: () => Error) {
    this.#bytes = Buffer.allocUnsafe(Math.min(Math.max(expected, CAPACITY_MIN), maxBytes))
    this.#maxBytes = maxBytes
    this.#tooLarge = tooLarge
  }

  get length(): number {
    return this.#length
  }

  /** Throws already now where so many more bytes would be too many. */
  expect(count: number): void {
    if (this.#length + count > this.#maxBytes) throw this.#tooLarge()
  }

  literals(source: Buffer, from: number, end: number): void {
    const count = end - from
    const at = this.#grow(count)
    const bytes = this.#bytes
    if (count > LOOP_BYTES_MAX) source.copy(bytes, at, from, end)
    else for (let i = 0; i < count; i++) bytes[at + i] = source[from + i] as number
  }

  /** Repeats `count` bytes from `distance` back; false where there is nothing so far back. */
  match(distance: number, count: number): boolean {
    if (distance <= 0 || distance > this.#length) return false
    const at = this.#grow(count)
    const bytes = this.#bytes
    if (count > LOOP_BYTES_MAX && distance >= count)
      bytes.copyWithin(at, at - distance, at - distance + count)
    // Byte by byte, since a match may repeat what it has itself just written.
    else for (let i = at; i < at + count; i++) bytes[i] = bytes[i - distance] as number
    return true
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Makes room for `count` more bytes; answers where they go. */
  #grow(count: number): number {
    const at = this.#length
    const length = at + count
    if (length > this.#maxBytes) throw this.#tooLarge()
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.min(Math.max(this.#bytes.length * 2, length), this.#maxBytes))
      this.#bytes.copy(larger, 0, 0, at)
      this.#bytes = larger
    }
    this.#length = length
    return at
  }
}
