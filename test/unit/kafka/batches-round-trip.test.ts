/** What is encoded is decoded again, and where a reader goes on. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Codec } from '../../../transports/kafka/batches/compression.ts'
import {
  type BatchRecord,
  encodeBatch,
  recordSize,
  restampBatch,
} from '../../../transports/kafka/batches/encode.ts'
import {
  anyRecord,
  anyStamp,
  batchOf,
  decodeAll,
  PLAIN,
  placedAt,
  plainOf,
  record,
  valuesOf,
} from './fixtures/batches.ts'

const CODECS: readonly (Codec | undefined)[] = [undefined, 'gzip', 'snappy', 'lz4', 'zstd']

/** A record as it must come back: header values are bytes then. */
function expected(one: BatchRecord, offset: number) {
  const { key, value, timestamp } = one
  const headers = one.headers.map(([name, content]) => [
    name,
    typeof content === 'string' ? Buffer.from(content) : content,
  ])
  return { offset, timestamp, key, value, headers }
}

describe('records', () => {
  it('come back as they were, whatever they are and however compressed', () => {
    fc.assert(
      fc.property(
        fc.array(anyRecord, { minLength: 1, maxLength: 20 }),
        fc.constantFrom(...CODECS),
        fc.nat(2 ** 40),
        (records, compression, baseOffset) => {
          const batch = encodeBatch(records, { ...PLAIN, compression })
          const { records: decoded, nextOffset, error } = decodeAll(placedAt(batch, baseOffset))
          expect(error).toBeUndefined()
          expect(decoded.map(plainOf)).toEqual(records.map((one, i) => expected(one, baseOffset + i)))
          expect(nextOffset).toBe(baseOffset + records.length)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('that have no headers say so', () => {
    const [plain, headed] = decodeAll(
      encodeBatch([record('a'), { ...record('b'), headers: [['n', 'v']] }], PLAIN),
    ).records
    expect([plain?.hasHeaders, headed?.hasHeaders]).toEqual([false, true])
  })

  it('are views of what was fetched', () => {
    const batch = batchOf(['a'])
    expect(decodeAll(batch).records[0]?.value?.buffer).toBe(batch.buffer)
  })

  it('with headers of every kind of name are told apart', () => {
    const names = ['eventId', 'eventid', 'größe', 'gröse', '', '\0', 'x'.repeat(300), 'eventId']
    for (let again = 0; again < 2; again++) {
      const headers = names.map((name) => [name, name] as const)
      const batch = encodeBatch([{ ...record('a'), headers }], PLAIN)
      expect(decodeAll(batch).records[0]?.headers.map(([name]) => name)).toEqual(names)
    }
  })

  it('whose timestamps a batch cannot hold are refused', () => {
    expect(() => encodeBatch([record('a', Number.NaN)], PLAIN)).toThrow(RangeError)
    expect(() => encodeBatch([record('a', -(2 ** 52)), record('b', 2 ** 52)], PLAIN)).toThrow(RangeError)
    expect(() => encodeBatch([], PLAIN)).toThrow(RangeError)
  })
})

describe('sizes', () => {
  it('of records are never too small', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 20 }), (records) => {
        const { length } = encodeBatch(records, PLAIN)
        expect(61 + records.reduce((sum, one) => sum + recordSize(one), 0)).toBeGreaterThanOrEqual(length)
      }),
    )
  })
})

describe('a new stamp', () => {
  it('gives the bytes that encoding with it would have given', () => {
    fc.assert(
      fc.property(anyStamp, anyStamp, fc.constantFrom(...CODECS), (before, after, compression) => {
        const records = [record('a'), record('b')]
        const batch = encodeBatch(records, { ...before, transactional: true, compression })
        restampBatch(batch, after)
        expect(batch).toEqual(encodeBatch(records, { ...after, transactional: true, compression }))
      }),
    )
  })
})

describe('a position', () => {
  const three = () =>
    Buffer.concat([
      placedAt(batchOf(['a', 'b']), 10),
      placedAt(batchOf(['c', 'd', 'e']), 12),
      placedAt(batchOf(['f']), 20),
    ])

  it('inside a batch gets the records from there on', () => {
    const { records, nextOffset } = decodeAll(three(), { fetchOffset: 13 })
    expect(valuesOf(records)).toEqual(['d', 'e', 'f'])
    expect(nextOffset).toBe(21)
  })

  it('after all batches stays where it is', () => {
    expect(decodeAll(three(), { fetchOffset: 30 })).toEqual({ records: [], nextOffset: 30 })
  })

  it('goes up to a batch that is cut short', () => {
    const whole = three()
    for (let cut = 1; cut < 40; cut++) {
      const { records, nextOffset, error } = decodeAll(whole.subarray(0, -cut), { fetchOffset: 10 })
      expect(error).toBeUndefined()
      expect(valuesOf(records)).toEqual(['a', 'b', 'c', 'd', 'e'])
      expect(nextOffset).toBe(15)
    }
  })

  it('stays where it is when nothing came', () => {
    expect(decodeAll(Buffer.alloc(0), { fetchOffset: 10 })).toEqual({ records: [], nextOffset: 10 })
  })

  it('in front of a batch larger than all that came is told so', () => {
    const batch = placedAt(batchOf(['a', 'b']), 10)
    for (const length of [1, 11, 12, 16, 17, 60, 61, batch.length - 1]) {
      const { records, nextOffset, error } = decodeAll(batch.subarray(0, length), { fetchOffset: 10 })
      expect(error?.fault).toBe('incomplete')
      expect([records, nextOffset]).toEqual([[], 10])
    }
  })
})
