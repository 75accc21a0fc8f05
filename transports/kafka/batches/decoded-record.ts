/**
 * A record of a batch. Key, value and header values are views: a record that is kept keeps all bytes that it was read
 * from, the whole Fetch answer or the inflated batch. Who keeps records for longer than it takes to process them
 * copies what it keeps.
 */
import { BatchError } from './errors.ts'
import { headerName } from './header-names.ts'
import { RecordCursor } from './record-cursor.ts'

export type RecordHeaders = readonly (readonly [name: string, value: Buffer | null])[]

const NO_HEADERS: RecordHeaders = Object.freeze([])
/** Two lengths. */
const HEADER_BYTES_MIN = 2

/** Headers are decoded each time they are asked for; `{ ...record }` would lose them. */
export class DecodedRecord {
  readonly offset: number
  /** Epoch milliseconds, by the producer's clock or the log's; -1: the producer gave none. */
  readonly timestamp: number
  /** The timestamp is when the log took the record. */
  readonly logAppendTime: boolean
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly #bytes: Buffer
  readonly #headersAt: number
  readonly #end: number

  /** `bytes` from `headersAt` to before `end`: the count of headers, and the headers. */
  constructor(
    offset: number,
    timestamp: number,
    logAppendTime: boolean,
    key: Buffer | null,
    value: Buffer | null,
    bytes: Buffer,
    headersAt: number,
    end: number,
  ) {
    this.offset = offset
    this.timestamp = timestamp
    this.logAppendTime = logAppendTime
    this.key = key
    this.value = value
    this.#bytes = bytes
    this.#headersAt = headersAt
    this.#end = end
  }

  get hasHeaders(): boolean {
    return this.#bytes[this.#headersAt] !== 0
  }

  /** Throws `BatchError` for headers that cannot be: no broker takes them, so that they are not looked at before. */
  get headers(): RecordHeaders {
    if (!this.hasHeaders) return NO_HEADERS
    try {
      return readHeaders(new RecordCursor(this.#bytes, this.#headersAt), this.#end)
    } catch (cause) {
      throw new BatchError('malformed', this.offset, 'the headers of a record', { cause })
    }
  }
}

function readHeaders(cursor: RecordCursor, end: number): RecordHeaders {
  const count = cursor.varint()
  if (count < 0 || count * HEADER_BYTES_MIN > end - cursor.at) throw new RangeError('they cannot be so many')
  const headers: (readonly [string, Buffer | null])[] = []
  for (let i = 0; i < count; i++) {
    const length = cursor.varint()
    const start = cursor.at
    cursor.at = start + length
    if (length < 0 || cursor.at > end) throw new RangeError('a name runs past the record')
    headers.push([headerName(cursor.bytes, start, cursor.at), cursor.view()])
    if (cursor.at > end) throw new RangeError('a value runs past the record')
  }
  if (cursor.at !== end) throw new RangeError('bytes are left')
  return headers
}
