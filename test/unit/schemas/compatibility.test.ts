import { describe, expect, it } from 'vitest'
import { checkCompatibility, recordedSchemas } from '../../../schemas/index.ts'
import type { AvroField, AvroRecord } from '../../../schemas/record-schema.ts'

const names = [...new Set(recordedSchemas.map(({ name }) => name))]

describe.each(names)('%s', (name) => {
  it('is fully compatible with itself and all its versions, in every pair', () => {
    const versions = recordedSchemas.filter((each) => each.name === name)
    for (const newer of versions) {
      for (const older of versions) expect(checkCompatibility(newer.definition, older.definition)).toEqual([])
    }
  })

  it('uses only enums that can grow', () => {
    for (const { definition } of recordedSchemas.filter((each) => each.name === name)) {
      for (const found of enumsOf(definition)) expect(found).toMatchObject({ default: 'UNKNOWN' })
    }
  })

  it('has only optional fields that default to null', () => {
    for (const { definition } of recordedSchemas.filter((each) => each.name === name)) {
      for (const field of fieldsOf(definition)) {
        if (Array.isArray(field.type))
          expect(field).toMatchObject({ default: null, type: ['null', expect.anything()] })
      }
    }
  })
})

describe('the compatibility check', () => {
  const base: AvroRecord = {
    type: 'record',
    name: 'R',
    fields: [
      { name: 'kept', type: 'string' },
      { name: 'removable', type: 'int', default: 0 },
      { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['UNKNOWN', 'A'], default: 'UNKNOWN' } },
    ],
  }
  const [kept, removable, kind] = base.fields as readonly [AvroField, AvroField, AvroField]
  const directions = (fields: AvroField[]) =>
    checkCompatibility({ ...base, fields }, base).map(({ direction }) => direction)
  const grown = (symbols: string[], fallback?: string): AvroField => ({
    name: 'kind',
    type: { type: 'enum', name: 'Kind', symbols, ...(fallback !== undefined && { default: fallback }) },
  })

  it('allows a new field with a default, and the loss of one', () => {
    expect(
      directions([kept, removable, kind, { name: 'added', type: ['null', 'int'], default: null }]),
    ).toEqual([])
    expect(directions([kept, kind])).toEqual([])
  })

  it('allows a new symbol where both have a default', () => {
    expect(directions([kept, removable, grown(['UNKNOWN', 'A', 'B'], 'UNKNOWN')])).toEqual([])
  })

  it('allows a type that can be read as the other both ways', () => {
    expect(directions([{ ...kept, type: 'bytes' }, removable, kind])).toEqual([])
  })

  it.each([
    ['a new field without a default', [kept, removable, kind, { name: 'added', type: 'int' }], ['backward']],
    ['the loss of a field without a default', [removable, kind], ['forward']],
    ['a wider number', [kept, { ...removable, type: 'long' }, kind], ['forward']],
    [
      'a narrower number',
      [kept, { ...removable, type: 'boolean', default: false }, kind],
      ['backward', 'forward'],
    ],
    [
      'a field that becomes optional',
      [{ ...kept, type: ['null', 'string'], default: null }, removable, kind],
      ['forward'],
    ],
    ['the loss of a symbol without a default', [kept, removable, grown(['UNKNOWN'])], ['backward']],
    ['a new name', [{ ...kept, name: 'renamed' }, removable, kind], ['backward', 'forward']],
  ] as [string, AvroField[], string[]][])('refuses %s', (_, fields, expected) => {
    expect(directions(fields)).toEqual(expected)
  })
})

function fieldsOf(schema: unknown): AvroField[] {
  if (typeof schema !== 'object' || schema === null) return []
  const own = 'fields' in schema ? (schema as AvroRecord).fields : []
  return [...own, ...Object.values(schema).flatMap(fieldsOf)]
}

function enumsOf(schema: unknown): object[] {
  if (typeof schema !== 'object' || schema === null) return []
  const own = 'symbols' in schema ? [schema] : []
  return [...own, ...Object.values(schema).flatMap(enumsOf)]
}
