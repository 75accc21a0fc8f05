/**
 * Writes the body of a request. Strings, byte strings and arrays are compact, as in all flexible versions; the
 * `classic` ones have lengths of fixed width, as in older versions and in what group members store with the broker.
 *
 * Not its job: knowing any message. Numbers outside their field's width throw a `RangeError`.
 */

const UVARINT_BYTES_MAX = 5
const TWO_TO_32 = 2 ** 32

/** 16 zero bytes as text: the id of a topic that is given by name. */
export const NO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

export class Writer {
  #bytes: Buffer
  #at = 0

  /** `capacity`: bytes expected; more are taken as needed. */
  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  int8(value: number): this {
    this.#reserve(1)
    this.#at = this.#bytes.writeInt8(value, this.#at)
    return this
  }

  int16(value: number): this {
    this.#reserve(2)
    this.#at = this.#bytes.writeInt16BE(value, this.#at)
    return this
  }

  int32(value: number): this {
    this.#reserve(4)
    this.#at = this.#bytes.writeInt32BE(value, this.#at)
    return this
  }

  /** 64 bits for offsets, times and durations, which are numbers here. */
  int64(value: number): this {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no safe integer`)
    this.#reserve(8)
    const high = Math.floor(value / TWO_TO_32)
    this.#at = this.#bytes.writeInt32BE(high, this.#at)
    this.#at = this.#bytes.writeUInt32BE(value - high * TWO_TO_32, this.#at)
    return this
  }

  /** 64 bits for producer ids. */
  bigint64(value: bigint): this {
    this.#reserve(8)
    this.#at = this.#bytes.writeBigInt64BE(value, this.#at)
    return this
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  /** 0 to 2^32 - 1, seven bits a byte, least first. */
  uvarint(value: number): this {
    this.#reserve(UVARINT_BYTES_MAX)
    let rest = value
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#at++] = rest
    return this
  }

  /** A UUID in base64url, as Kafka's tools print it. */
  uuid(value: string): this {
    const bytes = Buffer.from(value, 'base64url')
    if (bytes.length !== 16) throw new RangeError(`${value} is no UUID`)
    return this.raw(bytes)
  }

  string(value: string): this {
    const length = Buffer.byteLength(value)
    return this.uvarint(length + 1).#text(value, length)
  }

  nullableString(value: string | null): this {
    return value === null ? this.uvarint(0) : this.string(value)
  }

  bytes(value: Uint8Array): this {
    return this.uvarint(value.length + 1).raw(value)
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.uvarint(items.length + 1)
    for (const item of items) write(item)
    return this
  }

  nullableArray<T>(items: readonly T[] | null, write: (item: T) => void): this {
    return items === null ? this.uvarint(0) : this.array(items, write)
  }

  /** The tag section that ends every structure; this client sends no tagged field. */
  noTags(): this {
    return this.uvarint(0)
  }

  classicString(value: string): this {
    const length = Buffer.byteLength(value)
    return this.int16(length).#text(value, length)
  }

  classicBytes(value: Uint8Array): this {
    return this.int32(value.length).raw(value)
  }

  classicArray<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length)
    for (const item of items) write(item)
    return this
  }

  raw(value: Uint8Array): this {
    this.#reserve(value.length)
    this.#bytes.set(value, this.#at)
    this.#at += value.length
    return this
  }

  /** What was written, not copied: the writer is used up. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  #text(value: string, length: number): this {
    this.#reserve(length)
    this.#at += this.#bytes.write(value, this.#at, length, 'utf8')
    return this
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + length))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}
