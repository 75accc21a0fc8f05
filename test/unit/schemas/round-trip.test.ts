import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  avroSerde,
  fixedSource,
  fromJson,
  recordedSchemas,
  stateSerde,
  toJson,
} from '../../../schemas/index.ts'
import type { RecordSchema } from '../../../schemas/record-schema.ts'
import { valuesOf } from './arbitrary.ts'

const runs = { numRuns: 100 }

describe.each(recordedSchemas.map((schema) => [schema.name, schema] as const))('%s', (_, schema) => {
  const record: RecordSchema<unknown> = schema
  const values = valuesOf(schema.definition)

  const serdes = [
    { place: 'a store', serde: stateSerde(record) },
    ...(schema.id === null ? [] : [{ place: 'a message', serde: avroSerde(record, fixedSource([schema])) }]),
  ]
  it.each(serdes)('comes back from $place as it was', ({ serde }) => {
    fc.assert(
      fc.property(values, (value) => {
        expect(serde.deserialize(serde.serialize(value))).toEqual(value)
      }),
      runs,
    )
  })

  it.each(['plain', 'tagged'] as const)('comes back from %s JSON as it was', (unions) => {
    fc.assert(
      fc.property(values.filter(hasNoReservedSymbol), (value) => {
        const json: unknown = JSON.parse(JSON.stringify(toJson(record, value, { unions })))
        expect(fromJson(record, json)).toEqual(value)
      }),
      runs,
    )
  })
})

/** JSON from outside may not use the symbol that only readers see. */
function hasNoReservedSymbol(value: unknown): boolean {
  return !JSON.stringify(value).includes('"UNKNOWN"')
}
