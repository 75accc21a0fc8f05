/** What housekeeping deletes, and what it must not. */
import { describe, expect, test } from 'vitest'
import type { EmbeddedLog } from '../../../transports/embedded/index.ts'
import {
  appendRecord,
  checkpointAt,
  commitOf,
  groupOf,
  joined,
  readAll,
  Tap,
  taskOf,
  topicSpec,
  values,
} from '../../contract/log-fixtures.ts'
import { type Faults, freshDirectory, openLog } from './support.ts'

const HOUR = 3_600_000
const partition = { topic: 'in', partition: 0 }

async function aged(directory: string, options: Parameters<typeof openLog>[1] = {}, faults: Faults = {}) {
  const clock = { time: 1_700_000_000_000, now: () => clock.time }
  const log = await openLog(directory, { clock, tailCacheBytes: 1, ...options }, faults)
  return { clock, log }
}

async function appendEach(log: EmbeddedLog, texts: readonly string[], topic = 'in'): Promise<void> {
  for (const text of texts) await log.append([appendRecord(topic, text)])
}

async function kept(log: EmbeddedLog, topic = 'in'): Promise<(string | null)[]> {
  const { start } = await log.bounds({ topic, partition: 0 })
  return values(await readAll(log, { topic, partition: 0 }, start))
}

