/** Topics that get more partitions, on a log of their own. */
import { describe, expect, test } from 'vitest'
import { verifyLog } from '../../../transports/embedded/index.ts'
import { appendRecord, topicSpec } from '../../contract/log-fixtures.ts'
import { freshDirectory, openLog } from './support.ts'

describe('a topic that gets more partitions', () => {
  test('is empty, goes on behind all that it had, and does so after a restart', async () => {
    const directory = await freshDirectory()
    const log = await openLog(directory)
    await log.ensureTopics([topicSpec('in', { partitions: 2 }), topicSpec('other'), topicSpec('letters')])
    for (const partition of [0, 1, 1, 1]) await log.append([{ ...appendRecord('in', 'old'), partition }])
    await log.append([appendRecord('other', 'kept'), appendRecord('letters', 'gone')])
    const positions = await log.regrowTopics({
      topics: ['in'],
      partitions: 3,
      emptied: ['letters', 'nobody'],
    })
    expect(positions).toEqual([0, 1, 2].map((partition) => ({ topic: 'in', partition, offset: 3 })))
    expect(log.partitions('in')).toBe(3)
    expect(await log.append([{ ...appendRecord('in', 'new'), partition: 2 }])).toMatchObject([{ offset: 3 }])
    await log.close()

    await verifyLog({ directory, application: 'contract' })
    const again = await openLog(directory)
    expect(again.partitions('in')).toBe(3)
    const bounds = (topic: string, partition: number) => again.bounds({ topic, partition })
    expect(await bounds('in', 0)).toMatchObject({ start: 3, end: 3 })
    expect(await bounds('in', 2)).toMatchObject({ start: 3, end: 4 })
    expect(await bounds('other', 0)).toMatchObject({ start: 0, end: 1 })
    expect(await bounds('letters', 0)).toMatchObject({ start: 1, end: 1 })
  })

  test('cannot get fewer, or as many', async () => {
    const log = await openLog(await freshDirectory())
    await log.ensureTopics([topicSpec('in', { partitions: 2 })])
    const regrown = log.regrowTopics({ topics: ['in'], partitions: 2, emptied: [] })
    await expect(regrown).rejects.toMatchObject({ code: 'TOPIC_MISMATCH' })
    await expect(log.regrowTopics({ topics: ['none'], partitions: 2, emptied: [] })).rejects.toMatchObject({
      code: 'UNKNOWN_TOPIC',
    })
  })
})
