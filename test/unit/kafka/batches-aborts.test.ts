/** Which records a reader of committed records gets, whatever transactions are mixed. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c } from '../../../transports/kafka/batches/crc32c.ts'
import type { AbortedTransaction } from '../../../transports/kafka/protocol/fetch.ts'
import { batchOf, decodeAll, placedAt, valuesOf } from './fixtures/batches.ts'
import { batchFixture } from './fixtures/index.ts'

type Step =
  | { readonly kind: 'write'; readonly producer: number; readonly records: number }
  | { readonly kind: 'end'; readonly producer: number; readonly committed: boolean }
  | { readonly kind: 'plain'; readonly records: number }

interface PartitionLog {
  readonly batches: readonly { readonly bytes: Buffer; readonly first: number; readonly last: number }[]
  readonly aborted: readonly (AbortedTransaction & { readonly lastOffset: number })[]
  /** Of every record that is no control record, in order. */
  readonly records: readonly { readonly offset: number; readonly value: string; readonly visible: boolean }[]
  readonly end: number
}

interface OpenTransaction {
  readonly first: number
  readonly values: { offset: number; value: string }[]
}

const COMMIT_MARKER = batchFixture('a commit marker').bytes
const ABORT_MARKER = batchFixture('an abort marker').bytes

/** Java's marker, for another producer. */
function marker(producer: number, committed: boolean, offset: number): Buffer {
  const bytes = placedAt(committed ? COMMIT_MARKER : ABORT_MARKER, offset)
  bytes.writeBigInt64BE(BigInt(producer), 43)
  bytes.writeUInt32BE(crc32c(bytes, 21), 17)
  return bytes
}

/** Plays the steps as a broker would, and notes what came of each record. */
function play(steps: readonly Step[]): PartitionLog {
  const batches: { bytes: Buffer; first: number; last: number }[] = []
  const aborted: (AbortedTransaction & { lastOffset: number })[] = []
  const outcome = new Map<number, { value: string; visible: boolean }>()
  const open = new Map<number, OpenTransaction>()
  let end = 0

  const append = (bytes: Buffer, count: number) => {
    batches.push({ bytes, first: end, last: end + count - 1 })
    end += count
  }
  const write = (count: number, producer: number | undefined) => {
    const values = Array.from({ length: count }, (_, i) => `record ${end + i}`)
    const stamp = producer === undefined ? {} : { producerId: BigInt(producer), transactional: true }
    const transaction =
      producer === undefined ? undefined : (open.get(producer) ?? { first: end, values: [] })
    if (producer !== undefined && transaction !== undefined) open.set(producer, transaction)
    for (const [i, value] of values.entries()) {
      if (transaction === undefined) outcome.set(end + i, { value, visible: true })
      else transaction.values.push({ offset: end + i, value })
    }
    append(placedAt(batchOf(values, stamp), end), count)
  }
  const finish = (producer: number, committed: boolean) => {
    const transaction = open.get(producer)
    // A coordinator ends what is open only; an empty transaction has no marker here.
    if (transaction === undefined) return
    for (const { offset, value } of transaction.values) outcome.set(offset, { value, visible: committed })
    if (!committed) {
      aborted.push({ producerId: BigInt(producer), firstOffset: transaction.first, lastOffset: end })
    }
    open.delete(producer)
    append(marker(producer, committed, end), 1)
  }

  for (const step of steps) {
    if (step.kind === 'plain') write(step.records, undefined)
    else if (step.kind === 'write') write(step.records, step.producer)
    else finish(step.producer, step.committed)
  }
  for (const [i, producer] of [...open.keys()].entries()) finish(producer, i % 2 === 0)
  const records = Array.from(outcome, ([offset, one]) => ({ offset, ...one }))
  return { batches, aborted, records: records.toSorted((a, b) => a.offset - b.offset), end }
}

/** A Fetch answer from `from` on: whole batches, and the aborted transactions that reach into them, in any order. */
function answer(log: PartitionLog, from: number, batchesMax: number, shuffled: boolean) {
  const batches = log.batches.filter(({ last }) => last >= from).slice(0, batchesMax)
  const first = batches[0]?.first ?? from
  const last = batches.at(-1)?.last ?? from
  const reaching = log.aborted.filter((one) => one.lastOffset >= first && one.firstOffset <= last)
  return {
    bytes: Buffer.concat(batches.map(({ bytes }) => bytes)),
    aborted: shuffled ? reaching.toReversed() : reaching,
  }
}

