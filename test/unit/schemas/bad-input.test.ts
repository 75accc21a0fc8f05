/** The rows of the reliability table that concern Avro, one test each. */
import { describe, expect, it } from 'vitest'
import {
  avroSerde,
  DeserializationError,
  embeddedSchemas,
  fixedSource,
  frame,
  topics,
  type AvroSerdeOptions,
  type CouponIssued,
  type DeserializationErrorCode,
  type SchemaSource,
} from '../../../schemas/index.ts'
import type { AvroField, AvroRecord, AvroSchema, RecordSchema } from '../../../schemas/record-schema.ts'

const issued: CouponIssued = {
  requestId: 'r-1',
  couponId: 'c-1',
  userCouponId: 'uc-1',
  userId: 'u-1',
  sequence: 1,
  shard: 0,
  sourceOffset: 41,
  issuedAt: 1_700_000_000_000,
  expiresAt: null,
  campaignRevision: 0,
  discount: null,
}
const { value: serde } = topics.couponIssued
const good = serde.serialize(issued)

function codeOf(run: () => unknown): DeserializationErrorCode | undefined {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(DeserializationError)
    return (error as DeserializationError).code
  }
  return undefined
}

/** Decodes `datum` as a record of one field `x`. */
function decode(type: AvroSchema, datum: readonly number[] | Buffer, options?: AvroSerdeOptions): unknown {
  const field: AvroField = { name: 'x', type }
  const definition: AvroRecord = { type: 'record', name: 'One', namespace: 'test', fields: [field] }
  const schema: RecordSchema<{ x: unknown }> = { name: 'test.One', version: 1, definition }
  const one = avroSerde(schema, fixedSource([{ id: 1, ...schema }]), options)
  return one.deserialize(frame(1, Buffer.from(datum))).x
}

function decodeCode(...args: Parameters<typeof decode>): DeserializationErrorCode | undefined {
  return codeOf(() => decode(...args))
}

const HUGE_COUNT = [0x80, 0xd0, 0xac, 0xf3, 0x0e] // 2·10⁹

describe('a message without a proper header', () => {
  it('of no bytes is refused', () => {
    expect(codeOf(() => serde.deserialize(Buffer.alloc(0)))).toBe('empty')
  })

  it.each([1, 2, 3, 4])('of %d bytes is refused', (length) => {
    expect(codeOf(() => serde.deserialize(good.subarray(0, length)))).toBe('too-short')
  })

  it.each([1, 0x7b, 0xff])('that starts with %d instead of 0 is refused', (magic) => {
    const bytes = Buffer.from(good)
    bytes[0] = magic
    expect(codeOf(() => serde.deserialize(bytes))).toBe('bad-magic')
  })
})

describe('a schema id', () => {
  const withId = (id: number) => {
    const bytes = Buffer.from(good)
    bytes.writeInt32BE(id, 1)
    return bytes
  }

  it('that nobody gave is refused', () => {
    expect(codeOf(() => serde.deserialize(withId(9_999)))).toBe('unknown-schema')
  })

  it.each([-1, -(2 ** 31)])('of %d is refused without a look-up', (id) => {
    const lookups: number[] = []
    const source: SchemaSource = { ...embeddedSchemas, byId: (asked) => void lookups.push(asked) }
    const watched = avroSerde(topics.couponIssued.schema, source)
    expect(codeOf(() => watched.deserialize(withId(id)))).toBe('unknown-schema')
    expect(lookups).toEqual([])
  })

  it('that is not loaded yet can be tried again', () => {
    let loaded = false
    const source: SchemaSource = {
      ...embeddedSchemas,
      byId: (id) => (loaded ? embeddedSchemas.byId(id) : undefined),
    }
    const waiting = avroSerde(topics.couponIssued.schema, source)
    try {
      waiting.deserialize(good)
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({
        code: 'schema-not-loaded',
        retriable: true,
        schemaId: good.readInt32BE(1),
      })
    }
    loaded = true
    expect(waiting.deserialize(good)).toEqual(issued)
  })

  it('of another record is refused, and compiled only once', () => {
    const bytes = topics.cartChanged.value.serialize({ userId: 'u-1', items: [] })
    const error = thrown(() => serde.deserialize(bytes))
    expect(error).toMatchObject({ code: 'incompatible-schema', retriable: false })
    expect(thrown(() => serde.deserialize(bytes))).toBe(error)
    expect(serde.deserialize(good)).toEqual(issued)
  })
})

