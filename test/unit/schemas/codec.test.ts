import { describe, expect, it } from 'vitest'
import {
  avroSerde,
  DeserializationError,
  embeddedSchemas,
  fixedSource,
  SchemaError,
  SerializationError,
  stateSerde,
  stringSerde,
  topics,
  type CouponIssued,
  type RankingSnapshot,
} from '../../../schemas/index.ts'
import { rankingSnapshotSchema, windowSumSchema } from '../../../schemas/index.ts'
import type { AvroRecord, RecordSchema } from '../../../schemas/record-schema.ts'

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

describe('a message', () => {
  const fields =
    '06722d31' + '06632d31' + '0875632d31' + '06752d31' + '02' + '00' + '52' + '80a0abfef962' + '00'

  it('has the bytes that it has always had', () => {
    const bytes = serde.serialize({ ...issued, campaignRevision: 3 })
    expect(bytes.toString('hex')).toBe(`0000000035${fields}0600`)
  })

  it('of an earlier version is read with what it did not say yet', () => {
    expect(serde.deserialize(Buffer.from(`0000000005${fields}`, 'hex'))).toEqual(issued)
  })

  it('keeps its bytes while others are written', () => {
    const messages = Array.from({ length: 2_000 }, (_, sequence) => serde.serialize({ ...issued, sequence }))
    expect(messages.map((bytes) => serde.deserialize(bytes).sequence)).toEqual(messages.map((_, i) => i))
  })

  it('can be larger than the memory that small ones share', () => {
    for (const length of [1_000, 8_000, 16_000, 17_000, 1_000_000]) {
      const value = { ...issued, userId: 'u'.repeat(length) }
      const [before, large, after] = [issued, value, issued].map((each) => serde.serialize(each))
      expect(serde.deserialize(large!)).toEqual(value)
      expect(before).toEqual(after)
    }
  })

  it('survives a value whose getter writes another one', () => {
    let inner: Buffer | undefined
    const value: CouponIssued = {
      ...issued,
      get userId() {
        inner = serde.serialize({ ...issued, userId: 'inner' })
        return 'outer'
      },
    }
    const outer = serde.serialize(value)
    expect(serde.deserialize(outer).userId).toBe('outer')
    expect(serde.deserialize(inner!).userId).toBe('inner')
  })

  it('leaves the shared memory usable after a value that did not fit its schema', () => {
    const before = serde.serialize(issued)
    expect(() => serde.serialize({ ...issued, expiresAt: 'never' as never })).toThrow(SerializationError)
    expect(serde.serialize(issued)).toEqual(before)
  })

  it('fills in the default of a field that is absent', () => {
    const { expiresAt: _, shard: __, ...rest } = issued
    expect(serde.deserialize(serde.serialize(rest as CouponIssued))).toEqual(issued)
  })
})

describe('a value that does not fit', () => {
  const snapshot: RankingSnapshot = {
    window: 'day',
    metric: 'quantity',
    category: null,
    start: 0,
    end: 1,
    timeZone: 'UTC',
    depth: 10,
    entries: [{ rank: 1, productId: 'p', score: 1, quantity: 1, amount: 1, previousRank: null }],
    watermark: 0,
    revision: 1,
    final: false,
    corrected: false,
    lateCount: 0,
  }
  const entry = snapshot.entries[0]!

  it.each([
    ['a wrong type', { ...snapshot, window: 7 }, 'invalid-value', 'window'],
    ['a missing field', { ...snapshot, start: undefined }, 'invalid-value', 'start'],
    ['a fraction', { ...snapshot, revision: 1.5 }, 'invalid-value', 'revision'],
    ['a long that is not exact', { ...snapshot, end: 2 ** 53 }, 'precision', 'end'],
    ['half a character', { ...snapshot, metric: '\ud800' }, 'invalid-utf8', 'metric'],
    [
      'something wrong in a list',
      { ...snapshot, entries: [entry, { ...entry, score: '1' }] },
      'invalid-value',
      'entries.1.score',
    ],
    ['no value at all', null, 'invalid-value', ''],
  ])('for %s names the field', (_, value, code, path) => {
    const snapshots = avroSerde(rankingSnapshotSchema, embeddedSchemas)
    try {
      snapshots.serialize(value as RankingSnapshot)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(SerializationError)
      expect(error).toMatchObject({ code, path })
      expect((error as Error).cause).toBeInstanceOf(Error)
    }
  })

  it('for the key __proto__ of a map says so', () => {
    const definition: AvroRecord = {
      type: 'record',
      name: 'M',
      fields: [{ name: 'm', type: { type: 'map', values: 'int' } }],
    }
    const schema: RecordSchema<{ m: object }> = { name: 'M', version: 1, definition }
    const maps = stateSerde(schema)
    expect(() => maps.serialize({ m: JSON.parse('{"__proto__": 1}') as object })).toThrow(
      expect.objectContaining({ code: 'proto-key', path: 'm' }) as Error,
    )
  })
})

