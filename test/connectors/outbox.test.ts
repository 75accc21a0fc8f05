/** An outbox on a real PostgreSQL: what is committed is published, whatever happens meanwhile. */
import { expect, onTestFinished, test } from 'vitest'
import { noConnectorHooks } from '../../connectors/index.ts'
import { topics } from '../../schemas/index.ts'
import { type AppendRecord, type Clock, type Log, systemClock } from '../../streams/index.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { testClient } from '../support/postgres/database.ts'
import { PrivatePostgres } from '../support/postgres/private-server.ts'
import { confirmed, insert, makeOutbox, OutboxRig } from './outbox-rig.ts'

const HOUR_MS = 3_600_000

/** Twenty times as fast as the system's. */
const hasty: Clock = {
  now: () => systemClock.now(),
  monotonic: () => 20 * systemClock.monotonic(),
  after: (ms, run) => systemClock.after(ms / 20, run),
  yield: () => systemClock.yield(),
}

test('what a transaction commits is published, and what one rolls back is not', async () => {
  const rig = await OutboxRig.open()
  rig.reader()
  await rig.client.query('BEGIN')
  await insert(rig.client, confirmed('never'))
  await rig.client.query('ROLLBACK')
  await insert(rig.client, confirmed('o1'))
  await insert(rig.client, { requestId: 'r', couponId: 'c', userId: 'u' }, 'coupon.issue.requested')
  await eventually(async () => (await rig.waiting()) === 0)
  expect(await rig.keys()).toEqual(['o1'])
  expect(await rig.keys('coupon.issue.requested')).toEqual(['c'])
  const [record] = await rig.records()
  expect(topics.orderConfirmed.value.deserialize(record?.value as Buffer)).toMatchObject(confirmed('o1'))
})

test('transactions that commit in another order than that of their ids lose nothing', async () => {
  const rig = await OutboxRig.open()
  const [early, late] = [await testClient(rig.url), await testClient(rig.url)]
  await early.query('BEGIN')
  await late.query('BEGIN')
  expect(Number(await insert(early, confirmed('first')))).toBeLessThan(
    Number(await insert(late, confirmed('second'))),
  )
  await late.query('COMMIT')
  rig.reader()
  await eventually(async () => (await rig.keys()).length === 1)
  expect(await rig.keys()).toEqual(['second'])
  await early.query('COMMIT')
  await eventually(async () => (await rig.keys()).length === 2)
  expect(await rig.keys()).toEqual(['first', 'second'])
})

test('records of a key are in the order of their rows', async () => {
  const rig = await OutboxRig.open()
  for (let row = 1; row <= 35; row++) await insert(rig.client, confirmed(`o${row % 2}`, { finalAmount: row }))
  // What was written last lies last in the table.
  await rig.client.query('UPDATE outbox SET key = NULL WHERE id < 20')
  rig.reader()
  await eventually(async () => (await rig.waiting()) === 0)
  const records = await rig.records()
  for (const key of ['o0', 'o1']) {
    const amounts = records
      .filter((record) => String(record.key) === key)
      .map(({ value }) => topics.orderConfirmed.value.deserialize(value as Buffer).finalAmount)
    expect(amounts).toEqual(amounts.toSorted((a, b) => a - b))
  }
  expect(records).toHaveLength(35)
})

test('a notice wakes the reader long before it would look', async () => {
  const rig = await OutboxRig.open()
  rig.reader({ pollMs: HOUR_MS })
  await insert(rig.client, confirmed('o1'))
  await eventually(async () => (await rig.keys()).length === 1)
  await insert(rig.client, confirmed('o2'))
  await eventually(async () => (await rig.keys()).length === 2)
})

test('what is no record of its topic is refused with the reason, holds nothing up, and goes once it is mended', async () => {
  const rig = await OutboxRig.open()
  const refused: string[] = []
  const hooks = {
    ...noConnectorHooks,
    onRejected: (_: string, topic: string) => void refused.push(topic),
  }
  const bad = await insert(rig.client, confirmed('o1', { finalAmount: 'much' }))
  await insert(rig.client, confirmed('o2', { currency: 'USD' }))
  await insert(rig.client, {}, 'no.such.topic')
  await rig.client.query(`INSERT INTO outbox (topic, key, payload) VALUES ('order.confirmed', 'other', $1)`, [
    confirmed('o3'),
  ])
  await insert(rig.client, confirmed('o4'))
  rig.reader({ hooks })
  await eventually(async () => (await rig.waiting()) === 0)
  expect(await rig.keys()).toEqual(['o4'])
  expect(refused).toEqual(['order.confirmed', 'order.confirmed', 'unknown', 'order.confirmed'])
  const { rows } = await rig.client.query<{ refused: string }>(
    'SELECT refused FROM outbox WHERE refused IS NOT NULL ORDER BY id',
  )
  expect(rows.map((row) => row.refused)).toEqual([
    expect.stringContaining('the payload is no OrderConfirmed: finalAmount'),
    'currency must be GBP',
    expect.stringContaining('the topic takes no rows'),
    "the column key is not the event's own key",
  ])
  await rig.client.query(
    `UPDATE outbox SET payload = jsonb_set(payload, '{finalAmount}', '300'), refused = NULL WHERE id = $1`,
    [bad],
  )
  await eventually(async () => (await rig.keys()).length === 2)
  expect(await rig.keys()).toEqual(['o1', 'o4'])
})

