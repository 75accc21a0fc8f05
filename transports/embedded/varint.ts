/**
 * Whole numbers in as few bytes as they need: seven bits a byte, least first, the top bit set on all but the last.
 * Signed numbers are folded (0, -1, 1, -2 … become 0, 1, 2, 3 …), so that small ones stay short either way.
 */

/** Signed numbers must lie within ± this. */
export const MAX_SIGNED = 2 ** 51

/** Writes `value` (0 to 2^53 - 1) at `at`; answers the position after it. */
export function writeVarint(into: Buffer, at: number, value: number): number {
  let rest = value
  while (rest > 0x7fffffff) {
    into[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest > 0x7f) {
    into[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  into[at++] = rest
  return at
}

export function writeSigned(into: Buffer, at: number, value: number): number {
  return writeVarint(into, at, value >= 0 ? value * 2 : value * -2 - 1)
}

/** Where a reader of varints stands in its bytes; functions that read move `at` forward. */
export class Cursor {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  /** Throws a `RangeError` where the bytes end too early, as everything that reads here does. */
  varint(): number {
    const bytes = this.bytes
    let byte = this.#byte()
    if (byte < 0x80) return byte
    let value = byte & 0x7f
    let scale = 128
    do {
      byte = this.#byte()
      value += (byte & 0x7f) * scale
      scale *= 128
    } while (byte >= 0x80 && this.at < bytes.length)
    if (byte >= 0x80 || value > Number.MAX_SAFE_INTEGER) throw new RangeError('A number has no end')
    return value
  }

  signed(): number {
    const folded = this.varint()
    return folded % 2 === 0 ? folded / 2 : (folded + 1) / -2
  }

  double(): number {
    const value = this.bytes.readDoubleBE(this.at)
    this.at += 8
    return value
  }

  slice(length: number): Buffer {
    const start = this.skip(length)
    return this.bytes.subarray(start, this.at)
  }

  text(length: number): string {
    const start = this.skip(length)
    return this.bytes.toString('utf8', start, this.at)
  }

  /** Moves over so many bytes; answers where they begin. */
  skip(length: number): number {
    const start = this.at
    if (start + length > this.bytes.length) throw new RangeError('The bytes end too early')
    this.at = start + length
    return start
  }

  #byte(): number {
    const byte = this.bytes[this.at++]
    if (byte === undefined) throw new RangeError('The bytes end too early')
    return byte
  }
}

/** Bytes of small rows, written one after the other; grows as needed. */
export class ByteWriter {
  #bytes: Buffer
  #at = 0

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  varint(value: number): this {
    this.#reserve(8)
    this.#at = writeVarint(this.#bytes, this.#at, value)
    return this
  }

  signed(value: number): this {
    this.#reserve(8)
    this.#at = writeSigned(this.#bytes, this.#at, value)
    return this
  }

  double(value: number): this {
    this.#reserve(8)
    this.#at = this.#bytes.writeDoubleBE(value, this.#at)
    return this
  }

  /** The text's length in bytes, then its UTF-8. */
  text(value: string): this {
    const length = Buffer.byteLength(value)
    this.varint(length)
    this.#reserve(length)
    this.#at += this.#bytes.write(value, this.#at, length, 'utf8')
    return this
  }

  /** A copy of what was written. */
  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#at))
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + length))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}
