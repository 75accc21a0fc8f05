/** Fingerprints of partitions: equal where all records, or all rows, are equal and in the same order. Pure. */
import { createHash, type Hash } from 'node:crypto'
import type { StoredRow } from '../../../state/index.ts'
import type { Lineage } from '../../../streams/index.ts'
import type { PlacedRecord } from '../../../transports/kafka/index.ts'

const NULL_LENGTH = -1
const NUMBER_BYTES = 8
/** Hexadecimal digits that are shown. */
const DIGITS = 16

export interface Fingerprint {
  /** Records, or rows. */
  readonly count: number
  /** Hexadecimal. */
  readonly digest: string
}

export class PartitionDigest {
  readonly #hash: Hash = createHash('sha256')
  #count = 0

  addRecord({ offset, key, value, timestamp, lineage, headers }: PlacedRecord): void {
    this.#number(offset).#number(timestamp).#bytes(key).#bytes(value)
    this.#texts(lineageTexts(lineage)).#number(headers.length)
    // Names that lineage has as well may change places with it on the way.
    for (const [name, bytes] of headers.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      this.#bytes(Buffer.from(name)).#bytes(bytes)
    this.#count++
  }

  addRow({ key, value, version }: StoredRow): void {
    this.#bytes(key).#bytes(value).#number(version)
    this.#count++
  }

  /** Ends it. */
  finish(): Fingerprint {
    return { count: this.#count, digest: this.#hash.digest('hex').slice(0, DIGITS) }
  }

  #number(value: number): this {
    const bytes = Buffer.allocUnsafe(NUMBER_BYTES)
    bytes.writeDoubleBE(value)
    this.#hash.update(bytes)
    return this
  }

  #bytes(bytes: Buffer | null): this {
    this.#number(bytes?.length ?? NULL_LENGTH)
    if (bytes !== null) this.#hash.update(bytes)
    return this
  }

  #texts(texts: readonly (string | undefined)[]): this {
    for (const text of texts) this.#bytes(text === undefined ? null : Buffer.from(text))
    return this
  }
}

function lineageTexts(lineage: Lineage | undefined): readonly (string | undefined)[] {
  const { eventId, causationId, correlationId, traceparent, cause } = lineage ?? {}
  const place = cause && `${cause.topic} ${cause.partition} ${cause.offset} ${cause.timestamp}`
  return [eventId, causationId, correlationId, traceparent, place]
}
