/**
 * What every `Log` does, whatever it stands on: the four promises of `streams/log.ts`, and every error the port names.
 * Only what the port promises is here, so that a log in memory, in a directory or on a cluster can pass it.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AppendRecord, type Lineage, type Log, partitionFor } from '../../streams/index.ts'
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
} from './log-fixtures.ts'

/** A log under test, over data that is its own. */
export interface OpenedLog {
  readonly log: Log
  /** Closes the log and opens it again on the same data. */
  reopen(): Promise<Log>
  /** Closes and removes everything. */
  dispose(): Promise<void>
  /** A value of this many bytes is too large for a record. */
  readonly tooLargeBytes: number
}

export function logContract(name: string, openFreshLog: () => Promise<OpenedLog>): void {
  describe(`log: ${name}`, () => {
    let opened: OpenedLog
    let log: Log

    beforeEach(async () => {
      opened = await openFreshLog()
      log = opened.log
      await log.ensureTopics([topicSpec('in'), topicSpec('out')])
    })

    afterEach(() => opened.dispose())

    /** As a process that starts again: it names its topics first. */
    const reopen = async (): Promise<void> => {
      log = await opened.reopen()
      await log.ensureTopics([topicSpec('in'), topicSpec('out')])
    }

    describe('topics', () => {
      test('a topic that exists is made no second time', async () => {
        await log.append([appendRecord('in', 'a')])
        await log.ensureTopics([topicSpec('in')])
        expect(log.partitions('in')).toBe(2)
        expect(values(await readAll(log, { topic: 'in', partition: 0 }))).toEqual(['a'])
      })

      test('a topic made by two callers at once is made once', async () => {
        const both = ['one', 'two'].map((topic) => log.ensureTopics([topicSpec('same'), topicSpec(topic)]))
        await Promise.all(both)
        await log.append([appendRecord('one', '1'), appendRecord('same', 's'), appendRecord('two', '2')])
        expect(values(await readAll(log, { topic: 'one', partition: 0 }))).toEqual(['1'])
        expect(values(await readAll(log, { topic: 'same', partition: 0 }))).toEqual(['s'])
        expect(values(await readAll(log, { topic: 'two', partition: 0 }))).toEqual(['2'])
      })

      test('retention may change', async () => {
        await log.ensureTopics([topicSpec('in', { retentionMs: 1_000_000 })])
        expect(log.partitions('in')).toBe(2)
      })

      test.each([
        ['partitions', { partitions: 3 }],
        ['cleanup', { cleanup: 'compact' }],
        ['timestamps', { timestamps: 'LogAppendTime' }],
      ] as const)('other %s than the topic has are refused', async (_what, other) => {
        await expect(log.ensureTopics([topicSpec('in', other)])).rejects.toMatchObject({
          code: 'TOPIC_MISMATCH',
        })
        expect(log.partitions('in')).toBe(2)
      })

      test('an unknown topic has no partitions, no bounds, no reader and takes no record', async () => {
        const unknown = expect.objectContaining({ code: 'UNKNOWN_TOPIC' })
        expect(() => log.partitions('nowhere')).toThrow(unknown)
        expect(() => log.openReader({ topic: 'nowhere', partition: 0 }, 0, () => {})).toThrow(unknown)
        await expect(log.bounds({ topic: 'nowhere', partition: 0 })).rejects.toEqual(unknown)
        await expect(log.append([appendRecord('nowhere', 'a')])).rejects.toEqual(unknown)
      })

      test('a new partition is empty', async () => {
        expect(await log.bounds({ topic: 'in', partition: 1 })).toMatchObject({ start: 0, end: 0 })
      })
    })

    describe('appends', () => {
      test('each record gets the next offset of its partition', async () => {
        const records = [0, 1, 0, 0, 1].map((partition, index) =>
          appendRecord('in', `${index}`, { partition }),
        )
        const results = await log.append(records)
        expect(results.map(({ partition, offset }) => [partition, offset])).toEqual([
          [0, 0],
          [1, 0],
          [0, 1],
          [0, 2],
          [1, 1],
        ])
        const [next] = await log.append([appendRecord('in', 'next', { partition: 1 })])
        expect(next).toMatchObject({ topic: 'in', partition: 1, offset: 2 })
        expect(values(await readAll(log, { topic: 'in', partition: 1 }))).toEqual(['1', '4', 'next'])
      })

      test('the answer names the place where the record then is', async () => {
        await log.ensureTopics([topicSpec('stamped', { timestamps: 'LogAppendTime' })])
        const texts = Array.from({ length: 50 }, (_, index) => `v${index}`)
        const appends = texts.map((text, index) =>
          log.append([appendRecord('stamped', text, { partition: index % 2 })]),
        )
        const results = (await Promise.all(appends)).flat()
        for (const partition of [0, 1]) {
          for (const record of await readAll(log, { topic: 'stamped', partition })) {
            const index = texts.indexOf(record.value?.toString() ?? '')
            expect(results[index]).toMatchObject({
              partition,
              offset: record.offset,
              appendTime: record.appendTime,
            })
          }
        }
      })

      test('without a partition, the key decides as it does in Java', async () => {
        await log.ensureTopics([topicSpec('keyed', { partitions: 5 })])
        const keys = [
          '21',
          'foobar',
          'a-little-bit-long-string',
          'lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8',
        ]
        const results = await log.append(
          keys.map((key) => appendRecord('keyed', key, { partition: undefined, key: Buffer.from(key) })),
        )
        // toPositive(murmur2(key)) % 5, from org.apache.kafka.common.utils.UtilsTest's values.
        expect(results.map(({ partition }) => partition)).toEqual([0, 1, 2, 2])
        expect(results.map(({ partition }) => partition)).toEqual(
          keys.map((key) => partitionFor(Buffer.from(key), 5)),
        )
      })

      test('a record without key and partition goes to some partition', async () => {
        const [result] = await log.append([appendRecord('in', 'a', { partition: undefined, key: null })])
        const [record] = await readAll(log, { topic: 'in', partition: result?.partition ?? -1 })
        expect(record).toMatchObject({ offset: 0, key: null })
      })

      test('a record is read back as it was written', async () => {
        const full: Lineage = {
          eventId: '01890a5d-ac96-774b-bcce-b302099a8057',
          causationId: 'an id of another kind',
          correlationId: '01890a5d-ac96-774b-bcce-b302099a8058',
          traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
          cause: { topic: 'out', partition: 1, offset: 77, timestamp: 1_600_000_000_000 },
        }
        const headers = [
          ['a', Buffer.from('1')],
          ['b', Buffer.alloc(0)],
          ['a', Buffer.from([0, 255])],
        ] as const
        const written = [
          appendRecord('in', 'full', { lineage: full, headers, timestamp: 1 }),
          appendRecord('in', '', { key: Buffer.alloc(0), value: Buffer.alloc(0) }),
          appendRecord('in', '', { key: null, value: null }),
          appendRecord('in', 'ü', { timestamp: 4_000_000_000_000 }),
        ]
        await log.append(written)
        const read = await readAll(log, { topic: 'in', partition: 0 })
        for (const [index, record] of read.entries()) {
          const {
            topic,
            key,
            value,
            timestamp,
            headers: expected,
            lineage: origin,
          } = written[index] as AppendRecord
          expect(record).toMatchObject({ topic, partition: 0, offset: index, timestamp })
          expect([record.key, record.value]).toEqual([key, value])
          expect(record.headers).toEqual(expected)
          expect(record.lineage).toEqual(origin)
        }
        expect(read).toHaveLength(written.length)
      })

      test('append time never falls, and is the timestamp where the topic says so', async () => {
        await log.ensureTopics([topicSpec('stamped', { timestamps: 'LogAppendTime' })])
        for (let i = 0; i < 5; i++)
          await log.append([appendRecord('stamped', `${i}`), appendRecord('in', `${i}`)])
        const stamped = await readAll(log, { topic: 'stamped', partition: 0 })
        const times = stamped.map(({ appendTime }) => appendTime)
        expect(times).toEqual([...times].sort((a, b) => a - b))
        expect(stamped.map(({ timestamp }) => timestamp)).toEqual(times)
        for (const record of await readAll(log, { topic: 'in', partition: 0 })) {
          expect(record.timestamp).toBe(1_700_000_000_000)
        }
      })

      test('all records of a call are taken, or none', async () => {
        const good = appendRecord('in', 'good')
        await expect(log.append([good, appendRecord('nowhere', 'bad')])).rejects.toMatchObject({
          code: 'UNKNOWN_TOPIC',
        })
        const large = appendRecord('in', '', { value: Buffer.alloc(opened.tooLargeBytes) })
        await expect(log.append([good, large])).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' })
        expect(await log.bounds({ topic: 'in', partition: 0 })).toMatchObject({ start: 0, end: 0 })
      })

      test('no records are no work', async () => {
        expect(await log.append([])).toEqual([])
      })

      test('what was answered is there after a restart, and offsets go on', async () => {
        await log.append([appendRecord('in', 'a'), appendRecord('in', 'b')])
        await reopen()
        const [result] = await log.append([appendRecord('in', 'c')])
        expect(result?.offset).toBe(2)
        expect(values(await readAll(log, { topic: 'in', partition: 0 }))).toEqual(['a', 'b', 'c'])
        expect(await log.bounds({ topic: 'in', partition: 0 })).toMatchObject({ start: 0, end: 3 })
      })

      test('a closed log takes nothing, and closing twice is closing once', async () => {
        await log.close()
        await log.close()
        await expect(log.append([appendRecord('in', 'a')])).rejects.toMatchObject({ code: 'LOG_CLOSED' })
      })
    })

    describe('readers', () => {
      test('take no more than asked for, from where they stand', async () => {
        await log.append(['a', 'b', 'c', 'd'].map((text) => appendRecord('in', text)))
        const tap = new Tap(log, { topic: 'in', partition: 0 }, 1)
        expect(values(await tap.take(2))).toEqual(['b', 'c'])
        expect(tap.reader.position).toBe(3)
        expect(tap.reader.take(0)).toEqual([])
        expect(values(await tap.take(1))).toEqual(['d'])
        expect(tap.reader.position).toBe(tap.reader.end)
      })

      test('are told once, after an empty take, when there is more', async () => {
        const tap = new Tap(log, { topic: 'in', partition: 0 })
        await log.append([appendRecord('in', 'before any take')])
        await tap.take(1)
        const before = tap.wakes
        expect(tap.reader.take(10)).toEqual([])
        const [record] = await Promise.all([tap.take(1), log.append([appendRecord('in', 'next')])])
        expect(values(record)).toEqual(['next'])
        expect(tap.wakes).toBe(before + 1)
      })

      test('read all there is, in order, beside others that stand elsewhere', async () => {
        const texts = Array.from({ length: 5_000 }, (_, index) => `${index}`)
        for (let at = 0; at < texts.length; at += 500) {
          await log.append(texts.slice(at, at + 500).map((text) => appendRecord('in', text)))
        }
        await reopen()
        const behind = new Tap(log, { topic: 'in', partition: 0 })
        const ahead = new Tap(log, { topic: 'in', partition: 0 }, 4_990)
        expect(values(await ahead.take(10))).toEqual(texts.slice(4_990))
        const read = await behind.take(5_000)
        expect(values(read)).toEqual(texts)
        expect(read.map(({ offset }) => offset)).toEqual(texts.map(Number))
      })

      test.each([-1, 3])('have a fault when they stand outside the partition (%d)', async (from) => {
        await log.append([appendRecord('in', 'a'), appendRecord('in', 'b')])
        const tap = new Tap(log, { topic: 'in', partition: 0 }, from)
        await expect(tap.take(1)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
        expect(tap.reader.take(1)).toEqual([])
      })

      test('give nothing once closed, and may be closed twice', async () => {
        await log.append([appendRecord('in', 'a')])
        const { reader } = new Tap(log, { topic: 'in', partition: 0 })
        reader.close()
        reader.close()
        expect(reader.take(1)).toEqual([])
      })
    })

    describe('tasks', () => {
      test('are one for each partition of the inputs', async () => {
        const { assignment } = await joined(log, groupOf('in'))
        expect(assignment.tasks).toHaveLength(2)
        expect(assignment.tasks).toEqual(expect.arrayContaining([taskOf(0), taskOf(1)]))
      })

      test('need inputs with as many partitions each', async () => {
        await log.ensureTopics([topicSpec('three', { partitions: 3 })])
        await expect(joined(log, groupOf('in', 'three'))).rejects.toMatchObject({ code: 'TOPOLOGY_INVALID' })
      })

      test('that never committed have no checkpoint', async () => {
        await joined(log, groupOf('in'))
        expect(await log.committed(taskOf(0))).toBeUndefined()
      })

      test('get a higher epoch with every assignment', async () => {
        const first = await joined(log, groupOf('in'))
        await first.membership.leave()
        const second = await joined(log, groupOf('in'))
        expect(second.assignment.epoch).toBeGreaterThan(first.assignment.epoch)
      })
    })

    describe('commits', () => {
      test('outputs, positions and times are there together, also after a restart', async () => {
        const { assignment } = await joined(log, groupOf('in'))
        const checkpoint = checkpointAt(5)
        const outputs = [output('a'), output('b', { partition: 1 }), output('c')]
        const receipts = await log.commit([commitOf(assignment.epoch, checkpoint, { outputs })])
        expect(receipts).toHaveLength(1)
        expect(receipts[0]?.task).toEqual(taskOf(0))
        expect(receipts[0]?.outputs).toHaveLength(2)
        expect(receipts[0]?.outputs).toEqual(
          expect.arrayContaining([
            { topic: 'out', partition: 0, offset: 0 },
            { topic: 'out', partition: 1, offset: 0 },
          ]),
        )
        const look = async () => {
          expect(values(await readAll(log, { topic: 'out', partition: 0 }))).toEqual(['a', 'c'])
          expect(values(await readAll(log, { topic: 'out', partition: 1 }))).toEqual(['b'])
          expect(await log.committed(taskOf(0))).toEqual(checkpoint)
          expect(await log.committed(taskOf(1))).toBeUndefined()
        }
        await look()
        await reopen()
        await joined(log, groupOf('in'))
        await look()
      })

      test('the last one counts', async () => {
        const { assignment } = await joined(log, groupOf('in'))
        await log.commit([commitOf(assignment.epoch, checkpointAt(5, 1))])
        await log.commit([commitOf(assignment.epoch, checkpointAt(9, 2))])
        expect(await log.committed(taskOf(0))).toEqual(checkpointAt(9, 2))
      })

      test('tell how far a topology is in a partition, also whoever has none of its tasks', async () => {
        const { assignment, membership } = await joined(log, groupOf('in'))
        const at = { topic: 'in', partition: 0 }
        expect(await log.processed('orders', at)).toBeUndefined()
        await log.commit([commitOf(assignment.epoch, checkpointAt(5, 1))])
        await membership.leave()
        expect(await log.processed('orders', at)).toBe(5)
        expect(await log.processed('orders', { topic: 'in', partition: 1 })).toBeUndefined()
        expect(await log.processed('another', at)).toBeUndefined()
      })

      test('of several tasks are one', async () => {
        const { assignment } = await joined(log, groupOf('in'))
        const good = commitOf(assignment.epoch, checkpointAt(3, 1, 0), { outputs: [output('a')] })
        const stale = commitOf(assignment.epoch + 1, checkpointAt(4, 1, 1), { outputs: [output('b')] })
        await expect(log.commit([good, stale])).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
        expect(await log.bounds({ topic: 'out', partition: 0 })).toMatchObject({ end: 0 })
        expect(await log.committed(taskOf(0))).toBeUndefined()
        const right = commitOf(assignment.epoch, checkpointAt(4, 1, 1), { outputs: [output('b')] })
        await log.commit([good, right])
        expect(values(await readAll(log, { topic: 'out', partition: 0 }))).toEqual(['a', 'b'])
        expect(await log.committed(taskOf(1))).toEqual(checkpointAt(4, 1, 1))
      })

      test('from an assignment that is over are refused', async () => {
        const first = await joined(log, groupOf('in'))
        await first.membership.leave()
        const late = commitOf(first.assignment.epoch, checkpointAt(3), { outputs: [output('late')] })
        await expect(log.commit([late])).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
        const second = await joined(log, groupOf('in'))
        await expect(log.commit([late])).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
        expect(await log.bounds({ topic: 'out', partition: 0 })).toMatchObject({ end: 0 })
        await log.commit([commitOf(second.assignment.epoch, checkpointAt(3))])
        expect(await log.committed(taskOf(0))).toEqual(checkpointAt(3))
      })

      test('after leaving twice are refused as after leaving once', async () => {
        const { membership, assignment } = await joined(log, groupOf('in'))
        await membership.leave()
        await membership.leave()
        const commit = commitOf(assignment.epoch, checkpointAt(3))
        await expect(log.commit([commit])).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
      })

      test('with a record that is too large, or for an unknown topic, write nothing', async () => {
        const { assignment } = await joined(log, groupOf('in'))
        const large = output('', { value: Buffer.alloc(opened.tooLargeBytes) })
        for (const [bad, code] of [
          [large, 'RECORD_TOO_LARGE'],
          [output('x', { topic: 'nowhere' }), 'UNKNOWN_TOPIC'],
        ] as const) {
          const commit = commitOf(assignment.epoch, checkpointAt(3), { outputs: [output('good'), bad] })
          await expect(log.commit([commit])).rejects.toMatchObject({ code })
        }
        expect(await log.bounds({ topic: 'out', partition: 0 })).toMatchObject({ end: 0 })
        expect(await log.committed(taskOf(0))).toBeUndefined()
      })

      test('carry lineage and headers', async () => {
        const { assignment } = await joined(log, groupOf('in'))
        const cause = { topic: 'in', partition: 0, offset: 3, timestamp: 1_699_999_999_000 }
        const origin: Lineage = { eventId: 'e2', causationId: 'e1', correlationId: 'e1', cause }
        const headers = [['h', Buffer.from('v')]] as const
        const outputs = [output('a', { lineage: origin, headers })]
        await log.commit([commitOf(assignment.epoch, checkpointAt(4), { outputs })])
        const [record] = await readAll(log, { topic: 'out', partition: 0 })
        expect(record?.lineage).toEqual(origin)
        expect(record?.headers).toEqual(headers)
      })

      test('bring the state with them where the log keeps it', async () => {
        if (log.stateHome !== 'log') return
        const { assignment } = await joined(log, groupOf('in'))
        const before = await log.taskState(taskOf(0))
        const at = (text: string) => Buffer.concat([before.prefix, Buffer.from(text)])
        const put = (text: string) => ({ type: 'put', key: at(text), value: Buffer.from(text) }) as const
        await log.commit([commitOf(assignment.epoch, checkpointAt(1, 1), { state: [put('k1'), put('k2')] })])
        expect(before.get(at('k1'))?.toString()).toBe('k1')
        const stale = commitOf(assignment.epoch + 1, checkpointAt(2, 2), { state: [put('k3')] })
        await expect(log.commit([stale])).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
        const state = [{ type: 'del', key: at('k1') } as const]
        await log.commit([commitOf(assignment.epoch, checkpointAt(2, 2), { state })])
        await reopen()
        await joined(log, groupOf('in'))
        const after = await log.taskState(taskOf(0))
        expect(['k1', 'k2', 'k3'].map((text) => after.get(at(text))?.toString())).toEqual([
          undefined,
          'k2',
          undefined,
        ])
        const all = { gte: after.prefix, lt: Buffer.concat([after.prefix, Buffer.from([255])]) }
        expect(await after.page(all, { limit: 10 })).toEqual([{ key: at('k2'), value: Buffer.from('k2') }])
        const other = await log.taskState(taskOf(1))
        expect(other.get(Buffer.concat([other.prefix, Buffer.from('k2')]))).toBeUndefined()
      })
    })
  })
}
