import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Headers, Lineage } from '../../../streams/index.ts'
import type { TopicNumbers } from '../../../transports/embedded/lineage.ts'
import {
  type LogRow,
  MAX_ROW_BYTES,
  MAX_ROW_RECORDS,
  RowEncoder,
  type RowRecord,
} from '../../../transports/embedded/log-row.ts'
import { checkedHeader, decodeRecords } from '../../../transports/embedded/stored-record.ts'

const names = ['in', 'out']
const topics: TopicNumbers = {
  numberOf: (name) => (names.includes(name) ? names.indexOf(name) : undefined),
  nameOf: (topic) => names[topic],
}
const at = { topic: 'in', partition: 3 }
const place = { topic: 0, partition: 3, appendTime: 1_700_000_000_000, appendTimestamps: false }

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))
const nullable = fc.option(bytes, { nil: null })
const id = fc.oneof(fc.uuid(), fc.string(), fc.constant('01890A5D-AC96-774B-BCCE-B302099A8057'))
const traceparent = fc.constantFrom(
  '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  '00-4bf92f3577b34da6a3ce929d0e0e473600f067aa0ba902b7-0111',
  'vendor-specific',
)
const time = fc.integer({ min: -1, max: 4_102_444_800_000 })
const cause = fc.record({
  topic: fc.constantFrom('in', 'out', 'a topic of another cluster'),
  partition: fc.nat(1000),
  offset: fc.nat(Number.MAX_SAFE_INTEGER),
  timestamp: time,
})
const lineage: fc.Arbitrary<Lineage> = fc
  .record({
    eventId: id,
    correlationId: optional(id),
    causationId: optional(id),
    traceparent: optional(traceparent),
    cause: optional(cause),
  })
  .chain((some) =>
    // Ids that repeat each other are written as flags.
    fc.constantFrom<Lineage>(
      some,
      { ...some, correlationId: some.eventId },
      { ...some, causationId: some.correlationId },
      { ...some, correlationId: some.eventId, causationId: some.eventId },
    ),
  )
const headers: fc.Arbitrary<Headers> = fc.array(fc.tuple(fc.string(), bytes), { maxLength: 4 })
const record: fc.Arbitrary<RowRecord> = fc.record({
  key: nullable,
  value: nullable,
  timestamp: time,
  lineage: fc.option(lineage, { nil: undefined }),
  headers,
})

function optional<T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(some, { nil: undefined })
}

function decoded(rows: readonly LogRow[]) {
  return rows.flatMap(({ key, value }) => decodeRecords(at, checkedHeader(at, key, value), value, topics))
}

function plain(some: RowRecord) {
  const { key, value, timestamp, lineage: origin, headers: list } = some
  return { key, value, timestamp, lineage: origin, headers: list }
}

describe('rows of the log', () => {
  test('hold records as they were given', () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 20 }),
        fc.nat(1_000_000_000_000),
        (records, base) => {
          const read = decoded(new RowEncoder(topics).encode(place, records, base))
          expect(read.map(plain)).toEqual(records.map(plain))
          expect(read.map(({ offset }) => offset)).toEqual(records.map((_, index) => base + index))
          for (const { topic, partition, appendTime } of read) {
            expect({ topic, partition, appendTime }).toEqual({ ...at, appendTime: place.appendTime })
          }
        },
      ),
    )
  })

  test('hold provenance of any length', () => {
    for (const length of [100, 16_370, 16_384, 17_000, 2_200_000]) {
      const large = recordOf('v', { headers: [['h', Buffer.alloc(length, 7)]] })
      const [first, second] = decoded(new RowEncoder(topics).encode(place, [large, recordOf('after')], 0))
      expect(first?.headers[0]?.[1].equals(Buffer.alloc(length, 7))).toBe(true)
      expect(second?.value?.toString()).toBe('after')
    }
  })

  test('have the append time as timestamp where the topic says so', () => {
    const rows = new RowEncoder(topics).encode({ ...place, appendTimestamps: true }, [recordOf('a')], 5)
    expect(decoded(rows)[0]?.timestamp).toBe(place.appendTime)
  })

  test('stay within their limits and join without a gap', () => {
    const small = Array.from({ length: 5_000 }, (_, index) => recordOf(`${index}`))
    const large = Array.from({ length: 5 }, () => recordOf('x'.repeat(MAX_ROW_BYTES / 2 - 1000)))
    const rows = new RowEncoder(topics).encode(place, [...small, ...large], 10)
    let next = 10
    for (const { key, value, baseOffset, lastOffset } of rows) {
      const header = checkedHeader(at, key, value)
      expect(baseOffset).toBe(next)
      expect(header).toMatchObject({ baseOffset, lastOffset, count: lastOffset - baseOffset + 1 })
      expect(header.count).toBeLessThanOrEqual(MAX_ROW_RECORDS)
      expect(value.length).toBeLessThanOrEqual(MAX_ROW_BYTES)
      next = lastOffset + 1
    }
    expect(next).toBe(10 + 5_005)
    expect(rows.map(({ baseOffset }) => baseOffset)).toEqual([10, 2010, 4010, 5011, 5013])
  })

  test('show any flipped bit, in the key or in the value', () => {
    const [row] = new RowEncoder(topics).encode(place, [recordOf('a'), recordOf('b')], 7)
    if (row === undefined) throw new Error('no row')
    for (const part of ['key', 'value'] as const) {
      for (let bit = 0; bit < row[part].length * 8; bit++) {
        const damaged = { key: Buffer.from(row.key), value: Buffer.from(row.value) }
        damaged[part].writeUInt8(damaged[part].readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
        expect(() => checkedHeader(at, damaged.key, damaged.value)).toThrow(
          expect.objectContaining({ code: 'LOG_RECORD_CORRUPT' }),
        )
      }
    }
  })

  test('cover all their offsets when compaction took some', () => {
    const kept = [12, 15].map((offset) => ({
      ...recordOf(`${offset}`),
      timestamp: offset,
      offset,
      appendTime: place.appendTime - 100 + offset,
    }))
    const row = new RowEncoder(topics).encodeCompacted(place, kept, 10, 19)
    expect(checkedHeader(at, row.key, row.value)).toMatchObject({ baseOffset: 10, lastOffset: 19, count: 2 })
    expect(
      decoded([row]).map(({ offset, appendTime, timestamp }) => [offset, appendTime, timestamp]),
    ).toEqual([
      [12, place.appendTime - 88, 12],
      [15, place.appendTime - 85, 15],
    ])
    const empty = new RowEncoder(topics).encodeCompacted(place, [], 20, 29)
    expect(decoded([empty])).toEqual([])
  })
})

function recordOf(value: string, extra: Partial<RowRecord> = {}): RowRecord {
  return { key: null, value: Buffer.from(value), timestamp: 1, lineage: undefined, headers: [], ...extra }
}
