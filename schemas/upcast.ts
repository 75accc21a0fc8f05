/** Stored values of earlier versions, read as today's. */
import { stateSerde } from './codec.ts'
import { SchemaError } from './errors.ts'
import type { RecordSchema } from './record-schema.ts'
import { recordedDefinition } from './registry.ts'
import type { Serde } from './serde.ts'

/** What a store needs to read values that were written with an older recorded version of its schema. */
export function upcastOf<T>(schema: RecordSchema<T>): (version: number, payload: Buffer) => T {
  const readers = new Map<number, Serde<T>>()
  return (version, payload) => {
    const reader = readers.get(version) ?? readerOf(schema, version)
    readers.set(version, reader)
    return reader.deserialize(payload)
  }
}

function readerOf<T>(schema: RecordSchema<T>, version: number): Serde<T> {
  const writer = recordedDefinition(schema.name, version)
  if (writer === undefined)
    throw new SchemaError('invalid-schema', `${schema.name} has no recorded version ${version}`)
  return stateSerde(schema, writer)
}