describe('a datum', () => {
  it('that ends early is refused at every length', () => {
    for (let length = 5; length < good.length; length += 1) {
      expect(codeOf(() => serde.deserialize(good.subarray(0, length)))).toBe('truncated')
    }
  })

  it('with bytes left over is refused', () => {
    expect(codeOf(() => serde.deserialize(Buffer.concat([good, Buffer.of(0)])))).toBe('trailing-bytes')
  })

  it('says where it is broken and by which schema it was read', () => {
    const error = thrown(() => serde.deserialize(good.subarray(0, good.length - 1)))
    expect(error).toMatchObject({ offset: good.length - 1, schemaId: good.readInt32BE(1) })
  })

  it.each([4, 1])('with the union branch %d is refused', (index) => {
    expect(decodeCode(['null', 'int'], [index, 0])).toBe('bad-union-index')
  })

  it.each([4, 1])('with the enum symbol %d is refused', (index) => {
    expect(decodeCode({ type: 'enum', name: 'E', symbols: ['A', 'B'] }, [index])).toBe('bad-enum-index')
  })

  it('with a boolean other than 0 and 1 is refused', () => {
    expect(decodeCode('boolean', [2])).toBe('bad-boolean')
  })

  it('with an int of more than 32 bits is refused', () => {
    expect(decodeCode('int', [0xff, 0xff, 0xff, 0xff, 0x0f])).toBeUndefined()
    expect(decodeCode('int', [0xff, 0xff, 0xff, 0xff, 0x1f])).toBe('bad-varint')
    expect(decodeCode('int', [0x80, 0x80, 0x80, 0x80, 0x80, 0x00])).toBe('bad-varint')
  })

  it('with a long of more than 64 bits is refused', () => {
    expect(decodeCode('long', [...Array<number>(9).fill(0x80), 0x02])).toBe('bad-varint')
    expect(decodeCode('long', [...Array<number>(10).fill(0x80), 0x00])).toBe('bad-varint')
  })

  it('with a negative length is refused', () => {
    expect(decodeCode('string', [1])).toBe('bad-length')
    expect(decodeCode('bytes', [1])).toBe('bad-length')
  })

  it('with a string or bytes longer than the message is refused', () => {
    expect(decodeCode('string', [20, 0x61])).toBe('truncated')
    expect(decodeCode('bytes', HUGE_COUNT)).toBe('truncated')
  })
})

describe('a count that is too large', () => {
  const items: AvroSchema = { type: 'array', items: 'int' }

  it('of 2·10⁹ in a message of six bytes is a plain error', () => {
    expect(decodeCode(items, [...HUGE_COUNT, 0])).toBe('count-too-large')
  })

  it('of 2·10⁹ nulls is a plain error', () => {
    expect(decodeCode({ type: 'array', items: 'null' }, [...HUGE_COUNT, 0])).toBe('count-too-large')
  })

  it('of nulls in many blocks is a plain error', () => {
    const blocks = Array.from({ length: 200 }, () => 20)
    expect(decodeCode({ type: 'array', items: 'null' }, [...blocks, 0])).toBe('count-too-large')
    expect(decode({ type: 'array', items: 'null' }, [20, 20, 0])).toHaveLength(20)
  })

  it('of empty records is a plain error', () => {
    const empty: AvroSchema = { type: 'record', name: 'Empty', fields: [] }
    expect(decodeCode({ type: 'array', items: empty }, [...HUGE_COUNT, 0])).toBe('count-too-large')
  })

  it('in a map is a plain error', () => {
    expect(decodeCode({ type: 'map', values: 'null' }, [...HUGE_COUNT, 0])).toBe('count-too-large')
  })

  it('given as a negative count with a size is a plain error', () => {
    expect(decodeCode(items, [0xff, 0xcf, 0xac, 0xf3, 0x0e, 2, 0, 0])).toBe('count-too-large')
  })

  it('is refused before any memory is taken', () => {
    const before = process.memoryUsage().rss
    for (let i = 0; i < 1_000; i += 1) decodeCode(items, [...HUGE_COUNT, 0])
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024)
  })
})

describe('a block with a size', () => {
  const items: AvroSchema = { type: 'array', items: 'int' }

  it('that matches is read', () => {
    expect(decode(items, [3, 4, 2, 4, 0])).toEqual([1, 2])
  })

  it('that does not match is refused', () => {
    expect(decodeCode(items, [3, 2, 2, 4, 0])).toBe('bad-length')
    expect(decodeCode(items, [3, 6, 2, 4, 0])).toBe('bad-length')
  })
})

