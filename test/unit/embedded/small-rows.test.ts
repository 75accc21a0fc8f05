import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeBounds,
  decodeCheckpoint,
  decodeJournal,
  decodeNote,
  encodeBounds,
  encodeCheckpoint,
  encodeJournal,
  encodeNote,
  sealed,
  unsealed,
} from '../../../transports/embedded/small-rows.ts'

const number = fc.nat(Number.MAX_SAFE_INTEGER)
const time = fc.oneof(fc.constant(-1), fc.double({ noNaN: true, min: 0, max: 1e13 }))
const times = fc.record({ streamTime: time, wallTime: time, lastRecordAt: time })
const topic = fc.constantFrom('in', 'out', 'ünïcode')
const place = { topic, partition: fc.nat(65_535) }
const crc = fc.nat(0xffffffff)
const checkpoint = fc.record({
  positions: fc.array(fc.record({ ...place, offset: number })),
  times,
  sequence: number,
})
const journal = fc.record({
  sequence: number,
  times,
  wallTimers: fc.nat(),
  punctuators: fc.array(fc.nat(100)),
  inputs: fc.array(fc.record({ ...place, firstOffset: number, count: fc.nat() })),
  outputsCrc: crc,
})
const half = fc.nat(2 ** 40)
const rows = fc.record({
  topic: fc.nat(65_535),
  partition: fc.nat(65_535),
  baseOffset: half,
  more: fc.nat(),
  bytes: fc.nat(),
})

test('checkpoints and journals are read as they were written', () => {
  fc.assert(
    fc.property(checkpoint, (given) => {
      expect(decodeCheckpoint(encodeCheckpoint(given))).toEqual(given)
    }),
  )
  fc.assert(
    fc.property(journal, (given) => {
      expect(decodeJournal(encodeJournal(given))).toEqual(given)
    }),
  )
})

test('notes and bounds are read as they were written', () => {
  fc.assert(
    fc.property(fc.array(rows), number, (list, appendTime) => {
      const note = {
        appendTime,
        rows: list.map(({ more, ...row }) => ({ ...row, lastOffset: row.baseOffset + more })),
      }
      expect(decodeNote(encodeNote(note))).toEqual(note)
      const partitions = list.map(({ more, baseOffset: start, topic: of, partition, bytes }) => ({
        topic: of,
        partition,
        bytes,
        start,
        end: start + more,
      }))
      const bounds = { sequence: 7, appendTime, partitions }
      expect(decodeBounds(encodeBounds(bounds))).toEqual(bounds)
    }),
  )
})

test('a small row shows any flipped bit, and another key', () => {
  const key = Buffer.from('k')
  const row = sealed(key, Buffer.from('payload'))
  expect(unsealed(key, row, 'a row').toString()).toBe('payload')
  const corrupt = expect.objectContaining({ code: 'LOG_CORRUPT', detail: expect.stringContaining('a row') })
  for (let bit = 0; bit < row.length * 8; bit++) {
    const damaged = Buffer.from(row)
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
    expect(() => unsealed(key, damaged, 'a row')).toThrow(corrupt)
  }
  expect(() => unsealed(Buffer.from('l'), row, 'a row')).toThrow(corrupt)
  expect(() => unsealed(key, Buffer.alloc(2), 'a row')).toThrow(corrupt)
})
