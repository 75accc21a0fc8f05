/**
 * Reads the body of a response. Compact forms are the plain names, as in `Writer`.
 *
 * Invariants:
 * 1. Bytes are not trusted: every length and count is checked against what is left before anything is allocated.
 * 2. Whatever does not fit throws `ProtocolError`, naming the message.
 * 3. Byte strings are views of the response; who keeps them longer copies them.
 */
import { ProtocolError } from './protocol-error.ts'

const UVARINT_BYTES_MAX = 5
const TWO_TO_32 = 2 ** 32

export class Reader {
  readonly #bytes: Buffer
  readonly #message: string
  #at = 0
  #end: number

  /** `message` names what is read, for errors. */
  constructor(bytes: Buffer, message: string) {
    this.#bytes = bytes
    this.#message = message
    this.#end = bytes.length
  }

  int8(): number {
    return this.#bytes.readInt8(this.#take(1))
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  /** 64 bits as a number; throws when it is no safe integer. */
  int64(): number {
    const at = this.#take(8)
    const value = this.#bytes.readInt32BE(at) * TWO_TO_32 + this.#bytes.readUInt32BE(at + 4)
    if (!Number.isSafeInteger(value)) throw this.#error('a number is beyond 2^53')
    return value
  }

  bigint64(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8))
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  uvarint(): number {
    let value = 0
    for (let i = 0; i < UVARINT_BYTES_MAX; i++) {
      const byte = this.#bytes[this.#take(1)] ?? 0
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80 && value < TWO_TO_32) return value
    }
    throw this.#error('a variable-length number has no end')
  }

  /** A UUID in base64url, as Kafka's tools print it. */
  uuid(): string {
    const at = this.#take(16)
    return this.#bytes.toString('base64url', at, at + 16)
  }

  string(): string {
    return this.nullableString() ?? this.#isNull()
  }

  nullableString(): string | null {
    const length = this.uvarint() - 1
    return length < 0 ? null : this.#text(length)
  }

  bytes(): Buffer {
    return this.nullableBytes() ?? this.#isNull()
  }

  nullableBytes(): Buffer | null {
    const length = this.uvarint() - 1
    return length < 0 ? null : this.#view(length)
  }

  array<T>(read: () => T): T[] {
    return this.nullableArray(read) ?? this.#isNull()
  }

  nullableArray<T>(read: () => T): T[] | null {
    return this.#items(this.uvarint() - 1, read)
  }

  classicString(): string {
    const length = this.int16()
    return length < 0 ? this.#isNull() : this.#text(length)
  }

  classicBytes(): Buffer {
    const length = this.int32()
    return length < 0 ? this.#isNull() : this.#view(length)
  }

  classicArray<T>(read: () => T): T[] {
    return this.#items(this.int32(), read) ?? this.#isNull()
  }

  /**
   * The tag section that ends every structure. `read` is called with each tag; what it does not read is passed over.
   * A field that is read only in part, or past its end, is an error.
   */
  tags(read?: (tag: number) => void): void {
    for (let count = this.uvarint(); count > 0; count--) {
      const tag = this.uvarint()
      const length = this.uvarint()
      const start = this.#take(length)
      const end = this.#at
      if (read === undefined) continue
      const outer = this.#end
      this.#at = start
      this.#end = end
      read(tag)
      if (this.#at === start) this.#at = end
      if (this.#at !== end) throw this.#error(`tagged field ${tag} has ${end - this.#at} bytes left`)
      this.#end = outer
    }
  }

  /** Throws when bytes are left. */
  end(): void {
    if (this.#at !== this.#end) throw this.#error(`${this.#end - this.#at} bytes are left`)
  }

  #items<T>(count: number, read: () => T): T[] | null {
    if (count < 0) return null
    // Nothing takes less than a byte, so that a forged count cannot make a long array out of a short response.
    if (count > this.#end - this.#at) throw this.#error(`${count} elements in ${this.#end - this.#at} bytes`)
    const items: T[] = []
    for (let i = 0; i < count; i++) items.push(read())
    return items
  }

  #text(length: number): string {
    const at = this.#take(length)
    return this.#bytes.toString('utf8', at, at + length)
  }

  #view(length: number): Buffer {
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** Moves on by `length` bytes; answers where they begin. */
  #take(length: number): number {
    const at = this.#at
    if (length > this.#end - at) throw this.#error(`${length} bytes are wanted, ${this.#end - at} are left`)
    this.#at = at + length
    return at
  }

  #isNull(): never {
    throw this.#error('null where a value must be')
  }

  #error(why: string): ProtocolError {
    return new ProtocolError(`${this.#message}: ${why}, at byte ${this.#at}`)
  }
}
