import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32c, masked } from '../../../state/crc32c.ts'
import { readLogRecords, readVersion } from '../../../state/level-format.ts'
import { snappyBytes } from '../../../state/snappy.ts'

describe('Snappy', () => {
  test.each([
    ['nothing', '00', ''],
    ['a literal', '0308616263', 'abc'],
    ['a copy of one byte offset that reaches into itself', '0a08616263 0d03'.replace(' ', ''), 'abcabcabca'],
    ['a copy of two bytes offset', '0608616263 0a0300'.replace(' ', ''), 'abcabc'],
    ['a copy of four bytes offset', '0608616263 0b03000000'.replace(' ', ''), 'abcabc'],
  ])('reads %s', (_what, block, expected) => {
    expect(snappyBytes(Buffer.from(block, 'hex')).toString()).toBe(expected)
  })

  test('reads literals of every length', () => {
    for (const length of [1, 60, 61, 256, 257, 70_000]) {
      const text = Buffer.alloc(length, 'x')
      const head =
        length <= 60 ? [(length - 1) << 2] : [61 << 2, (length - 1) & 255, ((length - 1) >> 8) & 255]
      const long =
        length > 65_536 ? [62 << 2, (length - 1) & 255, ((length - 1) >> 8) & 255, (length - 1) >> 16] : head
      const block = Buffer.concat([varint(length), Buffer.from(long), text])
      expect(snappyBytes(block)).toEqual(text)
    }
  })

  test.each([
    ['ends too soon', '0508616263'],
    ['is longer than it says', '0208616263'],
    ['copies from before its start', '0608616263 0d04'.replace(' ', '')],
    ['copies from nowhere', '0608616263 0d00'.replace(' ', '')],
    ['has no length', 'ffffffffff'],
    ['is empty', ''],
  ])('refuses a block that %s', (_what, block) => {
    expect(() => snappyBytes(Buffer.from(block, 'hex'))).toThrow(RangeError)
  })
})

describe('records of a manifest', () => {
  const lengths = fc.array(
    fc.oneof(fc.nat(100), fc.integer({ min: 32_700, max: 32_800 }), fc.constant(100_000)),
    {
      maxLength: 12,
    },
  )

  test('are read as they were framed, over the edges of blocks', () => {
    fc.assert(
      fc.property(lengths, (sizes) => {
        const records = sizes.map((size, i) => Buffer.alloc(size, i))
        const read = readLogRecords(framed(records))
        expect(read.torn).toBe(false)
        expect(read.records).toHaveLength(records.length)
        for (const [i, record] of read.records.entries())
          expect(record.equals(records[i] as Buffer)).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  test('are torn, and whole before the tear, wherever the file is cut', () => {
    const records = [100, 40_000, 10].map((size, i) => Buffer.alloc(size, i))
    const file = framed(records)
    for (let cut = 1; cut < file.length; cut += 97) {
      const { records: kept, torn } = readLogRecords(file.subarray(0, cut))
      expect(torn || framed(records.slice(0, kept.length)).length === cut).toBe(true)
      expect(kept).toEqual(records.slice(0, kept.length))
    }
  })

  test('are refused with any bit of a record flipped, or taken for torn at the length', () => {
    const file = framed([Buffer.from('first'), Buffer.from('second')])
    for (let bit = 0; bit < file.length * 8; bit++) {
      const damaged = Buffer.from(file)
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      let torn = false
      try {
        torn = readLogRecords(damaged).torn
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
        continue
      }
      expect(torn).toBe(true)
    }
  })

  test('add up to the write-ahead file and the tables in use', () => {
    const edits = [
      edit([1, Buffer.from('leveldb.BytewiseComparator')], [2, 3], [9, 0], [3, 4], [4, 0]),
      edit([2, 300], [7, 0, 5, 1_000_000, Buffer.from('a'), Buffer.from('b')]),
      edit([5, 1, Buffer.from('k')], [6, 0, 5], [7, 1, 5, 1_000_000, Buffer.from('a'), Buffer.from('b')]),
      edit([6, 1, 5], [7, 2, 200, 42, Buffer.from('a'), Buffer.from('b')]),
    ]
    expect(readVersion(edits)).toEqual({ log: 300, tables: new Map([[200, 42]]) })
    expect(() => readVersion([edit([8, 1])])).toThrow('damaged edit tag 8')
    expect(() => readVersion([Buffer.from([7, 0])])).toThrow(RangeError)
  })
})

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}

function edit(...fields: (readonly (number | Buffer)[])[]): Buffer {
  const parts = fields
    .flat()
    .flatMap((part) => (typeof part === 'number' ? [varint(part)] : [varint(part.length), part]))
  return Buffer.concat(parts)
}

/** Frames records as LevelDB does: blocks of 32 KiB, each piece behind its checksum, length and kind. */
function framed(records: readonly Buffer[]): Buffer {
  const parts: Buffer[] = []
  let at = 0
  const push = (bytes: Buffer): void => {
    parts.push(bytes)
    at += bytes.length
  }
  for (const record of records) {
    let start = 0
    let first = true
    do {
      const left = 32_768 - (at % 32_768)
      if (left < 7) push(Buffer.alloc(left))
      const room = 32_768 - (at % 32_768) - 7
      const piece = record.subarray(start, start + room)
      start += piece.length
      const last = start === record.length
      const body = Buffer.concat([Buffer.from([first ? (last ? 1 : 2) : last ? 4 : 3]), piece])
      const head = Buffer.alloc(6)
      head.writeUInt32LE(masked(crc32c(body)), 0)
      head.writeUInt16LE(piece.length, 4)
      push(Buffer.concat([head, body]))
      first = false
    } while (start < record.length)
  }
  return Buffer.concat(parts)
}
