/** Where schemas and their ids come from. */
import { recordedSchemas } from './generated/versions.ts'
import type { AvroRecord, AvroSchema } from './record-schema.ts'

/** One recorded version of a schema. */
export interface RecordedSchema {
  /** The id in the header of a message; null for a stored value. */
  readonly id: number | null
  readonly name: string
  readonly version: number
  readonly definition: AvroRecord
}

/**
 * Gives schemas by id and ids of schemas, without waiting: what has to be fetched is fetched before, by whoever owns
 * the connection.
 */
export interface SchemaSource {
  /**
   * The writer's schema; `undefined`: not known here yet, load it and try again; `null`: there is none. Throws the
   * SchemaError of one that is refused.
   */
  byId(id: number): AvroSchema | null | undefined
  /** The id to write `record` (a full name) with, or undefined if it is not registered. */
  idOf(record: string): number | undefined
  /** Fetches a schema that is not known yet. Ends, and never rejects, when it is worth asking `byId` again. */
  load?(id: number): Promise<void>
}

/** The ids that are committed with the code: embedded mode, tests, simulation. They never change. */
export const embeddedSchemas: SchemaSource = fixedSource(recordedSchemas)

/** A source of exactly these schemas; a record is written with the last one of its name. */
export function fixedSource(
  schemas: readonly { readonly id: number | null; readonly name: string; readonly definition: AvroSchema }[],
): SchemaSource {
  const withId = schemas.flatMap(({ id, name, definition }) =>
    id === null ? [] : [{ id, name, definition }],
  )
  const definitions = new Map(withId.map(({ id, definition }) => [id, definition]))
  const ids = new Map(withId.map(({ id, name }) => [name, id]))
  return {
    byId: (id) => definitions.get(id) ?? null,
    idOf: (record) => ids.get(record),
  }
}

/** A recorded version of a record: what a store that was opened with that version was written with. */
export function recordedDefinition(name: string, version: number): AvroRecord | undefined {
  return recordedSchemas.find((each) => each.name === name && each.version === version)?.definition
}