describe('a record that has grown', () => {
  interface Old {
    readonly id: string
    readonly note: string
    readonly kind: string
  }
  interface New extends Old {
    readonly count: number
  }
  const kind = (symbols: string[]) => ({ type: 'enum', name: 'Kind', symbols, default: 'UNKNOWN' }) as const
  const v1: AvroRecord = {
    type: 'record',
    name: 'Grown',
    namespace: 'test',
    fields: [
      { name: 'id', type: 'string' },
      { name: 'note', type: 'string', default: '' },
      { name: 'kind', type: kind(['UNKNOWN', 'A']) },
    ],
  }
  const v2: AvroRecord = {
    ...v1,
    fields: [
      { name: 'count', type: 'long', default: 7 },
      { name: 'id', type: 'string' },
      { name: 'kind', type: kind(['UNKNOWN', 'A', 'B']) },
    ],
  }
  const oldSchema: RecordSchema<Old> = { name: 'test.Grown', version: 1, definition: v1 }
  const newSchema: RecordSchema<Omit<New, 'note'>> = { name: 'test.Grown', version: 2, definition: v2 }
  const both = fixedSource([
    { id: 1, name: 'test.Grown', definition: v1 },
    { id: 2, name: 'test.Grown', definition: v2 },
  ])
  const justOld = fixedSource([{ id: 1, name: 'test.Grown', definition: v1 }])

  it('is read by the new program as the old one wrote it, with defaults', () => {
    const bytes = avroSerde(oldSchema, justOld).serialize({ id: 'x', note: 'n', kind: 'A' })
    expect(avroSerde(newSchema, both).deserialize(bytes)).toEqual({ id: 'x', count: 7, kind: 'A' })
  })

  it('is read by the old program as the new one wrote it, an unknown symbol as the default', () => {
    const bytes = avroSerde(newSchema, both).serialize({ id: 'x', count: 3, kind: 'B' })
    expect(bytes.readInt32BE(1)).toBe(2)
    expect(avroSerde(oldSchema, both).deserialize(bytes)).toEqual({ id: 'x', note: '', kind: 'UNKNOWN' })
  })

  it('is read in a mix of both', () => {
    const reader = avroSerde(newSchema, both)
    const older = avroSerde(oldSchema, justOld).serialize({ id: 'old', note: '', kind: 'A' })
    const newer = reader.serialize({ id: 'new', count: 1, kind: 'A' })
    const ids = [older, newer, newer, older].map((bytes) => reader.deserialize(bytes).id)
    expect(ids).toEqual(['old', 'new', 'new', 'old'])
  })

  it('is read from a store that was written before', () => {
    const bytes = stateSerde(oldSchema).serialize({ id: 'x', note: 'n', kind: 'A' })
    expect(stateSerde(newSchema, v1).deserialize(bytes)).toEqual({ id: 'x', count: 7, kind: 'A' })
  })
})

describe('a serde', () => {
  it('does not write a record without an id', () => {
    const unregistered = avroSerde(topics.couponIssued.schema, fixedSource([]))
    expect(() => unregistered.serialize(issued)).toThrow(SchemaError)
  })

  it('of a store has no header', () => {
    const sums = stateSerde(windowSumSchema)
    expect(sums.serialize({ quantity: 1, amount: -1 })).toEqual(Buffer.from([2, 1]))
  })

  it('of a store says what is wrong with broken bytes', () => {
    const sums = stateSerde(windowSumSchema)
    expect(() => sums.deserialize(Buffer.from([2]))).toThrow(
      expect.objectContaining({ code: 'truncated' }) as Error,
    )
    expect(() => sums.deserialize(Buffer.from([2, 1, 0]))).toThrow(DeserializationError)
  })

  it.each(['', 'c-1#0', 'day|quantity||0', '쿠폰 🎟️'])('of keys brings %j back', (key) => {
    expect(stringSerde.deserialize(stringSerde.serialize(key))).toBe(key)
  })

  it('of keys refuses half a character', () => {
    expect(() => stringSerde.serialize('\ud800')).toThrow(SerializationError)
  })
})