test('a table that is another one is no outage, and is read once it is the right one', async () => {
  const rig = await OutboxRig.open()
  await rig.client.query('ALTER TABLE outbox RENAME COLUMN refused TO denied')
  const kinds = new Set<string>()
  const hooks = {
    ...noConnectorHooks,
    onFailure: (_: string, kind: string) => void kinds.add(kind),
  }
  rig.reader({ hooks })
  await insert(rig.client, confirmed('o1'))
  await eventually(() => kinds.size > 0)
  expect([...kinds]).toEqual(['failed'])
  await rig.client.query('ALTER TABLE outbox RENAME COLUMN denied TO refused')
  await eventually(async () => (await rig.waiting()) === 0)
  expect(await rig.keys()).toEqual(['o1'])
})

test('a row whose time is none is refused, and holds nothing up', async () => {
  const rig = await OutboxRig.open()
  const insertAt = (at: string) =>
    rig.client.query(
      `INSERT INTO outbox (topic, payload, created_at) VALUES ('coupon.issue.requested', $1, $2)`,
      [{ requestId: at, couponId: 'c', userId: 'u' }, at],
    )
  await insert(rig.client, confirmed('o1', { confirmedAt: Number.MAX_SAFE_INTEGER }))
  await insert(rig.client, confirmed('o2', { confirmedAt: -1 }))
  await insertAt('infinity')
  await insertAt('-infinity')
  await insert(rig.client, confirmed('o3'))
  rig.reader()
  await eventually(async () => (await rig.waiting()) === 0)
  expect(await rig.keys()).toEqual(['o3'])
  expect(await rig.keys('coupon.issue.requested')).toEqual([])
  const sql = 'SELECT refused FROM outbox WHERE refused IS NOT NULL'
  const { rows } = await rig.client.query<{ refused: string }>(sql)
  expect(rows.map((row) => row.refused)).toEqual(Array.from({ length: 4 }, () => 'its time is none'))
})

test('large rows go in several calls, none of them more than a log takes', async () => {
  const rig = await OutboxRig.open()
  const items = Array.from({ length: 2_000 }, (_, i) => {
    return { lineNo: i, productId: `product-${i}`.padEnd(100, 'x'), quantity: 1, unitPrice: 1 }
  })
  for (let row = 0; row < 40; row++) await insert(rig.client, confirmed(`o${row}`, { items }))
  const calls: number[] = []
  const log: Pick<Log, 'append' | 'maxRecordBytes'> = {
    maxRecordBytes: rig.log.maxRecordBytes,
    append(records) {
      calls.push(records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0))
      return rig.log.append(records)
    },
  }
  rig.reader({ log, batchRecords: 1_000 })
  await eventually(async () => (await rig.waiting()) === 0)
  expect(await rig.keys()).toHaveLength(40)
  expect(Math.max(...calls)).toBeLessThan(8 * 1024 * 1024)
})

test('rows of Avro are published byte for byte', async () => {
  const rig = await OutboxRig.open()
  await rig.client.query('DROP TABLE outbox CASCADE; DROP FUNCTION outbox_notify')
  await makeOutbox(rig.client, 'bytea')
  const value = topics.couponIssueRequested.value.serialize({
    requestId: 'r',
    couponId: 'c',
    userId: 'u',
    shard: 0,
    acceptedAt: 0,
    bodyHash: null,
  })
  await rig.client.query(`INSERT INTO outbox (topic, payload) VALUES ('coupon.issue.requested', $1)`, [value])
  await rig.client.query(`INSERT INTO outbox (topic, payload) VALUES ('coupon.issue.requested', '\\x00ff')`)
  rig.reader()
  await eventually(async () => (await rig.waiting()) === 0)
  expect((await rig.records('coupon.issue.requested')).map((record) => record.value)).toEqual([value])
})

test('a crash between append and mark appends again, with the same eventId', async () => {
  const rig = await OutboxRig.open()
  let dies = true
  const log: Pick<Log, 'append' | 'maxRecordBytes'> = {
    maxRecordBytes: rig.log.maxRecordBytes,
    async append(records: readonly AppendRecord[]) {
      const results = await rig.log.append(records)
      if (dies) throw new Error('the process is dead')
      return results
    },
  }
  await insert(rig.client, confirmed('o1'))
  const first = rig.reader({ log })
  await eventually(async () => (await rig.keys()).length > 0)
  await first.close()
  dies = false
  rig.reader({ log })
  await eventually(async () => (await rig.waiting()) === 0)
  const ids = (await rig.records()).map(({ lineage }) => lineage?.eventId)
  expect(ids.length).toBeGreaterThan(1)
  expect(new Set(ids).size).toBe(1)
})

