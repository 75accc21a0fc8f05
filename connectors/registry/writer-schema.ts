/**
 * What a registry says a schema is, up to the point where `schemas/` takes over: there its names, depth and number of
 * types are checked before anything is compiled from it.
 */
import { type AvroSchema, SchemaError } from '../../schemas/index.ts'
import type { RegisteredText } from './client.ts'

/** Bytes of one schema's text. */
export const MAX_SCHEMA_BYTES = 256 * 1024

/** The schema, or why it is none that we read. Ids never change their schema, so neither does the answer. */
export function writerSchema(id: number, found: RegisteredText | 'too-long'): AvroSchema | SchemaError {
  if (found === 'too-long' || Buffer.byteLength(found.text) > MAX_SCHEMA_BYTES)
    return new SchemaError('too-large', `schema id ${id} has more than ${MAX_SCHEMA_BYTES} bytes`)
  if (found.type !== 'AVRO')
    return new SchemaError('invalid-schema', `schema id ${id} is ${found.type.slice(0, 20)}, not Avro`)
  if (found.hasReferences)
    return new SchemaError(
      'invalid-schema',
      `schema id ${id} is not self-contained: it refers to other subjects`,
    )
  try {
    return JSON.parse(found.text) as AvroSchema
  } catch (cause) {
    // Avro allows the name of a type without quotes.
    if (/^[a-z]+$/.test(found.text)) return found.text
    return new SchemaError('invalid-schema', `schema id ${id} is not JSON`, { cause })
  }
}
