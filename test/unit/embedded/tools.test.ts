/** A log that nobody has open, read from end to end, compacted, and with stores made anew. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { keyValueStore, serdes } from '../../../state/index.ts'
import { processor, shape, Streams, topology, type Topic, type TopicUse } from '../../../streams/index.ts'
import { type EmbeddedLog, openEmbeddedLog, verifyLog } from '../../../transports/embedded/index.ts'
import { checkpointKey, logKey, statePrefix } from '../../../transports/embedded/keys.ts'
import { openDatabase } from '../../../transports/embedded/open-database.ts'
import { appendRecord, topicSpec, values } from '../../contract/log-fixtures.ts'
import { readAll } from '../../contract/log-fixtures.ts'
import { inputBehind } from '../../support/input-behind.ts'
import { rowsOf } from '../../support/decided-again.ts'
import { freshDirectory } from './support.ts'

const application = 'contract'
const text: Pick<Topic<string, string>, 'key' | 'value' | 'cleanup' | 'timestamps'> = {
  key: serdes.string,
  value: serdes.string,
  cleanup: 'delete',
  timestamps: 'CreateTime',
}
const visits: Topic<string, string> = { name: 'visits', ...text }
const greetings: Topic<string, string> = { name: 'greetings', ...text }
const seen = keyValueStore({ name: 'seen', value: serdes.json<number>() })

/** Counts visits; `words` stands for a rule that a new program changed. */
function greeter(words = 'welcome') {
  const greet = processor({
    name: 'greet',
    input: shape<string, string>(),
    stores: { seen },
    outputs: { greetings: shape<string, string>() },
    process(record, { stores, emit }) {
      const count = (stores.seen.get(record.key) ?? 0) + 1
      stores.seen.put(record.key, count)
      emit.greetings(record.key, `${words} ${count}`)
    },
  })
  return topology('greeter', (t) => {
    t.stream(visits).process(greet).greetings.to(greetings)
  })
}

const uses = ({ name, cleanup, timestamps }: TopicUse) =>
  topicSpec(name, { cleanup, timestamps, retentionBytes: 1 })

/** A closed log in which 200 visits of 20 guests were greeted, over two runs. */
async function greeted(): Promise<string> {
  const directory = await freshDirectory()
  for (const run of [1, 2]) {
    // What the ring of recent batches reaches back to is checked at each start: here that is little.
    const limits = { housekeepingIntervalMs: 0, writeBufferBytes: 1_000 }
    const log = await openEmbeddedLog({ directory, application, ...limits })
    const streams = new Streams({ application, topologies: [greeter()], log, topicSpec: uses })
    await streams.open()
    await streams.ready()
    const guests = Array.from({ length: 100 }, (_, i) =>
      appendRecord('visits', `v${run}`, { key: Buffer.from(`guest ${i % 20}`), partition: i % 2 }),
    )
    await log.append(guests)
    streams.run()
    for (;;) {
      const behind = await inputBehind(streams, log)
      if (behind === undefined) break
      await behind.runner.progress.reached(behind.topic, behind.partition, behind.end - 1, 1_000)
    }
    await streams.close()
    await log.close()
  }
  return directory
}

const task = (partition: number) => ({ topology: 'greeter', subTopology: 0, partition })

function opened(directory: string): Promise<EmbeddedLog> {
  return openEmbeddedLog({ directory, application, housekeepingIntervalMs: 0, checkTables: false })
}

