/** An outbox in a real PostgreSQL, and a reader that publishes it into a log in memory. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import { onTestFinished } from 'vitest'
import { noConnectorHooks, type OutboxOptions, OutboxReader } from '../../connectors/index.ts'
import { topics } from '../../schemas/index.ts'
import { type Log, type LogRecord, systemClock } from '../../streams/index.ts'
import { MemoryLog, MemoryStorage } from '../../transports/simulated/index.ts'
import { topicSpec } from '../support/engine-shop.ts'
import { testClient, testDatabase } from '../support/postgres/database.ts'
import { readAll } from '../support/read-all.ts'

export const published = [topics.orderConfirmed, topics.couponIssueRequested] as const

/** Runs what the sample says. */
export async function makeOutbox(client: pg.Client, payload = 'jsonb'): Promise<void> {
  const sql = await readFile(join(import.meta.dirname, '../../samples/outbox/outbox.sql'), 'utf8')
  await client.query(sql.replace('payload      jsonb', `payload      ${payload}`))
}

export function confirmed(orderId: string, changes: object = {}): object {
  const items = [{ lineNo: 1, productId: 'tea', quantity: 1, unitPrice: 300 }]
  const money = { finalAmount: 300, currency: 'GBP', pointsUsed: 0 }
  return { orderId, userId: 'ann', items, ...money, paidAt: 1_000, confirmedAt: 1_000, ...changes }
}

/** Answers its id. */
export async function insert(client: pg.Client, payload: object, topic = 'order.confirmed'): Promise<string> {
  const sql = 'INSERT INTO outbox (topic, payload) VALUES ($1, $2) RETURNING id::text'
  const { rows } = await client.query<{ id: string }>(sql, [topic, payload])
  return rows[0]?.id ?? ''
}

export class OutboxRig {
  readonly url: string
  readonly client: pg.Client
  readonly log: Log

  constructor(url: string, client: pg.Client, log: Log) {
    this.url = url
    this.client = client
    this.log = log
  }

  static async open(given?: string): Promise<OutboxRig> {
    const url = given ?? (await testDatabase())
    const client = await testClient(url)
    await makeOutbox(client)
    const storage = new MemoryStorage()
    const log = new MemoryLog({ stateHome: 'log', now: () => systemClock.now(), storage })
    onTestFinished(() => log.close())
    await log.ensureTopics(
      published.map(({ name, cleanup, timestamps }) =>
        topicSpec({ name, role: 'source', cleanup, timestamps }),
      ),
    )
    return new OutboxRig(url, client, log)
  }

  reader(changes: Partial<OutboxOptions> = {}): OutboxReader {
    const reader = new OutboxReader({
      application: 'test',
      url: this.url,
      statementTimeoutMs: 10_000,
      table: 'outbox',
      pollMs: 50,
      batchRecords: 10,
      keepMs: Number.POSITIVE_INFINITY,
      topics: published,
      currency: 'GBP',
      log: this.log,
      waitMs: () => undefined,
      clock: systemClock,
      random: () => 0,
      hooks: noConnectorHooks,
      ...changes,
    })
    onTestFinished(() => reader.close())
    reader.start()
    return reader
  }

  async records(topic = 'order.confirmed'): Promise<readonly LogRecord[]> {
    const partitions = Array.from({ length: this.log.partitions(topic) }, (_, partition) => partition)
    return (await Promise.all(partitions.map((partition) => readAll(this.log, { topic, partition })))).flat()
  }

  async keys(topic?: string): Promise<string[]> {
    return (await this.records(topic)).map(({ key }) => String(key)).toSorted((a, b) => (a < b ? -1 : 1))
  }

  /** Rows that nobody has published or refused. */
  async waiting(): Promise<number> {
    const sql = 'SELECT count(*)::int AS n FROM outbox WHERE published_at IS NULL AND refused IS NULL'
    return (await this.client.query<{ n: number }>(sql)).rows[0]?.n ?? -1
  }
}
