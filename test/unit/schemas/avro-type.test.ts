import { describe, expect, it } from 'vitest'
import { avroType } from '../../../schemas/avro-type.ts'
import { checkDefinition, MAX_SCHEMA_DEPTH, MAX_SCHEMA_NODES } from '../../../schemas/definition.ts'
import { SchemaError } from '../../../schemas/errors.ts'
import type { AvroSchema } from '../../../schemas/record-schema.ts'

const map = avroType({ type: 'map', values: 'int' })
const color = avroType({ type: 'enum', name: 'Color', symbols: ['RED', 'BLUE'] })
const text = avroType({ type: 'string' })

describe('a map', () => {
  it('is read into an object without prototype', () => {
    const value: unknown = map.fromBuffer(map.toBuffer({ constructor: 1, b: 2 }))
    expect(Object.getPrototypeOf(value)).toBeNull()
    expect({ ...(value as object) }).toEqual({ constructor: 1, b: 2 })
  })

  it('with the key __proto__ is not written', () => {
    const value: unknown = JSON.parse('{"__proto__": 1}')
    expect(() => map.toBuffer(value)).toThrow('__proto__')
    expect(map.isValid(value)).toBe(false)
  })

  it('with the key __proto__ is read as any other key, where nothing scanned it', () => {
    const bytes = Buffer.concat([Buffer.from([2, 18]), Buffer.from('__proto__'), Buffer.from([10, 0])])
    const value: unknown = map.fromBuffer(bytes)
    expect(Object.keys(value as object)).toEqual(['__proto__'])
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })
})

describe('an enum', () => {
  it.each(['constructor', 'toString', '__proto__', 'GREEN', 0])('has no symbol %s', (symbol) => {
    expect(() => color.toBuffer(symbol)).toThrow()
    expect(color.isValid(symbol)).toBe(false)
  })

  it('reads an unknown symbol as its default', () => {
    const reader = avroType({ type: 'enum', name: 'Color', symbols: ['UNKNOWN', 'RED'], default: 'UNKNOWN' })
    const resolver = reader.createResolver(color)
    expect(reader.fromBuffer(color.toBuffer('RED'), resolver)).toBe('RED')
    expect(reader.fromBuffer(color.toBuffer('BLUE'), resolver)).toBe('UNKNOWN')
  })
})

describe('a string', () => {
  it.each(['', 'a', 'x'.repeat(63), 'x'.repeat(64), 'é'.repeat(63), '쿠폰', '🎟️'.repeat(40), 'a\u0000b'])(
    'such as %j comes back',
    (value) => {
      expect(text.fromBuffer(text.toBuffer(value))).toBe(value)
    },
  )

  it.each(['\ud800', 'a\udc00b', 'x'.repeat(80) + '\ud800'])(
    'with half a surrogate pair is refused: %j',
    (value) => {
      expect(() => text.toBuffer(value)).toThrow('surrogate')
    },
  )

  it('that does not fit reports how many bytes are missing', () => {
    expect(text.encode('hello', Buffer.alloc(3), 0)).toBe(-3)
  })
})

describe('a schema from outside', () => {
  const field = (name: string) => ({ type: 'record', name: 'R', fields: [{ name, type: 'int' }] })

  it.each([
    ['a field named __proto__', field('__proto__'), 'proto-key'],
    ['a symbol named __proto__', { type: 'enum', name: 'E', symbols: ['__proto__'] }, 'proto-key'],
    ['a type named __proto__', { type: 'fixed', name: '__proto__', size: 1 }, 'proto-key'],
    ['a field whose name is code', field('a;process.exit()'), 'invalid-schema'],
    ['a record whose name is code', { type: 'record', name: 'R(){}', fields: [] }, 'invalid-schema'],
    ['a type called constructor', { type: 'constructor' }, 'invalid-schema'],
    ['a reference to constructor', { type: 'array', items: 'constructor' }, 'invalid-schema'],
    ['a reference to nothing', { type: 'array', items: 'Missing' }, 'invalid-schema'],
    [
      'a field twice',
      { type: 'record', name: 'R', fields: [field('a').fields[0], field('a').fields[0]] },
      'invalid-schema',
    ],
    ['a name twice', [field('a'), { ...field('a'), type: 'record' }], 'invalid-schema'],
    ['an empty union', [], 'invalid-schema'],
    ['a union in a union', [['null'], 'int'], 'invalid-schema'],
    ['the same branch twice', ['int', 'int'], 'invalid-schema'],
    ['an enum without symbols', { type: 'enum', name: 'E', symbols: [] }, 'invalid-schema'],
    [
      'a default that does not fit',
      { type: 'record', name: 'R', fields: [{ name: 'a', type: 'int', default: 'x' }] },
      'invalid-schema',
    ],
    ['a fixed of 1 GiB', { type: 'fixed', name: 'F', size: 2 ** 30 }, 'invalid-schema'],
    ['null', null, 'invalid-schema'],
    ['a number', 7, 'invalid-schema'],
    [
      'too many symbols',
      { type: 'enum', name: 'E', symbols: Array.from({ length: MAX_SCHEMA_NODES }, (_, i) => `S${i}`) },
      'too-large',
    ],
    ['too many levels', nested(MAX_SCHEMA_DEPTH + 1), 'too-deep'],
    ['very many levels', nested(50_000), 'too-deep'],
  ])('with %s is refused', (_, schema, code) => {
    const error = caught(() => avroType(schema as unknown as AvroSchema))
    expect(error).toBeInstanceOf(SchemaError)
    expect((error as SchemaError).code).toBe(code)
  })

  it('gets its names in full', () => {
    const schema = checkDefinition({
      type: 'record',
      name: 'Outer',
      namespace: 'a.b',
      aliases: ['Old'],
      fields: [
        { name: 'first', type: { type: 'enum', name: 'Kind', symbols: ['X'] } },
        { name: 'second', type: 'Kind' },
        { name: 'third', type: ['null', { type: 'record', name: 'c.Inner', fields: [] }] },
        { name: 'more', type: { type: 'array', items: 'Outer' } },
      ],
    })
    expect(JSON.stringify(schema)).not.toContain('namespace')
    expect(schema).toMatchObject({
      name: 'a.b.Outer',
      aliases: ['a.b.Old'],
      fields: [
        { type: { name: 'a.b.Kind' } },
        { type: 'a.b.Kind' },
        { type: ['null', { name: 'c.Inner' }] },
        { type: { items: 'a.b.Outer' } },
      ],
    })
  })
})

function nested(levels: number): unknown {
  let schema: unknown = 'int'
  for (let i = 0; i < levels; i += 1) schema = { type: 'array', items: schema }
  return schema
}

function caught(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}