describe('the check of a whole log', () => {
  test('counts what is there', async () => {
    const directory = await greeted()
    expect(await verifyLog({ directory, application })).toMatchObject({
      topics: 3,
      records: 400,
      tasks: 2,
      rows: 22,
    })
  })

  test('names every damaged place and reads on behind it', async () => {
    const directory = await greeted()
    const db = await openDatabase({ directory, application })
    const [row] = await db.page({ gte: statePrefix(0), lt: statePrefix(1) }, { limit: 1 })
    const journals = await db.page({ gte: Buffer.from('j'), lt: Buffer.from('k') }, { limit: 100 })
    const logRows = await db.page({ gte: logKey(0, 0, 0), lt: logKey(0, 0, 1_000) }, { limit: 100 })
    expect(logRows.length).toBeGreaterThan(1)
    const garbage = Buffer.alloc(40)
    const [firstLogRow] = logRows
    const [, secondJournal] = journals
    for (const key of [row?.key, firstLogRow?.key, checkpointKey(1)])
      await db.write([{ type: 'put', key: key as Buffer, value: garbage }], { sync: true })
    await db.write([{ type: 'del', key: secondJournal?.key as Buffer }], { sync: true })
    await db.close()
    const found: string[] = []
    const seenThere = await verifyLog({ directory, application }, (error) => void found.push(error.message))
    expect(found).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/visits-0 at the row that ends with offset \d+/),
        expect.stringMatching(/greeter\.0_0, store seen, key [0-9a-f]+/),
        expect.stringContaining('the checkpoint of greeter.0_1'),
      ]),
    )
    expect(found.some((text) => text.includes('journal'))).toBe(true)
    expect(seenThere.records).toBeLessThan(400)
    expect(seenThere.records).toBeGreaterThan(300)
  })
})

describe('stores made anew', () => {
  test('are what they were, beside all records, positions and journals', async () => {
    const directory = await greeted()
    const copy = join(await freshDirectory(), 'copy')
    const log = await opened(directory)
    const report = await log.rebuildInto(copy, greeter())
    expect(report).toMatchObject({ refused: [], trimmed: [], rebuilt: [{ records: 100 }, { records: 100 }] })
    const again = await opened(copy)
    for (const partition of [0, 1]) {
      expect(await rowsOf(await again.taskState(task(partition)))).toEqual(
        await rowsOf(await log.taskState(task(partition))),
      )
      expect(await again.committed(task(partition))).toEqual(await log.committed(task(partition)))
      const at = { topic: 'greetings', partition }
      expect(values(await readAll(again, at))).toEqual(values(await readAll(log, at)))
    }
    await again.close()
    await expect(log.rebuildInto(copy, greeter())).rejects.toMatchObject({ code: 'STATE_INCOMPATIBLE' })
    await log.close()
    expect(await verifyLog({ directory: copy, application })).toEqual(
      await verifyLog({ directory, application }),
    )
  })

  test('come of the log alone: damaged rows of the old ones do not matter', async () => {
    const directory = await greeted()
    const db = await openDatabase({ directory, application })
    const rows = await db.page({ gte: statePrefix(0), lt: statePrefix(1) }, { limit: 100 })
    await db.write(
      rows.map(({ key }) => ({ type: 'put', key, value: Buffer.from('nonsense') })),
      { sync: true },
    )
    await db.close()
    const copy = join(await freshDirectory(), 'copy')
    const log = await opened(directory)
    expect(await log.rebuildInto(copy, greeter())).toMatchObject({ refused: [] })
    await log.close()
    expect(await verifyLog({ directory: copy, application })).toMatchObject({ rows: 22 })
  })

  test('cannot be had where the inputs are gone: the report says which, and nothing is left', async () => {
    const directory = await greeted()
    const parent = await freshDirectory()
    const log = await opened(directory)
    await log.housekeep()
    const report = await log.rebuildInto(join(parent, 'copy'), greeter())
    await log.close()
    expect(report.rebuilt).toEqual([])
    expect(report.refused.map(({ task: refused }) => refused)).toEqual([task(0), task(1)])
    expect(report.trimmed).toMatchObject([
      { topic: 'visits', partition: 0 },
      { topic: 'visits', partition: 1 },
    ])
    expect(await readdir(parent)).toEqual([])
  })

  test('are refused where the program decides otherwise by now', async () => {
    const log = await opened(await greeted())
    const report = await log.rebuildInto(join(await freshDirectory(), 'copy'), greeter('hello'))
    expect(report.refused[0]?.why).toContain('decides batch 1 otherwise')
    await log.close()
  })
})

test('a compaction changes the files and nothing else', async () => {
  const directory = await greeted()
  const before = await verifyLog({ directory, application })
  const log = await opened(directory)
  await log.compact()
  await log.close()
  expect(await verifyLog({ directory, application })).toEqual(before)
})