test('of two readers one publishes, and the other takes over', async () => {
  const rig = await OutboxRig.open()
  const readers = [rig.reader(), rig.reader()]
  for (let row = 0; row < 30; row++) await insert(rig.client, confirmed(`o${row}`))
  await eventually(async () => (await rig.waiting()) === 0)
  expect(await rig.keys()).toHaveLength(30)
  for (const reader of readers) {
    await reader.close()
    await insert(rig.client, confirmed('later'))
    if (reader === readers[0]) await eventually(async () => (await rig.waiting()) === 0)
  }
  expect(await rig.keys()).toHaveLength(31)
  expect(await rig.waiting()).toBe(1)
})

test('published rows go after their time, waiting and refused ones stay', async () => {
  const rig = await OutboxRig.open()
  await insert(rig.client, confirmed('o1'))
  await rig.client.query("UPDATE outbox SET published_at = now() - interval '2 days'")
  await insert(rig.client, confirmed('o2'), 'no.such.topic')
  rig.reader({ keepMs: 24 * HOUR_MS })
  const ids = async () => (await rig.client.query('SELECT id::int FROM outbox')).rows
  await eventually(async () => (await ids()).length === 1)
  expect(await ids()).toEqual([{ id: 2 }])
})

test('a pipeline that is behind is waited for', async () => {
  const rig = await OutboxRig.open()
  let asked = 0
  await insert(rig.client, confirmed('o1'))
  rig.reader({ waitMs: () => (++asked <= 3 ? 1 : undefined) })
  await eventually(async () => (await rig.waiting()) === 0)
  expect(asked).toBe(4)
})

test('a server that is killed is found again, with all that was committed', async () => {
  const server = await PrivatePostgres.start()
  onTestFinished(() => server.close())
  const rig = await OutboxRig.open(await server.database('shop'))
  const failures: string[] = []
  const hooks = {
    ...noConnectorHooks,
    onFailure: (_: string, kind: string) => void failures.push(kind),
  }
  rig.reader({ hooks })
  await insert(rig.client, confirmed('o1'))
  await eventually(async () => (await rig.keys()).length === 1)
  await server.kill()
  await eventually(() => failures.length > 0)
  await server.restart()
  const client = await testClient(rig.url)
  await insert(client, confirmed('o2'))
  await eventually(async () => new Set(await rig.keys()).size === 2)
  expect(new Set(failures)).toEqual(new Set(['unavailable']))
})

test('paused, it publishes nothing until it is resumed, and says what waits', async () => {
  const rig = await OutboxRig.open()
  const reader = rig.reader({ pollMs: HOUR_MS })
  reader.pause()
  await insert(rig.client, confirmed('o1'))
  await eventually(async () => (await reader.view()).waitingRows === 1)
  expect(await reader.view()).toMatchObject({ name: 'outbox', state: 'paused', breaker: 'closed' })
  expect(await rig.keys()).toEqual([])
  reader.resume()
  await eventually(async () => (await reader.view()).waitingRows === 0)
  expect(await rig.keys()).toEqual(['o1'])
  expect((await reader.view()).state).toBe('running')
})

test('paused while the pipeline is behind, it gives up what the log does not have yet', async () => {
  const rig = await OutboxRig.open()
  let isBehind = true
  let asked = 0
  await insert(rig.client, confirmed('o1'))
  const waitMs = () => (asked++, isBehind ? 1 : undefined)
  const reader = rig.reader({ waitMs, clock: hasty })
  await eventually(() => asked > 0)
  reader.pause()
  isBehind = false
  // It looks at the table again, and leaves it alone.
  await insert(rig.client, confirmed('o2'))
  await eventually(async () => (await reader.view()).waitingRows === 2)
  expect(await rig.keys()).toEqual([])
  reader.resume()
  await eventually(async () => (await rig.waiting()) === 0)
  expect(await rig.keys()).toEqual(['o1', 'o2'])
})

test('of two readers both run, and the one that publishes has the task', async () => {
  const rig = await OutboxRig.open()
  const readers = [rig.reader(), rig.reader()]
  const views = () => Promise.all(readers.map((reader) => reader.view()))
  await eventually(async () => (await views()).every(({ state }) => state === 'running'))
  await eventually(async () => (await views()).some(({ waitingRows }) => waitingRows === 0))
  expect((await views()).flatMap(({ tasks }) => tasks)).toHaveLength(1)
})

test('a database that is not there opens the breaker, and one that comes closes it', async () => {
  const server = await PrivatePostgres.start()
  onTestFinished(() => server.close())
  const rig = await OutboxRig.open(await server.database('shop'))
  await server.kill()
  const changes: string[] = []
  const hooks = {
    ...noConnectorHooks,
    onBreaker: (_: string, __: string, to: string) => void changes.push(to),
  }
  const reader = rig.reader({ hooks, clock: hasty })
  await eventually(() => changes.includes('open'))
  expect(await reader.view()).toMatchObject({ state: 'joining', tasks: [] })
  await server.restart()
  await insert(await testClient(rig.url), confirmed('o1'))
  await eventually(async () => (await rig.keys()).length === 1)
  expect((await reader.view()).breaker).toBe('closed')
})
