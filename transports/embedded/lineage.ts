/**
 * Lineage and headers of a record in few bytes: UUIDs and trace contexts in binary, ids that repeat another one by a
 * flag, the cause's topic by its number.
 *
 * Two flag bytes (two bits each for eventId, correlationId, causationId, traceparent; then cause and headers), then
 * what they say is there, in this order.
 */
import { type Cause, type Headers, type Lineage, NO_HEADERS } from '../../streams/index.ts'
import { Cursor, writeSigned, writeVarint } from './varint.ts'

const ABSENT = 0
const BINARY = 1
const TEXT = 2
/** correlationId: same as eventId. causationId: same as correlationId. */
const SAME = 3

const CAUSE_BY_NUMBER = 1
const CAUSE_BY_NAME = 2
const HAS_HEADERS = 4

const NUMBER_BYTES = 8
const NOT_A_DIGIT = 0x80

/** Values of hex digits; negative for every other character. */
const nibbles = new Int8Array(65536).fill(-1)
for (let i = 0; i < 16; i++) nibbles['0123456789abcdef'.charCodeAt(i)] = i

/** Numbers of topics, both ways. */
export interface TopicNumbers {
  numberOf(name: string): number | undefined
  nameOf(topic: number): string | undefined
}

export interface Provenance {
  readonly lineage: Lineage | undefined
  readonly headers: Headers
}

/** Bytes that `writeProvenance` needs at most. */
export function provenanceBound(lineage: Lineage | undefined, headers: Headers): number {
  let bytes = 2 + NUMBER_BYTES
  if (lineage !== undefined) {
    bytes += textBound(lineage.eventId) + textBound(lineage.causationId) + textBound(lineage.correlationId)
    bytes += textBound(lineage.traceparent)
    if (lineage.cause !== undefined) bytes += textBound(lineage.cause.topic) + 4 * NUMBER_BYTES
  }
  for (const [name, value] of headers) bytes += textBound(name) + value.length + NUMBER_BYTES
  return bytes
}

/** `appendTime` is the record's own; the cause's timestamp is kept relative to it. */
export function writeProvenance(
  into: Buffer,
  start: number,
  lineage: Lineage | undefined,
  headers: Headers,
  appendTime: number,
  topics: TopicNumbers,
): number {
  let at = start + 2
  let rest = 0
  into[start] = 0
  if (lineage !== undefined) {
    const { eventId, correlationId, causationId, traceparent, cause } = lineage
    at = writeId(into, start, at, 0, eventId, undefined)
    at = writeId(into, start, at, 2, correlationId, eventId)
    at = writeId(into, start, at, 4, causationId, correlationId)
    at = writeId(into, start, at, 6, traceparent, undefined)
    if (cause !== undefined) {
      const number = topics.numberOf(cause.topic)
      rest |= number === undefined ? CAUSE_BY_NAME : CAUSE_BY_NUMBER
      at = number === undefined ? writeText(into, at, cause.topic) : writeVarint(into, at, number)
      at = writeVarint(into, at, cause.partition)
      at = writeVarint(into, at, cause.offset)
      at = writeSigned(into, at, cause.timestamp - appendTime)
    }
  }
  if (headers.length > 0) {
    rest |= HAS_HEADERS
    at = writeVarint(into, at, headers.length)
    for (const [name, value] of headers) {
      at = writeText(into, at, name)
      at = writeVarint(into, at, value.length)
      into.set(value, at)
      at += value.length
    }
  }
  into[start + 1] = rest
  return at
}

export function hasHeaders(bytes: Buffer, start: number): boolean {
  return ((bytes[start + 1] as number) & HAS_HEADERS) !== 0
}

/** Throws a `RangeError` on bytes that `writeProvenance` does not write. */
export function readProvenance(
  bytes: Buffer,
  start: number,
  appendTime: number,
  topics: TopicNumbers,
): Provenance {
  const forms = bytes.readUInt8(start)
  const rest = bytes.readUInt8(start + 1)
  const cursor = new Cursor(bytes, start + 2)
  const eventId = readForm(cursor, forms & 3, undefined)
  const correlationId = readForm(cursor, (forms >> 2) & 3, eventId)
  const causationId = readForm(cursor, (forms >> 4) & 3, correlationId)
  const traceparent = readForm(cursor, forms >> 6, undefined)
  const cause = (rest & (CAUSE_BY_NUMBER | CAUSE_BY_NAME)) === 0 ? undefined : readCause()

  function readCause(): Cause {
    const byNumber = (rest & CAUSE_BY_NUMBER) !== 0
    const topic = byNumber ? topics.nameOf(cursor.varint()) : cursor.text(cursor.varint())
    if (topic === undefined) throw new RangeError('A cause names a topic that is not there')
    const partition = cursor.varint()
    const offset = cursor.varint()
    return { topic, partition, offset, timestamp: cursor.signed() + appendTime }
  }

  return {
    lineage: eventId === undefined ? undefined : { eventId, causationId, correlationId, traceparent, cause },
    headers: (rest & HAS_HEADERS) === 0 ? NO_HEADERS : readHeaders(cursor),
  }
}