describe('a recursion bomb', () => {
  const node: AvroRecord = {
    type: 'record',
    name: 'Node',
    fields: [{ name: 'next', type: ['null', 'Node'] }],
  }
  const tree: AvroRecord = {
    type: 'record',
    name: 'Tree',
    fields: [{ name: 'children', type: { type: 'array', items: 'Tree' } }],
  }

  it('of a list is a plain error', () => {
    expect(decodeCode(node, Buffer.alloc(1_000_000, 2))).toBe('too-deep')
    expect(decode(node, [2, 2, 0])).toEqual({ next: { next: { next: null } } })
  })

  it('of a tree is a plain error', () => {
    expect(decodeCode(tree, Buffer.alloc(1_000_000, 2))).toBe('too-deep')
  })

  it('does not refuse a wide tree', () => {
    const datum = [0xa0, 0x1f, ...Array<number>(2_000).fill(0), 0]
    expect((decode(tree, datum) as { children: unknown[] }).children).toHaveLength(2_000)
  })
})

describe('a value that would take too much memory', () => {
  it('is refused', () => {
    const strings: AvroSchema = { type: 'array', items: 'string' }
    const count = 2_000_000
    const datum = Buffer.concat([Buffer.from([0x80, 0x92, 0xf4, 0x01]), Buffer.alloc(count), Buffer.of(0)])
    expect(decodeCode(strings, datum)).toBe('too-large')
    expect(decode(strings, datum, { maxHeapBytes: 100_000_000 })).toHaveLength(count)
  })
})

describe('a long', () => {
  const beyond = [
    ['2⁵³', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20]],
    ['-2⁵³', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f]],
    ['2⁶³ - 1', [0xfe, ...Array<number>(8).fill(0xff), 0x01]],
    ['-2⁶³', [...Array<number>(9).fill(0xff), 0x01]],
  ] as const

  it.each(beyond)('of %s is refused for its precision', (_, datum) => {
    expect(decodeCode('long', datum)).toBe('precision')
  })

  it.each(beyond)('of %s is refused for its precision among trusted bytes too', (_, datum) => {
    expect(decodeCode('long', datum, { trusted: true })).toBe('precision')
  })

  it('of ±(2⁵³ - 1) is read exactly', () => {
    expect(decode('long', [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f])).toBe(2 ** 53 - 1)
    expect(decode('long', [0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f])).toBe(-(2 ** 53 - 1))
  })
})

describe('a string that is not UTF-8', () => {
  const short = [4, 0xc3, 0x28]
  const long = Buffer.concat([Buffer.from([0xc8, 0x01]), Buffer.alloc(99, 0x61), Buffer.of(0xff)])

  it('is refused', () => {
    expect(decodeCode('string', short)).toBe('invalid-utf8')
    expect(decodeCode('string', long)).toBe('invalid-utf8')
    expect(decodeCode('string', [6, 0xed, 0xa0, 0x80])).toBe('invalid-utf8')
  })

  it('is read with replacement characters where that was chosen', () => {
    expect(decode('string', short, { utf8: 'replace' })).toBe('\ufffd(')
  })

  it('is refused as a key', () => {
    expect(codeOf(() => topics.couponIssued.key.deserialize(Buffer.of(0xff)))).toBe('invalid-utf8')
  })
})

describe('__proto__', () => {
  it('as the key of a map is refused', () => {
    const datum = [2, 18, ...Buffer.from('__proto__'), 0, 0]
    expect(decodeCode({ type: 'map', values: 'int' }, datum)).toBe('proto-key')
  })

  it('as a field of a writer is refused with the schema', () => {
    const writer: AvroRecord = {
      type: 'record',
      name: 'CouponIssued',
      namespace: 'millrace.coupon',
      fields: [{ name: '__proto__', type: 'string' }],
    }
    const source = fixedSource([{ id: 1, name: 'millrace.coupon.CouponIssued', definition: writer }])
    const reader = avroSerde(topics.couponIssued.schema, source)
    const error = thrown(() => reader.deserialize(frame(1, Buffer.of(0))))
    expect(error).toMatchObject({ code: 'incompatible-schema', cause: { code: 'proto-key' } })
  })
})

function thrown(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
