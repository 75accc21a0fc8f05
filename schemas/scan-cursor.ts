/** Reads primitives without trusting them, and keeps a scan's counts. */
import { isUtf8 } from 'node:buffer'
import { DeserializationError, type DeserializationErrorCode } from './errors.ts'

export interface ScanLimits {
  /** Estimated bytes of memory that one decoded value may take. */
  readonly maxHeapBytes: number
  /** Records inside records. */
  readonly maxDepth: number
  /** Items of zero bytes (nulls, empty records) in all arrays together. */
  readonly maxEmptyItems: number
  /** `strict` refuses invalid UTF-8; `replace` lets it become U+FFFD. */
  readonly utf8: 'strict' | 'replace'
}

export const defaultScanLimits: ScanLimits = {
  maxHeapBytes: 32 * 1024 * 1024,
  maxDepth: 64,
  maxEmptyItems: 1_000,
  utf8: 'strict',
}

const STRING_BYTES = 24
/** A string up to this long is checked byte by byte; a longer one natively. */
const SHORT_STRING = 64

const EMPTY: Buffer = Buffer.alloc(0)
const PROTO = Buffer.from('__proto__')

/** Where a scan is, and what it has counted. Reused from one datum to the next. */
export class ScanCursor {
  readonly #limits: ScanLimits
  #bytes = EMPTY
  #end = 0
  #pos = 0
  #depth = 0
  #heapBytes = 0
  #emptyItems = 0
  #schemaId: number | undefined

  constructor(limits: ScanLimits) {
    this.#limits = limits
  }

  begin(bytes: Buffer, start: number, schemaId: number | undefined): void {
    this.#schemaId = schemaId
    this.#bytes = bytes
    this.#pos = start
    this.#end = bytes.length
    this.#depth = 0
    this.#heapBytes = 0
    this.#emptyItems = 0
  }

  finish(): void {
    const left = this.#end - this.#pos
    this.#bytes = EMPTY
    if (left > 0) this.fail('trailing-bytes', `${left} bytes left over`)
  }

  get pos(): number {
    return this.#pos
  }

  get left(): number {
    return this.#end - this.#pos
  }

  fail(code: DeserializationErrorCode, detail: string): never {
    throw new DeserializationError(code, detail, { offset: this.#pos, schemaId: this.#schemaId })
  }

  /** Counts memory that the decoded value will take. */
  charge(bytes: number): void {
    this.#heapBytes += bytes
    if (this.#heapBytes > this.#limits.maxHeapBytes) {
      this.fail('too-large', `would take more than ${this.#limits.maxHeapBytes} bytes of memory`)
    }
  }

  enter(): void {
    this.#depth += 1
    if (this.#depth > this.#limits.maxDepth)
      this.fail('too-deep', `nested more than ${this.#limits.maxDepth} deep`)
  }

  leave(): void {
    this.#depth -= 1
  }

  chargeEmptyItems(count: number): void {
    this.#emptyItems += count
    if (this.#emptyItems > this.#limits.maxEmptyItems) {
      this.fail('count-too-large', `more than ${this.#limits.maxEmptyItems} items without bytes`)
    }
  }

  skip(count: number): void {
    if (count > this.#end - this.#pos) this.fail('truncated', `${count} bytes expected, ${this.left} left`)
    this.#pos += count
  }

  byte(): number {
    if (this.#pos >= this.#end) this.fail('truncated', 'a byte expected, none left')
    return this.#bytes[this.#pos++] as number
  }

  /** Passes over a long whose value does not matter, unless it is too large to be exact. */
  skipLong(): void {
    const bytes = this.#bytes
    // Seven bytes hold 49 bits: always exact.
    const safeEnd = Math.min(this.#end, this.#pos + 7)
    for (let pos = this.#pos; pos < safeEnd; ) {
      if ((bytes[pos++] as number) < 0x80) {
        this.#pos = pos
        return
      }
    }
    this.long()
  }

  /** Reads a long. */
  long(): number {
    let low = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte()
      low |= (byte & 0x7f) << shift
      if (byte < 0x80) return (low >>> 1) ^ -(low & 1)
    }
    let high = 0
    let unit = 1
    for (let count = 5; ; count += 1, unit *= 128) {
      const byte = this.byte()
      if (count === 10 && byte > 1) this.fail('bad-varint', 'a long of more than 64 bits')
      high += (byte & 0x7f) * unit
      if (byte < 0x80) break
    }
    const half = high * 0x800_0000 + (low >>> 1)
    const value = (low & 1) === 0 ? half : -half - 1
    if (!Number.isSafeInteger(value)) this.fail('precision', 'a long outside ±(2^53 - 1)')
    return value
  }

  skipInt(): void {
    for (let count = 1; count <= 5; count += 1) {
      const byte = this.byte()
      if (byte < 0x80) {
        if (count === 5 && byte > 0x0f) break
        return
      }
    }
    this.fail('bad-varint', 'an int of more than 32 bits')
  }

  /** Reads the length of bytes that follow, and makes sure that they do. */
  length(): number {
    const length = this.long()
    if (length < 0) this.fail('bad-length', `length ${length}`)
    if (length > this.#end - this.#pos) this.fail('truncated', `${length} bytes expected, ${this.left} left`)
    return length
  }

  /** Passes over a string; returns its bytes' number. */
  string(strict: boolean): number {
    const length = this.length()
    const end = this.#pos + length
    this.charge(STRING_BYTES + length)
    if (strict) this.#checkUtf8(end, length)
    this.#pos = end
    return length
  }

  #checkUtf8(end: number, length: number): void {
    const bytes = this.#bytes
    let pos = this.#pos
    if (length <= SHORT_STRING) while (pos < end && (bytes[pos] as number) < 0x80) pos += 1
    if (pos < end && !isUtf8(bytes.subarray(pos, end))) this.fail('invalid-utf8', 'a string is not UTF-8')
  }

  /** Passes over a map's key. */
  key(strict: boolean): void {
    const length = this.string(strict)
    const end = this.#pos
    if (length === PROTO.length && this.#bytes.subarray(end - length, end).equals(PROTO)) {
      this.fail('proto-key', 'a map has the key __proto__')
    }
  }
}
