/** Batches that Kafka's own classes wrote, and ours against theirs. */
import { describe, expect, it } from 'vitest'
import { encodeBatch } from '../../../transports/kafka/batches/encode.ts'
import { decodeAll, placedAt, plainOf } from './fixtures/batches.ts'
import { batchFixture, batchFixtures } from './fixtures/index.ts'

const readable = batchFixtures().filter(({ name }) => name !== 'message format 1')
const withRecords = readable.filter(({ control }) => !control)
const madePlain = readable.filter(({ made, codec }) => made && codec === 'none')
const madeCompressed = readable.filter(({ made, codec }) => made && codec !== 'none')

describe('batches written by Java', () => {
  it.each(withRecords)('$name: its records are read', ({ bytes, records, count, lastOffset }) => {
    const decoded = decodeAll(bytes)
    expect(decoded.error).toBeUndefined()
    expect(decoded.records).toHaveLength(count)
    expect(decoded.records.slice(0, records.length).map(plainOf)).toEqual(records)
    expect(decoded.nextOffset).toBe(lastOffset + 1)
  })

  it.each(madePlain)('$name: the same records give the same bytes', (fixture) => {
    const { transactional, producerId, producerEpoch, baseSequence } = fixture
    const options = { transactional, producerId, producerEpoch, baseSequence }
    const ours = encodeBatch(fixture.records, options)
    // Java's in-memory batches have the leader epoch that a broker would write; a producer sends -1.
    expect(ours.readInt32BE(12)).toBe(-1)
    ours.writeInt32BE(fixture.bytes.readInt32BE(12), 12)
    expect(ours.toString('hex')).toBe(fixture.bytes.toString('hex'))
  })

  it.each(madeCompressed)('$name: the same header but for length and checksum', (fixture) => {
    const { producerId, producerEpoch, baseSequence } = fixture
    const compression = fixture.codec as 'gzip' | 'snappy' | 'lz4' | 'zstd'
    const ours = encodeBatch(fixture.records, {
      transactional: true,
      producerId,
      producerEpoch,
      baseSequence,
      compression,
    })
    const header = (batch: Buffer) => batch.toString('hex', 21, 61)
    expect(header(ours)).toBe(header(fixture.bytes))
    expect(decodeAll(ours).records.map(plainOf)).toEqual(fixture.records)
  })

  it('log append time stands for every record’s own', () => {
    const { records } = decodeAll(batchFixture('log append time').bytes)
    expect(records.every(({ logAppendTime }) => logAppendTime)).toBe(true)
    expect(new Set(records.map(({ timestamp }) => timestamp)).size).toBe(1)
    expect(decodeAll(batchFixture('a base offset').bytes).records[0]?.logAppendTime).toBe(false)
  })

  it('control batches give no record and move the position', () => {
    for (const name of ['an abort marker', 'a commit marker']) {
      const { bytes, lastOffset } = batchFixture(name)
      expect(decodeAll(bytes)).toEqual({ records: [], nextOffset: lastOffset + 1 })
      expect(decodeAll(bytes, { readCommitted: false })).toEqual({ records: [], nextOffset: lastOffset + 1 })
    }
  })

  it('batches that compaction emptied or cut move the position past their last offset', () => {
    const emptied = batchFixture('emptied by compaction').bytes
    expect(decodeAll(emptied)).toEqual({ records: [], nextOffset: 60 })
    const cut = decodeAll(batchFixture('cut by compaction').bytes, { fetchOffset: 72 })
    expect(cut.records.map(({ offset }) => offset)).toEqual([74])
    expect(cut.nextOffset).toBe(80)
  })

  it('an older message format is refused by its number', () => {
    const before = placedAt(batchFixture('a transaction').bytes, 0)
    const { records, nextOffset, error } = decodeAll(
      Buffer.concat([before, batchFixture('message format 1').bytes]),
    )
    expect(records).toHaveLength(5)
    expect(nextOffset).toBe(5)
    expect(error).toMatchObject({ fault: 'format', offset: 60 })
    expect(error?.message).toContain('format 1')
  })
})
