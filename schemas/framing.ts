/** The Confluent wire format: a zero byte, the schema id as four bytes big-endian, then the Avro datum. */
import { DeserializationError } from './errors.ts'

/** Bytes before the datum. */
export const HEADER_BYTES = 5
export const MAX_SCHEMA_ID = 0x7fff_ffff

/** Writes the header at `offset`; `buffer` must have five bytes there. */
export function writeHeader(buffer: Buffer, offset: number, schemaId: number): void {
  buffer[offset] = 0
  buffer[offset + 1] = schemaId >>> 24
  buffer[offset + 2] = schemaId >>> 16
  buffer[offset + 3] = schemaId >>> 8
  buffer[offset + 4] = schemaId
}

/**
 * The schema id in the header of a message.
 * @throws DeserializationError `empty`, `too-short`, `bad-magic`, `unknown-schema` (a negative id)
 */
export function readSchemaId(bytes: Buffer): number {
  if (bytes.length < HEADER_BYTES) {
    if (bytes.length === 0) throw new DeserializationError('empty', 'the value has no bytes')
    throw new DeserializationError('too-short', `${bytes.length} of ${HEADER_BYTES} header bytes`)
  }
  if (bytes[0] !== 0)
    throw new DeserializationError('bad-magic', `the first byte is ${bytes[0]}, not 0`, { offset: 0 })
  const schemaId = bytes.readInt32BE(1)
  if (schemaId < 0)
    throw new DeserializationError('unknown-schema', `schema id ${schemaId}`, { offset: 1, schemaId })
  return schemaId
}

/** `datum` with a header in front; copies. */
export function frame(schemaId: number, datum: Buffer): Buffer {
  const message = Buffer.allocUnsafe(HEADER_BYTES + datum.length)
  writeHeader(message, 0, schemaId)
  datum.copy(message, HEADER_BYTES)
  return message
}
