/** Values of a schema, drawn from a seed. Without fast-check: whatever is loaded slows down reading the coverage. */
import { type NamedTypes, namedTypes } from '../../schemas/named-types.ts'
import { type AvroRecord, type AvroSchema, isUnion } from '../../schemas/record-schema.ts'
import type { Random } from '../support/random.ts'

const ITEMS_MAX = 3
const TEXTS = ['', 'a', 'c-1', 'x'.repeat(64), '쿠폰 🎟️', '2026-01-01T00:00:00Z']
const NUMBERS = [0, 1, -1, 63, 64, 8_191, 2 ** 31 - 1]
const LONGS = [...NUMBERS, 2 ** 31, -(2 ** 40), 1_700_000_000_000, Number.MAX_SAFE_INTEGER]

export function sampleOf(record: AvroRecord, random: Random): unknown {
  const types = namedTypes(record)
  return sample(types, types.root, random)
}

function sample(types: NamedTypes, reference: AvroSchema, random: Random): unknown {
  const schema = types.deref(reference)
  if (typeof schema === 'string') return primitive(schema, random)
  if (isUnion(schema)) return sample(types, random.pick(schema), random)
  const some = <T>(make: () => T): T[] => Array.from({ length: random.below(ITEMS_MAX + 1) }, make)
  switch (schema.type) {
    case 'record':
      return Object.fromEntries(schema.fields.map(({ name, type }) => [name, sample(types, type, random)]))
    case 'enum':
      return random.pick(schema.symbols)
    case 'fixed':
      return Buffer.alloc(schema.size, random.below(256))
    case 'array':
      return some(() => sample(types, schema.items, random))
    case 'map':
      return Object.fromEntries(some(() => [`k${random.below(9)}`, sample(types, schema.values, random)]))
    default:
      return primitive(schema.type, random)
  }
}

function primitive(name: string, random: Random): unknown {
  switch (name) {
    case 'null':
      return null
    case 'boolean':
      return random.chance(1 / 2)
    case 'int':
      return random.pick(NUMBERS)
    case 'long':
      return random.pick(LONGS)
    case 'float':
    case 'double':
      return random.pick([0, -0.5, 1e6])
    case 'bytes':
      return Buffer.alloc(random.below(9), 7)
    default:
      return random.pick(TEXTS)
  }
}
