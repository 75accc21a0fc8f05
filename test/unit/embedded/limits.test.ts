/** Back-pressure, group commit, and time. */
import { describe, expect, test } from 'vitest'
import type { BatchEvent } from '../../../transports/embedded/index.ts'
import {
  appendRecord,
  checkpointAt,
  commitOf,
  groupOf,
  joined,
  output,
  readAll,
  Tap,
  topicSpec,
  values,
} from '../../contract/log-fixtures.ts'
import { type Faults, freshDirectory, gate, openLog } from './support.ts'

const partition = { topic: 'in', partition: 0 }

/** A log whose writes wait until the gate opens; `begun` resolves once the first one waits. */
async function stalled(options: Parameters<typeof openLog>[1] = {}) {
  const faults: Faults = {}
  const log = await openLog(await freshDirectory(), options, faults)
  await log.ensureTopics([topicSpec('in'), topicSpec('out')])
  const { assignment } = await joined(log, groupOf('in'))
  const disk = gate()
  const begun = gate()
  faults.beforeWrite = async () => {
    begun.open()
    await disk.opened
  }
  return { log, disk, begun, epoch: assignment.epoch }
}

describe('appends that wait', () => {
  test('are bounded in records', async () => {
    const { log, disk } = await stalled({ maxWaitingRecords: 3 })
    const two = log.append([appendRecord('in', 'a'), appendRecord('in', 'b')])
    const one = log.append([appendRecord('in', 'c')])
    await expect(log.append([appendRecord('in', 'd')])).rejects.toMatchObject({
      code: 'LOG_BUSY',
      reaction: 'retry',
    })
    expect(log.stats().waiting.records).toBe(3)
    disk.open()
    await Promise.all([two, one])
    expect(log.stats().waiting).toEqual({ records: 0, bytes: 0 })
    await log.append([appendRecord('in', 'd')])
    expect(values(await readAll(log, partition))).toEqual(['a', 'b', 'c', 'd'])
  })

  test('are bounded in bytes', async () => {
    const { log, disk } = await stalled({ maxWaitingBytes: 2_500 })
    const first = log.append([appendRecord('in', 'x'.repeat(1_000))])
    await expect(log.append([appendRecord('in', 'y'.repeat(1_000))])).rejects.toMatchObject({
      code: 'LOG_BUSY',
    })
    disk.open()
    await first
  })

  test('of one call that could never fit are refused for good', async () => {
    const log = await openLog(await freshDirectory(), { maxWaitingRecords: 1 })
    await log.ensureTopics([topicSpec('in')])
    await expect(log.append([appendRecord('in', 'a'), appendRecord('in', 'b')])).rejects.toMatchObject({
      code: 'RECORD_TOO_LARGE',
    })
  })

  test('do not keep commits from the disk', async () => {
    const { log, disk, epoch } = await stalled({ maxWaitingRecords: 1 })
    const append = log.append([appendRecord('in', 'a')])
    const commit = log.commit([commitOf(epoch, checkpointAt(1), { outputs: [output('b')] })])
    disk.open()
    await Promise.all([append, commit])
  })
})

describe('one write', () => {
  test('takes all that gathered while the disk was busy, appends and commits', async () => {
    const events: BatchEvent[] = []
    const { log, disk, begun, epoch } = await stalled({ hooks: { onBatch: (event) => events.push(event) } })
    const first = log.append([appendRecord('in', 'first')])
    await begun.opened
    events.length = 0
    const rest = ['a', 'b', 'c'].map((text) => log.append([appendRecord('in', text)]))
    const commit = log.commit([commitOf(epoch, checkpointAt(1), { outputs: [output('d'), output('e')] })])
    disk.open()
    await Promise.all([first, ...rest, commit])
    await Promise.resolve()
    expect(events.map(({ appends, commits, records }) => [appends, commits, records])).toEqual([
      [1, 0, 1],
      [3, 1, 5],
    ])
    expect(events[1]?.bytes).toBeGreaterThan(0)
  })

  test('takes no more than its size', async () => {
    const events: BatchEvent[] = []
    const hooks = { onBatch: (event: BatchEvent) => events.push(event) }
    const { log, disk, begun } = await stalled({ hooks, maxBatchBytes: 4_000 })
    const first = log.append([appendRecord('in', 'first')])
    await begun.opened
    events.length = 0
    const rest = [1, 2, 3, 4].map(() => log.append([appendRecord('in', 'x'.repeat(800))]))
    disk.open()
    await Promise.all([first, ...rest])
    await Promise.resolve()
    expect(events.map(({ appends }) => appends)).toEqual([1, 2, 2])
  })

  test('that is under way when the log closes is finished, and what waits behind it as well', async () => {
    const { log, disk, begun } = await stalled()
    const first = log.append([appendRecord('in', 'a')])
    await begun.opened
    const second = log.append([appendRecord('in', 'b')])
    const closed = log.close()
    await expect(log.append([appendRecord('in', 'c')])).rejects.toMatchObject({ code: 'LOG_CLOSED' })
    disk.open()
    expect(await first).toMatchObject([{ offset: 0 }])
    expect(await second).toMatchObject([{ offset: 1 }])
    await closed
  })
})