const producer = fc.integer({ min: 1, max: 3 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      producer,
      records: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('end' as const), producer, committed: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('plain' as const), records: fc.integer({ min: 1, max: 3 }) }),
  },
)

describe('a reader of committed records', () => {
  it('gets exactly those, wherever it begins and however its answers are cut', () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 40 }),
        fc.nat(30),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        (steps, start, batchesMax, shuffled) => {
          const log = play(steps)
          const from = Math.min(start, log.end)
          const got: { offset: number; value: string | undefined }[] = []
          for (let position = from; position < log.end; ) {
            const { bytes, aborted } = answer(log, position, batchesMax, shuffled)
            const decoded = decodeAll(bytes, { fetchOffset: position, abortedTransactions: aborted })
            expect(decoded.error).toBeUndefined()
            expect(decoded.nextOffset).toBeGreaterThan(position)
            for (const { offset, value } of decoded.records) got.push({ offset, value: value?.toString() })
            position = decoded.nextOffset
          }
          const expected = log.records.filter(({ offset, visible }) => visible && offset >= from)
          expect(got).toEqual(expected.map(({ offset, value }) => ({ offset, value })))
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('gets the same from a list that is not in the order of offsets', () => {
    const log = play([
      { kind: 'write', producer: 1, records: 1 },
      { kind: 'write', producer: 2, records: 1 },
      { kind: 'end', producer: 2, committed: false },
      { kind: 'write', producer: 2, records: 1 },
      { kind: 'end', producer: 2, committed: true },
      { kind: 'end', producer: 1, committed: false },
    ])
    const { bytes, aborted } = answer(log, 0, 99, false)
    expect(aborted.map(({ firstOffset }) => firstOffset)).toEqual([1, 0])
    expect(valuesOf(decodeAll(bytes, { abortedTransactions: aborted }).records)).toEqual(['record 3'])
  })

  it('gets the next transaction of a producer that has aborted one', () => {
    const log = play([
      { kind: 'write', producer: 1, records: 2 },
      { kind: 'end', producer: 1, committed: false },
      { kind: 'write', producer: 1, records: 2 },
      { kind: 'end', producer: 1, committed: true },
    ])
    const { bytes, aborted } = answer(log, 0, 99, false)
    expect(valuesOf(decodeAll(bytes, { abortedTransactions: aborted }).records)).toEqual([
      'record 3',
      'record 4',
    ])
  })

  it('gets nothing of an aborted transaction until its abort marker, whatever other marker comes', () => {
    const stamp = { producerId: 1n, transactional: true }
    const bytes = Buffer.concat([
      placedAt(batchOf(['a'], stamp), 0),
      marker(1, true, 1),
      placedAt(batchOf(['b'], stamp), 2),
      marker(1, false, 3),
      placedAt(batchOf(['c'], stamp), 4),
    ])
    const { records } = decodeAll(bytes, { abortedTransactions: [{ producerId: 1n, firstOffset: 0 }] })
    expect(valuesOf(records)).toEqual(['c'])
  })

  it('loses no record that only has the producer’s id and no transaction', () => {
    const idempotent = placedAt(batchOf(['a'], { producerId: 1n, transactional: false }), 0)
    const aborted = [{ producerId: 1n, firstOffset: 0 }]
    expect(valuesOf(decodeAll(idempotent, { abortedTransactions: aborted }).records)).toEqual(['a'])
  })
})

describe('a reader of uncommitted records', () => {
  it('gets all of them', () => {
    const log = play([
      { kind: 'write', producer: 1, records: 2 },
      { kind: 'end', producer: 1, committed: false },
    ])
    const { bytes, aborted } = answer(log, 0, 99, false)
    const { records, nextOffset } = decodeAll(bytes, { readCommitted: false, abortedTransactions: aborted })
    expect(valuesOf(records)).toEqual(['record 0', 'record 1'])
    expect(nextOffset).toBe(3)
  })
})