function readHeaders(cursor: Cursor): Headers {
  const count = cursor.varint()
  const headers: [string, Buffer][] = []
  for (let i = 0; i < count; i++) {
    const name = cursor.text(cursor.varint())
    headers.push([name, cursor.slice(cursor.varint())])
  }
  return headers
}

/** Writes an id in its shortest form, and which form that is into two bits of the byte at `flags`. */
function writeId(
  into: Buffer,
  flags: number,
  at: number,
  shift: number,
  id: string | undefined,
  same: string | undefined,
): number {
  if (id === undefined) return at
  const isSame = id === same
  const end = isSame ? at : writeHex(into, at, id)
  const form = isSame ? SAME : end < 0 ? TEXT : BINARY
  into[flags] = (into[flags] as number) | (form << shift)
  return form === TEXT ? writeText(into, at, id) : end
}

function readForm(cursor: Cursor, form: number, same: string | undefined): string | undefined {
  if (form === ABSENT) return undefined
  if (form === SAME) return same
  const length = cursor.varint()
  if (form === TEXT) return cursor.text(length)
  const shape = length === uuid.pairs.length ? uuid : trace
  if (length !== shape.pairs.length) throw new RangeError('An id of another length')
  return readHex(cursor, shape)
}

function writeText(into: Buffer, at: number, text: string): number {
  const length = Buffer.byteLength(text)
  const start = writeVarint(into, at, length)
  into.write(text, start, length, 'utf8')
  return start + length
}

/** A text of hex digits with dashes in it. */
interface HexShape {
  /** Where its pairs of digits begin; the dashes are between them. */
  readonly pairs: Uint8Array
  /** The dashes are in place; each reading writes the digits over those of the last. */
  readonly scratch: Buffer
}

const uuid = shapeOf('xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx')
const trace = shapeOf(`xx-${'x'.repeat(32)}-${'x'.repeat(16)}-xx`)
const DASH = 0x2d
const DIGITS = Buffer.from('0123456789abcdef')

function shapeOf(text: string): HexShape {
  const starts: number[] = []
  for (let i = 0; i < text.length; i += text[i] === '-' ? 1 : 2) if (text[i] !== '-') starts.push(i)
  return { pairs: Uint8Array.from(starts), scratch: Buffer.from(text, 'latin1') }
}

function readHex(cursor: Cursor, { pairs, scratch }: HexShape): string {
  const { bytes } = cursor
  const at = cursor.skip(pairs.length)
  for (let i = 0; i < pairs.length; i++) {
    const byte = bytes[at + i] as number
    const start = pairs[i] as number
    scratch[start] = DIGITS[byte >>> 4] as number
    scratch[start + 1] = DIGITS[byte & 15] as number
  }
  return scratch.toString('latin1')
}

/**
 * A UUID (36 characters) or trace context (55) as bytes, after their number. -1 for any other text, also in capitals,
 * since they would be read back as small letters.
 */
function writeHex(into: Buffer, at: number, text: string): number {
  const shape = text.length === uuid.scratch.length ? uuid : trace
  const { pairs } = shape
  if (text.length !== shape.scratch.length) return -1
  let wrong = 0
  let expected = 0
  let end = at + 1
  for (let i = 0; i < pairs.length; i++) {
    const start = pairs[i] as number
    if (start !== expected) wrong |= text.charCodeAt(expected) ^ DASH
    const high = nibbles[text.charCodeAt(start)] as number
    const low = nibbles[text.charCodeAt(start + 1)] as number
    // Not a digit is -1, which no combination makes positive.
    wrong |= (high | low) & NOT_A_DIGIT
    into[end++] = (high << 4) | low
    expected = start + 2
  }
  into[at] = pairs.length
  return wrong === 0 ? end : -1
}

function textBound(text: string | undefined): number {
  return text === undefined ? 0 : text.length * 3 + NUMBER_BYTES
}
