/** Batches that are damaged: never a wrong record, never a lost one that was whole. */
import { describe, expect, it } from 'vitest'
import { crc32c } from '../../../transports/kafka/batches/crc32c.ts'
import { encodeBatch } from '../../../transports/kafka/batches/encode.ts'
import { batchOf, decodeAll, PLAIN, placedAt, plainOf, record, valuesOf } from './fixtures/batches.ts'

const MAGIC_AT = 16
const LEADER_EPOCH_AT = 12
const CRC_AT = 17

/** The same batch with other bytes and the checksum that fits them, as only a broken producer would send it. */
function changed(batch: Buffer, change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(batch)
  change(bytes)
  bytes.writeUInt32BE(crc32c(bytes, 21), CRC_AT)
  return bytes
}

const first = placedAt(batchOf(['a', 'b']), 10)

describe('a flipped bit', () => {
  const second = placedAt(
    encodeBatch([record('c'), { ...record('d'), headers: [['n', 'v']] }, record('e')], PLAIN),
    12,
  )
  const intact = decodeAll(Buffer.concat([first, second])).records.map(plainOf)

  it('anywhere after the length leaves no wrong record', () => {
    for (let at = LEADER_EPOCH_AT; at < second.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = Buffer.from(second)
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit)
        const { records, nextOffset, error } = decodeAll(Buffer.concat([first, damaged]))
        // The leader epoch says nothing about records, and the checksum leaves it out.
        const isHarmless = at < MAGIC_AT
        const fault = isHarmless ? undefined : at === MAGIC_AT ? 'format' : 'checksum'
        expect(error?.fault, `bit ${bit} of byte ${at}`).toBe(fault)
        expect(records.map(plainOf)).toEqual(isHarmless ? intact : intact.slice(0, 2))
        expect(nextOffset).toBe(isHarmless ? 15 : 12)
      }
    }
  })

  it('in the length leaves no wrong record', () => {
    for (let bit = 0; bit < 32; bit++) {
      const damaged = Buffer.from(second)
      const at = 8 + (bit >> 3)
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (bit & 7))
      const { records, nextOffset } = decodeAll(Buffer.concat([first, damaged, placedAt(batchOf(['f']), 15)]))
      expect(records.map(plainOf)).toEqual(intact.slice(0, 2))
      expect(nextOffset).toBe(12)
    }
  })

  it('names the batch', () => {
    const damaged = Buffer.from(second)
    damaged[70] = (damaged[70] ?? 0) ^ 1
    const { error } = decodeAll(damaged, { fetchOffset: 12 })
    expect(error).toMatchObject({ name: 'BatchError', fault: 'checksum', offset: 12 })
  })
})

describe('with a checksum that fits', () => {
  const COUNT_AT = 57
  const LAST_DELTA_AT = 23
  const BASE_OFFSET_AT = 0
  const CODEC_AT = 22
  /** The first record: length, attributes, timestamp, offset, key length, key, value length, value, headers. */
  const RECORD_AT = 61
  const batch = placedAt(batchOf(['abc', 'def']), 12)

  it.each<[string, (bytes: Buffer) => void]>([
    ['more records than there are', (bytes) => bytes.writeInt32BE(3, COUNT_AT)],
    ['fewer records than there are', (bytes) => bytes.writeInt32BE(1, COUNT_AT)],
    ['more records than bytes', (bytes) => bytes.writeInt32BE(2 ** 31 - 1, COUNT_AT)],
    ['a negative count', (bytes) => bytes.writeInt32BE(-1, COUNT_AT)],
    ['a last offset before its first', (bytes) => bytes.writeInt32BE(-1, LAST_DELTA_AT)],
    ['a last offset before its last record', (bytes) => bytes.writeInt32BE(0, LAST_DELTA_AT)],
    ['an offset below 0', (bytes) => bytes.writeInt32BE(-1, BASE_OFFSET_AT)],
    ['an offset beyond 2^53', (bytes) => bytes.writeInt32BE(2 ** 30, BASE_OFFSET_AT)],
    ['a record longer than the batch', (bytes) => bytes.writeUInt8(0x7e, RECORD_AT)],
    ['a record of negative length', (bytes) => bytes.writeUInt8(0x01, RECORD_AT)],
    ['a key longer than its record', (bytes) => bytes.writeUInt8(0x7e, RECORD_AT + 4)],
    ['a length without end', (bytes) => bytes.fill(0xff, RECORD_AT)],
    ['the same offset twice', (bytes) => bytes.writeUInt8(0x02, RECORD_AT + 3)],
  ])('%s is malformed', (_what, change) => {
    const { records, nextOffset, error } = decodeAll(Buffer.concat([first, changed(batch, change)]))
    expect(error?.fault).toBe('malformed')
    expect(valuesOf(records)).toEqual(['a', 'b'])
    expect(nextOffset).toBe(12)
  })

  it('any byte of the records changed is read or refused, and nothing else', () => {
    const headed = encodeBatch([{ ...record('abc'), headers: [['n', 'v']] }, record('def')], PLAIN)
    for (let at = RECORD_AT; at < headed.length; at++) {
      for (const value of [0x00, 0x01, 0x02, 0x7f, 0x80, 0xff]) {
        const { records, error } = decodeAll(changed(headed, (bytes) => bytes.writeUInt8(value, at)))
        if (error !== undefined) expect(error.fault).toBe('malformed')
        else expect(records.length).toBe(2)
      }
    }
  })

  it('headers that are none are refused when they are asked for', () => {
    const headed = encodeBatch([{ ...record('abc'), headers: [['name', 'v']] }], PLAIN)
    const nameLengthAt = headed.indexOf('name') - 1
    for (const value of [0x0a, 0x7e, 0x01, 0x02]) {
      const { records, error } = decodeAll(changed(headed, (bytes) => bytes.writeUInt8(value, nameLengthAt)))
      expect(error).toBeUndefined()
      expect(records[0]?.value?.toString()).toBe('abc')
      expect(() => records[0]?.headers).toThrow(expect.objectContaining({ fault: 'malformed', offset: 0 }))
    }
  })

  it('a codec that nobody knows is named', () => {
    const { error } = decodeAll(changed(batch, (bytes) => bytes.writeUInt8(5, CODEC_AT)))
    expect(error).toMatchObject({ fault: 'codec', offset: 12 })
    expect(error?.message).toContain('codec 5')
  })

  it('batches that go back are refused', () => {
    const { records, error } = decodeAll(Buffer.concat([first, placedAt(batchOf(['c']), 11)]))
    expect(error).toMatchObject({ fault: 'malformed', offset: 11 })
    expect(valuesOf(records)).toEqual(['a', 'b'])
  })

  it('a length that no batch has is refused', () => {
    const { error } = decodeAll(changed(batch, (bytes) => bytes.writeInt32BE(48, 8)))
    expect(error).toMatchObject({ fault: 'malformed', offset: 12 })
  })
})