describe('retention', () => {
  test('by time deletes what is older, moves the start, and both survive a restart', async () => {
    const directory = await freshDirectory()
    const { clock, log } = await aged(directory)
    await log.ensureTopics([topicSpec('in', { retentionMs: HOUR })])
    await appendEach(log, ['a', 'b'])
    clock.time += HOUR
    await appendEach(log, ['c'])
    expect((await log.housekeep(clock.time)).deletedRows).toBe(0)
    expect((await log.housekeep(clock.time + 1)).deletedRows).toBe(2)
    expect(await kept(log)).toEqual(['c'])
    await log.close()
    const again = await openLog(directory)
    expect(await again.bounds(partition)).toMatchObject({ start: 2, end: 3 })
    expect(await kept(again)).toEqual(['c'])
    await again.append([appendRecord('in', 'd')])
    expect(await kept(again)).toEqual(['c', 'd'])
  })

  test('may take everything; offsets go on all the same', async () => {
    const directory = await freshDirectory()
    const { clock, log } = await aged(directory)
    await log.ensureTopics([topicSpec('in', { retentionMs: HOUR })])
    await appendEach(log, ['a', 'b'])
    await log.housekeep(clock.time + 2 * HOUR)
    expect(await log.bounds(partition)).toMatchObject({ start: 2, end: 2 })
    expect(log.stats().partitions[0]).toMatchObject({ bytes: 0 })
    await log.close()
    const again = await openLog(directory)
    expect(await again.append([appendRecord('in', 'c')])).toMatchObject([{ offset: 2 }])
  })

  test('by size deletes the oldest until the rest fits', async () => {
    const { clock, log } = await aged(await freshDirectory())
    await log.ensureTopics([topicSpec('in')])
    await appendEach(log, ['a'.repeat(1000)])
    const one = log.stats().partitions[0]?.bytes ?? 0
    await appendEach(log, ['b'.repeat(1000), 'c'.repeat(1000), 'd'.repeat(1000)])
    expect(log.stats().partitions[0]?.bytes).toBe(4 * one)
    await log.ensureTopics([topicSpec('in', { retentionBytes: 2 * one })])
    expect((await log.housekeep(clock.time)).deletedRows).toBe(2)
    expect(log.stats().partitions[0]).toMatchObject({ start: 2, end: 4, bytes: 2 * one })
  })

  test('keeps sizes right across restarts', async () => {
    const directory = await freshDirectory()
    const { clock, log } = await aged(directory)
    await log.ensureTopics([topicSpec('in', { retentionMs: HOUR })])
    await appendEach(log, ['a', 'b'])
    clock.time += 2 * HOUR
    await appendEach(log, ['c', 'd', 'e'])
    await log.housekeep(clock.time)
    const before = log.stats().partitions
    await log.close()
    const again = await openLog(directory)
    expect(again.stats().partitions).toEqual(before)
  })

  test('never passes the lowest position of a task that reads the topic', async () => {
    const { clock, log } = await aged(await freshDirectory())
    await log.ensureTopics([topicSpec('in', { retentionMs: HOUR })])
    await appendEach(log, ['a', 'b', 'c'])
    const { assignment } = await joined(log, groupOf('in'))
    const late = clock.time + 2 * HOUR
    // A task that never committed reads from the start.
    expect((await log.housekeep(late)).deletedRows).toBe(0)
    await log.commit([commitOf(assignment.epoch, checkpointAt(1, 1))])
    expect((await log.housekeep(late)).deletedRows).toBe(1)
    expect(await kept(log)).toEqual(['b', 'c'])
    expect(log.stats().partitions[0]).toMatchObject({ held: 1, heldBy: ['orders.0_0'] })
    await log.commit([commitOf(assignment.epoch, checkpointAt(3, 2))])
    expect((await log.housekeep(late)).deletedRows).toBe(2)
  })

  test('never passes a position that a connector holds, also after a restart', async () => {
    const directory = await freshDirectory()
    const { clock, log } = await aged(directory)
    await log.ensureTopics([topicSpec('in', { retentionMs: HOUR })])
    await appendEach(log, ['a', 'b', 'c'])
    await log.holdPosition('mailer', partition, 1)
    await log.holdPosition('platform', partition, 2)
    const late = clock.time + 2 * HOUR
    await log.close()
    const again = await openLog(directory)
    expect(again.heldPositions('mailer')).toEqual([{ ...partition, offset: 1 }])
    await again.housekeep(late)
    expect(await kept(again)).toEqual(['b', 'c'])
    await again.releasePosition('mailer', partition)
    await again.housekeep(late)
    expect(await kept(again)).toEqual(['c'])
    expect(again.heldPositions('mailer')).toEqual([])
  })

  test('takes back its mind when a task comes while it looks', async () => {
    const faults: Faults = {}
    const { clock, log } = await aged(await freshDirectory(), {}, faults)
    await log.ensureTopics([topicSpec('in', { retentionMs: HOUR })])
    await appendEach(log, ['a'])
    faults.beforePage = async () => {
      faults.beforePage = undefined
      await joined(log, groupOf('in'))
    }
    expect((await log.housekeep(clock.time + 2 * HOUR)).deletedRows).toBe(0)
    expect(await kept(log)).toEqual(['a'])
  })

  test('leaves a reader that it overtakes with a fault, not with a gap', async () => {
    const { clock, log } = await aged(await freshDirectory(), { readAheadBytes: 1 })
    await log.ensureTopics([topicSpec('in', { retentionMs: HOUR })])
    await appendEach(log, ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'])
    const tap = new Tap(log, partition)
    expect(values(await tap.take(1))).toEqual(['a'])
    await log.housekeep(clock.time + 2 * HOUR)
    // What it had in memory may still come; then it must stop.
    const rest = tap.take(9)
    await expect(rest).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
  })

  test('does not let a reader jump over what it deleted', async () => {
    const { clock, log } = await aged(await freshDirectory())
    await log.ensureTopics([topicSpec('in', { retentionMs: HOUR })])
    await appendEach(log, ['a', 'b', 'c', 'd'])
    clock.time += 2 * HOUR
    await appendEach(log, ['e'])
    const tap = new Tap(log, partition)
    await log.housekeep(clock.time)
    expect(await log.bounds(partition)).toMatchObject({ start: 4, end: 5 })
    await expect(tap.take(1)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
  })

  test('goes slice by slice, so that other batches come in between', async () => {
    const faults: Faults = {}
    const { clock, log } = await aged(await freshDirectory(), { housekeepingSliceBytes: 1 }, faults)
    await log.ensureTopics([topicSpec('in', { retentionMs: HOUR })])
    await appendEach(log, ['a', 'b', 'c', 'd'])
    const deletes: number[] = []
    faults.beforeWrite = (ops) => {
      const count = ops.filter(({ type, key }) => type === 'del' && key[0] === 'l'.charCodeAt(0)).length
      if (count > 0) deletes.push(count)
    }
    await log.housekeep(clock.time + 2 * HOUR)
    expect(deletes).toEqual([1, 1, 1, 1])
  })

  test('takes journals with their inputs', async () => {
    const { clock, log } = await aged(await freshDirectory())
    await log.ensureTopics([topicSpec('in', { retentionMs: HOUR })])
    await appendEach(log, ['a', 'b'])
    const { assignment } = await joined(log, groupOf('in'))
    const commit = (sequence: number, inputs: { firstOffset: number; count: number }[]) => {
      const plain = commitOf(assignment.epoch, checkpointAt(2, sequence))
      const runs = inputs.map((run) => ({ ...partition, ...run }))
      return log.commit([{ ...plain, journal: { ...plain.journal, inputs: runs } }])
    }
    await commit(1, [{ firstOffset: 0, count: 1 }])
    await commit(2, [])
    await commit(3, [{ firstOffset: 1, count: 1 }])
    await commit(4, [])
    clock.time += 2 * HOUR
    await appendEach(log, ['c'])
    await commit(5, [{ firstOffset: 2, count: 1 }])
    expect((await log.housekeep(clock.time)).deletedJournals).toBe(3)
    const left: number[] = []
    for await (const { sequence } of log.journal(taskOf(0))) left.push(sequence)
    expect(left).toEqual([4, 5])
    expect((await log.housekeep(clock.time)).deletedJournals).toBe(0)
  })
})

describe('compaction', () => {
  const compacted = topicSpec('table', { cleanup: 'compact', partitions: 2 })
  const table = { topic: 'table', partition: 0 }
  const DAY = 24 * HOUR

  async function put(log: EmbeddedLog, key: string, value: string | null): Promise<void> {
    const bytes = value === null ? null : Buffer.from(value)
    await log.append([{ ...appendRecord('table', ''), key: Buffer.from(key), value: bytes }])
  }

  async function rows(log: EmbeddedLog): Promise<string[]> {
    const { end } = await log.bounds(table)
    const tap = new Tap(log, table)
    const found: string[] = []
    while (tap.reader.position < end) {
      for (const { offset, key, value } of await tap.take(1)) {
        found.push(`${offset} ${key?.toString()}=${value?.toString() ?? null}`)
      }
      // What compaction took at the end of the partition is passed over by looking.
      tap.reader.take(0)
    }
    return found
  }

  test('keeps the last record of each key under its offset, also for readers in the middle and after a restart', async () => {
    const directory = await freshDirectory()
    const { clock, log } = await aged(directory)
    await log.ensureTopics([compacted])
    for (const [key, value] of [
      ['a', '1'],
      ['b', '1'],
      ['a', '2'],
      ['c', '1'],
      ['a', '3'],
      ['b', '2'],
    ] as const) {
      await put(log, key, value)
    }
    expect((await log.housekeep(clock.time)).compactedRecords).toBe(3)
    const expected = ['3 c=1', '4 a=3', '5 b=2']
    expect(await rows(log)).toEqual(expected)
    expect(values(await new Tap(log, table, 1).take(2))).toEqual(['1', '3'])
    expect(await log.bounds(table)).toMatchObject({ start: 0, end: 6 })
    await put(log, 'd', '1')
    await log.close()
    const again = await openLog(directory, { tailCacheBytes: 1 })
    expect(await rows(again)).toEqual([...expected, '6 d=1'])
    expect((await again.housekeep(clock.time)).compactedRecords).toBe(0)
  })

  test('keeps deletions for their time, then takes them too', async () => {
    const { clock, log } = await aged(await freshDirectory(), { tombstoneRetentionMs: DAY })
    await log.ensureTopics([compacted])
    await put(log, 'a', '1')
    await put(log, 'a', null)
    await put(log, 'b', '1')
    await log.housekeep(clock.time + DAY)
    expect(await rows(log)).toEqual(['1 a=null', '2 b=1'])
    expect((await log.housekeep(clock.time + DAY + 1)).compactedRecords).toBe(1)
    expect(await rows(log)).toEqual(['2 b=1'])
  })

  test('leaves what a task has not read', async () => {
    const { clock, log } = await aged(await freshDirectory())
    await log.ensureTopics([compacted, topicSpec('out')])
    const { assignment } = await joined(log, groupOf('table'))
    for (const value of ['1', '2', '3', '4']) await put(log, 'a', value)
    const checkpoint = { ...checkpointAt(0, 1), positions: [{ ...table, offset: 3 }] }
    await log.commit([{ ...commitOf(assignment.epoch, checkpoint), task: taskOf(0) }])
    await log.housekeep(clock.time)
    // Of the three that were read the last one stays; the fourth is not looked at.
    expect(await rows(log)).toEqual(['2 a=3', '3 a=4'])
  })

  test('does nothing where little is new', async () => {
    const { clock, log } = await aged(await freshDirectory())
    await log.ensureTopics([compacted])
    for (let i = 0; i < 100; i++) await put(log, `${i}`, 'first')
    await log.housekeep(clock.time)
    await put(log, '7', 'second')
    expect((await log.housekeep(clock.time)).compactedRecords).toBe(0)
    for (let i = 0; i < 60; i++) await put(log, `${i}`, 'third')
    expect((await log.housekeep(clock.time)).compactedRecords).toBe(61)
  })

  test('never joins rows over a hole', async () => {
    const faults: Faults = {}
    const reported: Error[] = []
    const hooks = { onFault: (error: Error) => reported.push(error) }
    const { clock, log } = await aged(await freshDirectory(), { hooks }, faults)
    await log.ensureTopics([compacted])
    for (let i = 0; i < 6; i++) {
      faults.beforeWrite = (ops) => {
        // The third record's row never reaches the database.
        const row = ops.find(({ key }) => i === 2 && key[0] === 'l'.charCodeAt(0))
        if (row !== undefined) row.key.fill('~')
      }
      await put(log, 'a', `${i}`)
    }
    faults.beforeWrite = undefined
    await log.housekeep(clock.time)
    expect(reported).toEqual([expect.objectContaining({ code: 'LOG_RECORD_CORRUPT' })])
    await expect(rows(log)).rejects.toMatchObject({ code: 'LOG_RECORD_CORRUPT' })
  })
})
