/** What callers and readers see when the disk does not do what it is asked. */
import { describe, expect, test } from 'vitest'
import {
  appendRecord,
  checkpointAt,
  commitOf,
  groupOf,
  joined,
  output,
  readAll,
  Tap,
  taskOf,
  topicSpec,
  values,
} from '../../contract/log-fixtures.ts'
import { type Faults, freshDirectory, openLog } from './support.ts'

const partition = { topic: 'in', partition: 0 }

class DiskError extends Error {
  constructor() {
    super('EIO: i/o error')
  }
}

function fail(): never {
  throw new DiskError()
}

/** A log whose task has committed offset 1, and whose database does what `faults` says. */
async function opened() {
  const directory = await freshDirectory()
  const faults: Faults = {}
  const reported: Error[] = []
  const log = await openLog(directory, { hooks: { onFault: (error) => reported.push(error) } }, faults)
  await log.ensureTopics([topicSpec('in'), topicSpec('out')])
  const { assignment } = await joined(log, groupOf('in'))
  await log.append([appendRecord('in', 'before')])
  await log.commit([commitOf(assignment.epoch, checkpointAt(1, 1))])
  return { directory, faults, reported, log, epoch: assignment.epoch }
}

describe('a write that fails', () => {
  test('rejects its callers, tells readers nothing, uses no offset, and the next write goes on', async () => {
    const { log, faults, epoch, reported } = await opened()
    const tap = new Tap(log, partition, 1)
    expect(tap.reader.take(1)).toEqual([])
    faults.beforeWrite = fail
    const append = log.append([appendRecord('in', 'lost')])
    const commit = log.commit([commitOf(epoch, checkpointAt(2, 2), { outputs: [output('lost')] })])
    await expect(append).rejects.toMatchObject({ code: 'LOG_WRITE_FAILED', cause: expect.any(DiskError) })
    await expect(commit).rejects.toMatchObject({ code: 'LOG_WRITE_FAILED', reaction: 'restore' })
    expect(tap.wakes).toBe(0)
    expect(await log.committed(taskOf(0))).toEqual(checkpointAt(1, 1))
    expect(await log.bounds({ topic: 'out', partition: 0 })).toMatchObject({ start: 0, end: 0 })
    expect(reported).toEqual([expect.any(DiskError)])

    faults.beforeWrite = undefined
    const [result] = await log.append([appendRecord('in', 'next')])
    expect(result?.offset).toBe(1)
    expect(values(await tap.take(1))).toEqual(['next'])
    await log.commit([commitOf(epoch, checkpointAt(2, 2))])
    expect(await log.committed(taskOf(0))).toEqual(checkpointAt(2, 2))
  })

  test('but reached the disk is a success', async () => {
    const { directory, log, faults, epoch } = await opened()
    faults.afterWrite = fail
    const append = log.append([appendRecord('in', 'there')])
    const commit = log.commit([commitOf(epoch, checkpointAt(2, 2))])
    expect(await append).toMatchObject([{ offset: 1 }])
    await commit
    faults.afterWrite = undefined
    expect(values(await readAll(log, partition))).toEqual(['before', 'there'])
    await log.close()
    const again = await openLog(directory)
    expect(values(await readAll(again, partition))).toEqual(['before', 'there'])
    expect(await again.committed(taskOf(0))).toEqual(checkpointAt(2, 2))
  })

  test.each([
    ['is not there', 'beforeWrite', ['before', 'next'], checkpointAt(1, 1)],
    ['is there', 'afterWrite', ['before', 'unsure', 'next'], checkpointAt(2, 2)],
  ] as const)(
    'with an unknown outcome is settled once the database opens again: the batch %s',
    async (_what, when, records, checkpoint) => {
      const { log, faults, epoch } = await opened()
      faults[when] = fail
      faults.beforeOpen = fail
      const append = log.append([appendRecord('in', 'unsure')])
      const commit = log.commit([commitOf(epoch, checkpointAt(2, 2))])
      await expect(append).rejects.toMatchObject({ code: 'APPEND_UNKNOWN' })
      await expect(commit).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' })
      // Until then nobody is told what may not be true.
      await expect(log.committed(taskOf(0))).rejects.toMatchObject({ code: 'LOG_WRITE_FAILED' })
      await expect(log.append([appendRecord('in', 'too early')])).rejects.toMatchObject({
        code: 'LOG_WRITE_FAILED',
      })

      faults[when] = undefined
      faults.beforeOpen = undefined
      await expect
        .poll(() => log.committed(taskOf(0)).catch(() => 'not open yet'), { timeout: 5_000 })
        .toEqual(checkpoint)
      await log.append([appendRecord('in', 'next')])
      expect(values(await readAll(log, partition))).toEqual(records)
    },
  )

  test('leaves state readable through the same reader', async () => {
    const { log, faults, epoch } = await opened()
    const state = await log.taskState(taskOf(0))
    const key = Buffer.concat([state.prefix, Buffer.from('k')])
    const put = (value: string) => ({ type: 'put', key, value: Buffer.from(value) }) as const
    await log.commit([commitOf(epoch, checkpointAt(2, 2), { state: [put('old')] })])
    faults.beforeWrite = fail
    const commit = log.commit([commitOf(epoch, checkpointAt(3, 3), { state: [put('new')] })])
    await expect(commit).rejects.toMatchObject({ code: 'LOG_WRITE_FAILED' })
    expect(state.get(key)?.toString()).toBe('old')
  })
})

test('a member that could not be written down is none', async () => {
  const { log, faults } = await opened()
  await log.ensureTopics([topicSpec('more')])
  faults.beforeWrite = fail
  const group = { ...groupOf('more'), topology: 'others' }
  await expect(joined(log, group)).rejects.toMatchObject({ code: 'LOG_WRITE_FAILED' })
  faults.beforeWrite = undefined
  const task = { topology: 'others', subTopology: 0, partition: 0 }
  const commit = { ...commitOf(1, checkpointAt(1)), task }
  await expect(log.commit([commit])).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
  const { assignment } = await joined(log, group)
  await log.commit([{ ...commit, epoch: assignment.epoch }])
})

describe('user code', () => {
  test('that throws when it is told of records does not stop the writer', async () => {
    const { log } = await opened()
    const thrown = new Promise<unknown>((resolve) => process.once('uncaughtException', resolve))
    const listeners = process.listeners('uncaughtException')
    const reader = log.openReader(partition, 1, () => {
      throw new Error('from the reader')
    })
    expect(reader.take(1)).toEqual([])
    for (const listener of listeners.slice(0, -1)) process.removeListener('uncaughtException', listener)
    await log.append([appendRecord('in', 'a')])
    await thrown
    for (const listener of listeners.slice(0, -1)) process.on('uncaughtException', listener)
    await log.append([appendRecord('in', 'b')])
    expect(values(reader.take(2))).toEqual(['a', 'b'])
  })
})
