/** What is purged is in no file of the directory. */
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { EmbeddedLog } from '../../../transports/embedded/index.ts'
import {
  appendRecord,
  checkpointAt,
  commitOf,
  groupOf,
  joined,
  readAll,
  taskOf,
  topicSpec,
} from '../../contract/log-fixtures.ts'
import { filesWith as filesHolding, middleOf } from '../../support/directory-bytes.ts'
import { freshDirectory, openLog } from './support.ts'

const table = topicSpec('table', { cleanup: 'compact', partitions: 2 })
const request = { topic: 'table', topology: 'orders' }

async function put(log: EmbeddedLog, key: string, value: Buffer | null): Promise<void> {
  await log.append([{ ...appendRecord('table', ''), key: Buffer.from(key), value }])
}

const filesWith = (directory: string, value: Buffer) => filesHolding(directory, middleOf(value))

describe('a purge', () => {
  test.each([
    ['in memory still', []],
    ['in a table, its deletion in memory', ['value']],
    ['and its deletion in tables', ['value', 'deletion']],
  ])('takes out a value that is %s; others stay', async (_name, restarts) => {
    const directory = await freshDirectory()
    let log = await openLog(directory)
    const again = async (after: string) => {
      if (!restarts.includes(after)) return
      await log.close()
      log = await openLog(directory)
      // Opening puts what was in memory into a table; this puts it where older ones are.
      await log.compact()
    }
    await log.ensureTopics([table])
    const [secret, other] = [randomBytes(60), randomBytes(60)]
    await put(log, 'bob', other)
    await put(log, 'ann', secret)
    for (let i = 0; i < 50; i += 1) await put(log, `more ${i}`, randomBytes(60))
    await again('value')
    await put(log, 'ann', null)
    await again('deletion')
    expect(await filesWith(directory, secret)).not.toEqual([])
    await log.purge(request)
    expect(await filesWith(directory, secret)).toEqual([])
    expect(await filesWith(directory, other)).not.toEqual([])
    expect(await log.bounds({ topic: 'table', partition: 0 })).toMatchObject({ end: 53 })
    await log.close()
    const reopened = await openLog(directory)
    expect(await reopened.bounds({ topic: 'table', partition: 0 })).toMatchObject({ end: 53 })
  })

  test('takes out what a later value replaced, however little of the topic that is', async () => {
    const directory = await freshDirectory()
    const log = await openLog(directory)
    await log.ensureTopics([table])
    for (let i = 0; i < 100; i += 1) await put(log, `${i}`, randomBytes(60))
    await log.housekeep()
    const [before, after] = [randomBytes(60), randomBytes(60)]
    await put(log, '7', before)
    await put(log, '7', after)
    expect((await log.housekeep()).compactedRecords).toBe(0)
    await log.purge(request)
    expect(await filesWith(directory, before)).toEqual([])
    expect(await filesWith(directory, after)).not.toEqual([])
    const records = await readAll(log, { topic: 'table', partition: 0 })
    const sevens = records.filter(({ key }) => key?.toString() === '7')
    expect(sevens.map(({ value }) => value)).toEqual([after])
  })

  test('leaves what a task of the topology has not read', async () => {
    const directory = await freshDirectory()
    const log = await openLog(directory)
    await log.ensureTopics([table, topicSpec('out')])
    const { assignment } = await joined(log, groupOf('table'))
    const secret = randomBytes(60)
    await put(log, 'ann', secret)
    await put(log, 'ann', null)
    const commit = async (offset: number) => {
      const checkpoint = { ...checkpointAt(0, offset), positions: [{ topic: 'table', partition: 0, offset }] }
      await log.commit([{ ...commitOf(assignment.epoch, checkpoint), task: taskOf(0) }])
    }
    await commit(1)
    await log.purge(request)
    expect(await filesWith(directory, secret)).not.toEqual([])
    await commit(2)
    await log.purge(request)
    expect(await filesWith(directory, secret)).toEqual([])
  })

  test('of a topic that there is not is refused', async () => {
    const log = await openLog(await freshDirectory())
    await expect(log.purge(request)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' })
  })
})
