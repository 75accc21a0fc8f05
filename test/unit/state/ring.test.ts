/** The ring of batch numbers: what is lost in the middle is seen, and what is old goes. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  BatchRing,
  type Entry,
  memoryBackend,
  readRing,
  verifyRing,
  type WriteOp,
} from '../../../state/index.ts'

const prefix = Buffer.from('ring\x00')
const writeBufferBytes = 1_000

/** The rows that the batches given would leave behind, in key order. */
function rowsAfter(batches: readonly (readonly WriteOp[])[]): Entry[] {
  const rows = new Map<string, Entry>()
  for (const op of batches.flat()) {
    if (op.type === 'put') rows.set(op.key.toString('hex'), { key: op.key, value: op.value })
    else rows.delete(op.key.toString('hex'))
  }
  return [...rows.values()].toSorted((a, b) => Buffer.compare(a.key, b.key))
}

function batchesOf(sizes: readonly number[]): WriteOp[][] {
  const ring = new BatchRing({ prefix, writeBufferBytes })
  return sizes.map((bytes) => ring.next(bytes, Buffer.from(`${bytes}`)))
}

const sizes = fc.array(fc.integer({ min: 1, max: 800 }), { minLength: 3, maxLength: 60, size: 'max' })

describe('a ring', () => {
  test('is whole when every batch is there, and knows its newest', () => {
    fc.assert(
      fc.property(sizes, (written) => {
        const verdict = verifyRing(prefix, rowsAfter(batchesOf(written)))
        if (verdict.state !== 'whole') throw new Error(verdict.state)
        expect(verdict.rows.at(-1)?.sequence).toBe(written.length)
        expect(verdict.rows.at(-1)?.note.toString()).toBe(String(written.at(-1)))
      }),
    )
  })

  test('names the first batch that is missing, whichever recent ones were lost in the middle', () => {
    const lost = fc.record({
      written: sizes,
      back: fc.integer({ min: 1, max: 3 }),
      count: fc.integer({ min: 1, max: 5 }),
    })
    fc.assert(
      fc.property(lost, ({ written, back, count }) => {
        const batches = batchesOf(written)
        const end = batches.length - back
        const start = Math.max(0, end - count)
        fc.pre(start < end)
        const bytesAfter = written.slice(start).reduce((sum, bytes) => sum + bytes, 0)
        fc.pre(bytesAfter < 2 * writeBufferBytes)
        const verdict = verifyRing(prefix, rowsAfter([...batches.slice(0, start), ...batches.slice(end)]))
        expect(verdict).toEqual({ state: 'hole', missing: start + 1 })
      }),
    )
  })

  test('is whole when the newest batches were lost: the database is older', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 60 }), (written, kept) => {
        const verdict = verifyRing(prefix, rowsAfter(batchesOf(written).slice(0, kept)))
        expect(verdict.state).toBe('whole')
      }),
    )
  })

  test('keeps the rows of what two write buffers and a batch hold, and no more', () => {
    fc.assert(
      fc.property(sizes, (written) => {
        const verdict = verifyRing(prefix, rowsAfter(batchesOf(written)))
        if (verdict.state !== 'whole') throw new Error(verdict.state)
        const bytes = verdict.rows.map((row) => row.bytes)
        const largest = Math.max(...written) + 100
        const needed = 2 * writeBufferBytes
        const sum = bytes.reduce((total, row) => total + row, 0)
        expect(sum).toBeLessThan(needed + 2 * largest)
        if (verdict.rows[0]?.sequence !== 1) expect(sum).toBeGreaterThanOrEqual(needed)
      }),
    )
  })

  test('goes on from the rows that were found', () => {
    const first = new BatchRing({ prefix, writeBufferBytes })
    const batches = Array.from({ length: 10 }, () => first.next(300))
    const found = verifyRing(prefix, rowsAfter(batches))
    if (found.state !== 'whole') throw new Error(found.state)
    const second = new BatchRing({ prefix, writeBufferBytes, rows: found.rows })
    expect(second.last).toBe(10)
    expect(second.next(300)).toEqual(first.next(300))
  })

  test('can begin at any number', () => {
    const ring = new BatchRing({ prefix, writeBufferBytes, last: 41 })
    const verdict = verifyRing(prefix, rowsAfter([ring.next(1), ring.next(1)]))
    expect(verdict).toMatchObject({ state: 'whole', rows: [{ sequence: 42 }, { sequence: 43 }] })
  })

  test('does not pass a row with any bit flipped', () => {
    const rows = rowsAfter(batchesOf([1, 2, 3]))
    const { key, value } = rows[1] as Entry
    for (let bit = 0; bit < value.length * 8; bit++) {
      const damaged = Buffer.from(value)
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      const verdict = verifyRing(prefix, [rows[0] as Entry, { key, value: damaged }, rows[2] as Entry])
      expect(verdict).toEqual({ state: 'corrupt', key: key.toString('hex') })
    }
  })

  test('does not pass a row under another number', () => {
    const [first, second] = rowsAfter(batchesOf([1, 2])) as [Entry, Entry]
    const verdict = verifyRing(prefix, [first, { key: second.key, value: first.value }])
    expect(verdict.state).toBe('corrupt')
  })

  test('is read page by page from a backend', async () => {
    const backend = memoryBackend()
    await backend.write([
      { type: 'put', key: Buffer.from('ring\x01'), value: Buffer.from('not of the ring') },
    ])
    const ring = new BatchRing({ prefix, writeBufferBytes: 1_000_000 })
    for (let i = 0; i < 2_500; i++) await backend.write(ring.next(1))
    const verdict = await readRing(backend, prefix)
    expect(verdict.state === 'whole' && verdict.rows.length).toBe(2_500)
    const lost = Buffer.concat([prefix, Buffer.from('80000000000005dc', 'hex')])
    await backend.write([{ type: 'del', key: lost }])
    expect(await readRing(backend, prefix)).toEqual({ state: 'hole', missing: 1_500 })
  })
})
