/** Arbitrary values of a schema, for fast-check. */
import fc from 'fast-check'
import { namedTypes, type NamedTypes } from '../../../schemas/named-types.ts'
import { isUnion, type AvroRecord, type AvroSchema } from '../../../schemas/record-schema.ts'

export function valuesOf(record: AvroRecord): fc.Arbitrary<unknown> {
  const types = namedTypes(record)
  return arbitrary(types, types.root)
}

function arbitrary(types: NamedTypes, reference: AvroSchema): fc.Arbitrary<unknown> {
  const schema = types.deref(reference)
  if (typeof schema === 'string') return primitive(schema)
  if (isUnion(schema)) return fc.oneof(...schema.map((branch) => arbitrary(types, branch)))
  switch (schema.type) {
    case 'record':
      return fc.record(
        Object.fromEntries(schema.fields.map(({ name, type }) => [name, arbitrary(types, type)])),
      )
    case 'enum':
      return fc.constantFrom(...schema.symbols)
    case 'fixed':
      return fc
        .uint8Array({ minLength: schema.size, maxLength: schema.size })
        .map((bytes) => Buffer.from(bytes))
    case 'array':
      return fc.array(arbitrary(types, schema.items), { maxLength: 5 })
    case 'map':
      return fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        arbitrary(types, schema.values),
      )
    default:
      return primitive(schema.type)
  }
}

function primitive(name: string): fc.Arbitrary<unknown> {
  switch (name) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'int':
      return fc.integer()
    case 'long':
      return fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.constantFrom(...edges))
    case 'float':
      return fc.float({ noNaN: true })
    case 'double':
      return fc.double({ noNaN: true })
    case 'bytes':
      return fc.uint8Array().map((bytes) => Buffer.from(bytes))
    default:
      return fc.string({ unit: 'grapheme', maxLength: 80 })
  }
}

/** Longs at which their encoding changes length or arithmetic. */
export const edges: readonly number[] = [6, 13, 20, 26, 27, 28, 34, 41, 48, 49, 52, 53].flatMap((bits) =>
  [-2, -1, 0, 1].flatMap((step) => [2 ** bits + step, -(2 ** bits) + step]).filter(Number.isSafeInteger),
)
