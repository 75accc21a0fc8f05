/**
 * Reads the fields of records out of a batch's bytes, one after the other.
 *
 * It does not check that bytes are there: what lies beyond the end reads as 0, and whoever reads a record sees
 * afterwards that it went past the record's end.
 */

const VARINT_BYTES_MAX = 5
const VARLONG_BYTES_MAX = 10

export class RecordCursor {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes
    this.at = at
  }

  /** 32 bits, folded. Throws a `RangeError` when it is longer. */
  varint(): number {
    const byte = this.bytes[this.at++] as number
    return byte > 0x7f ? this.#longVarint(byte) : (byte >>> 1) ^ -(byte & 1)
  }

  /** 64 bits, folded. Beyond 2^53 the nearest number. Throws a `RangeError` when it is longer. */
  varlong(): number {
    const { bytes, at } = this
    const first = bytes[at] as number
    let folded = first & 0x7f
    let scale = 0x80
    let next = at + 1
    for (let byte = first; byte > 0x7f; scale *= 0x80) {
      if (next - at === VARLONG_BYTES_MAX) throw new RangeError('a varlong has no end')
      byte = bytes[next++] as number
      folded += (byte & 0x7f) * scale
    }
    this.at = next
    // The sign is taken from the first byte, since a large number does not hold its lowest bit.
    return first & 1 ? -Math.floor(folded / 2) - 1 : Math.floor(folded / 2)
  }

  /** A length and so many bytes; null for a negative length. A view, which ends where the bytes end. */
  view(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    const start = this.at
    this.at = start + length
    return this.bytes.subarray(start, start + length)
  }

  #longVarint(first: number): number {
    const { bytes, at } = this
    let folded = first & 0x7f
    let next = at
    for (let byte = first; byte > 0x7f; ) {
      const count = next - at + 1
      if (count === VARINT_BYTES_MAX) throw new RangeError('a varint has no end')
      byte = bytes[next++] as number
      folded |= (byte & 0x7f) << (7 * count)
    }
    this.at = next
    return (folded >>> 1) ^ -(folded & 1)
  }
}
