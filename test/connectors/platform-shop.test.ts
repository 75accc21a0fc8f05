/** The shop as it is started, with PostgreSQL behind it, and the commands. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { parquetReadObjects } from 'hyparquet'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { freshDirectory, run, type Shop, startShopWith, stop } from '../e2e/command.ts'
import { call } from '../e2e/order-shop.ts'
import { sellMug } from '../e2e/orders.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { testClient, testDatabase } from '../support/postgres/database.ts'
import { confirmed, insert, makeOutbox } from './outbox-rig.ts'

async function rowsOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM pg_tables WHERE tablename = 'order_line'`,
  )
  if (rows[0]?.n === 0) return 0
  return (await client.query<{ n: number }>('SELECT count(*)::int AS n FROM order_line')).rows[0]?.n ?? 0
}

test('what is sold is exported, compared, and written again from the log', { timeout: 300_000 }, async () => {
  const url = await testDatabase()
  const client = await testClient(url)
  const dataDir = freshDirectory()
  const env = { MILLRACE_DATA_PLATFORM_TARGET: 'postgres', MILLRACE_DATA_PLATFORM_URL: url }
  const command = (...args: readonly string[]) => run([...args, '--data-dir', dataDir], env)

  const shop = await startShopWith(env, dataDir)
  for (let order = 1; order <= 3; order++) await sellMug(shop, `o${order}`)
  await eventually(async () => (await rowsOf(client)) === 3)
  await stop(shop)

  const even = await command('data-platform', 'reconcile')
  expect(even.stderr).toBe('')
  expect(even.code).toBe(0)

  const out = join(freshDirectory(), 'lines')
  expect((await command('export', '--format', 'csv', '--out', `${out}.csv`)).code).toBe(0)
  const lines = parse(await readFile(`${out}.csv`, 'utf8'), { columns: true }) as Record<string, string>[]
  expect(lines.map(({ order_id: id, quantity }) => `${id} ${quantity}`).toSorted()).toEqual([
    'o1 1',
    'o2 1',
    'o3 1',
  ])
  const range = ['--from', '2000-01-01', '--to', '2000-01-02']
  const none = await command('export', '--format', 'parquet', '--out', `${out}.parquet`, ...range)
  expect(none.code).toBe(0)
  const { buffer, byteOffset, byteLength } = await readFile(`${out}.parquet`)
  const file = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer
  expect(await parquetReadObjects({ file })).toEqual([])

  await client.query(`DELETE FROM order_line WHERE order_id = 'o2'`)
  const uneven = await command('data-platform', 'reconcile')
  expect(uneven.code).toBe(3)
  expect(uneven.stdout).toMatch(/order_line .* SALE .*3 lines.*2 lines/)
  expect((await command('data-platform', 'backfill')).code).toBe(0)
  const again = await startShopWith(env, dataDir)
  await eventually(async () => (await rowsOf(client)) === 3)
  await stop(again)
  expect((await command('data-platform', 'reconcile')).code).toBe(0)
})

test('what a transaction puts into the outbox comes out of the data platform', {
  timeout: 300_000,
}, async () => {
  const url = await testDatabase()
  const client = await testClient(url)
  await makeOutbox(client)
  const env = {
    MILLRACE_DATA_PLATFORM_TARGET: 'postgres',
    MILLRACE_DATA_PLATFORM_URL: url,
    MILLRACE_OUTBOX_URL: url,
  }
  const shop = await startShopWith(env, freshDirectory())
  const now = Date.now()
  await client.query('BEGIN')
  await insert(client, confirmed('o1', { confirmedAt: now }))
  await insert(client, confirmed('o2', { confirmedAt: now }))
  await client.query('COMMIT')
  await eventually(async () => (await rowsOf(client)) === 2)
  const { rows } = await client.query('SELECT order_id, amount::int FROM order_line ORDER BY order_id')
  expect(rows).toEqual([
    { order_id: 'o1', amount: 300 },
    { order_id: 'o2', amount: 300 },
  ])
  await stop(shop)
})

test('an outbox is among the connectors of a shop, and stays paused over a restart', {
  timeout: 300_000,
}, async () => {
  const url = await testDatabase()
  const client = await testClient(url)
  await makeOutbox(client)
  const dataDir = freshDirectory()
  const open = () => startShopWith({ MILLRACE_OUTBOX_URL: url, MILLRACE_MAIL_TRANSPORT: 'off' }, dataDir)
  const outboxOf = async (shop: Shop) => {
    const { connectors } = (await call(shop, 'GET', '/v1/ops/connectors')).body
    return (connectors as readonly Record<string, unknown>[]).find(({ name }) => name === 'outbox')
  }
  const waiting = async () => {
    const sql = 'SELECT count(*)::int AS n FROM outbox WHERE published_at IS NULL'
    return (await client.query<{ n: number }>(sql)).rows[0]?.n
  }
  const first = await open()
  await eventually(async () => (await outboxOf(first))?.['waitingRows'] === 0)
  expect(await outboxOf(first)).toMatchObject({ state: 'running', tasks: [{ name: 'outbox', inputs: [] }] })
  const paused = await call(first, 'POST', '/v1/ops/connectors/outbox/pause')
  expect(paused).toMatchObject({ status: 200, body: { name: 'outbox', state: 'paused' } })
  await stop(first)

  await insert(client, confirmed('o1'))
  const shop = await open()
  await eventually(async () => (await outboxOf(shop))?.['waitingRows'] === 1)
  expect(await outboxOf(shop)).toMatchObject({ state: 'paused', breaker: 'closed' })
  const metrics = await (await fetch(`${shop.url}/metrics`)).text()
  expect(metrics).toContain(
    'millrace_connector_lag_records{connector="outbox",task="outbox",topic="outbox"} 1',
  )
  expect(await waiting()).toBe(1)
  expect((await call(shop, 'POST', '/v1/ops/connectors/outbox/resume')).status).toBe(200)
  await eventually(async () => (await waiting()) === 0)
  await stop(shop)
})