describe('a full disk', () => {
  test('refuses appends, still takes commits, and takes appends again once there is room', async () => {
    const directory = await freshDirectory()
    const clock = { now: () => 1_700_000_000_000 }
    const log = await openLog(directory, { clock, maxDiskBytes: 600_000, writeBufferBytes: 65_536 })
    await log.ensureTopics([topicSpec('in'), topicSpec('out')])
    const { assignment, membership } = await joined(log, groupOf('in'))
    let appended = 0
    const incompressible = () => Buffer.from(Array.from({ length: 20_000 }, () => Math.random() * 256))
    const refused = await (async () => {
      for (;;) {
        try {
          await log.append([appendRecord('in', '', { value: incompressible() })])
          appended++
          // Measured as housekeeping does; in between the directory is measured every 16 MiB.
          await log.housekeep()
        } catch (error) {
          return error
        }
      }
    })()
    expect(refused).toMatchObject({ code: 'LOG_FULL', reaction: 'retry' })
    expect(log.stats().bytesOnDisk).toBeGreaterThanOrEqual(600_000)
    expect(appended).toBeGreaterThan(20)
    await log.commit([commitOf(assignment.epoch, checkpointAt(appended), { outputs: [output('still')] })])
    expect(values(await readAll(log, { topic: 'out', partition: 0 }))).toEqual(['still'])

    await membership.leave()
    await log.ensureTopics([topicSpec('in', { retentionBytes: 1 })])
    await log.housekeep()
    await log.close()
    // Deleted rows leave the disk when LevelDB merges its tables, here after it is opened again.
    const again = await openLog(directory, { clock, maxDiskBytes: 2_000_000 })
    await again.append([appendRecord('in', 'room')])
    expect((await again.bounds(partition)).start).toBe(appended)
  })
})

describe('append time', () => {
  test('never falls, whatever the clock does, also across restarts', async () => {
    const directory = await freshDirectory()
    let time = 1_700_000_000_000
    const clock = { now: () => time }
    let log = await openLog(directory, { clock })
    await log.ensureTopics([topicSpec('in', { timestamps: 'LogAppendTime' })])
    const taken: (number | undefined)[] = []
    const append = async () => taken.push((await log.append([appendRecord('in', 'a')]))[0]?.appendTime)
    await append()
    time -= 60_000
    await append()
    await log.close()
    log = await openLog(directory, { clock })
    await append()
    time += 60_001.7
    await append()
    const base = 1_700_000_000_000
    expect(taken).toEqual([base, base, base, base + 1])
    expect((await readAll(log, partition)).map(({ timestamp }) => timestamp)).toEqual(taken)
  })
})

describe('memory for the newest records', () => {
  test('stays within its bound, and readers get the rest from the disk', async () => {
    const log = await openLog(await freshDirectory(), { tailCacheBytes: 20_000, readAheadBytes: 5_000 })
    await log.ensureTopics([topicSpec('in', { partitions: 3 })])
    for (let i = 0; i < 300; i++) {
      await log.append([appendRecord('in', `${i}${'x'.repeat(300)}`, { partition: i % 3 })])
    }
    expect(log.stats().tailCacheBytes).toBeLessThanOrEqual(20_000)
    expect(log.stats().tailCacheBytes).toBeGreaterThan(10_000)
    for (const p of [0, 1, 2]) {
      const records = await new Tap(log, { topic: 'in', partition: p }).take(100)
      expect(values(records).map((text) => Number.parseInt(text ?? '', 10))).toEqual(
        Array.from({ length: 100 }, (_, index) => index * 3 + p),
      )
    }
  })
})

test('a limit that makes no sense is refused by name', async () => {
  await expect(openLog(await freshDirectory(), { maxBatchBytes: 0 })).rejects.toThrow('maxBatchBytes')
  await expect(openLog(await freshDirectory(), { tailCacheBytes: Number.NaN })).rejects.toThrow(
    'tailCacheBytes',
  )
})

test('a timestamp that is no whole number of milliseconds is refused', async () => {
  const log = await openLog(await freshDirectory())
  await log.ensureTopics([topicSpec('in')])
  for (const timestamp of [Number.NaN, 1.5, 2 ** 52, Number.POSITIVE_INFINITY]) {
    await expect(log.append([appendRecord('in', 'a', { timestamp })])).rejects.toThrow(RangeError)
  }
})
