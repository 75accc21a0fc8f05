/** kill -9 of the process that publishes, while transactions of the shop commit and roll back. */
import { join } from 'node:path'
import type pg from 'pg'
import { expect, test, vi } from 'vitest'
import { type OrderConfirmed, topics } from '../../schemas/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { startChild } from '../support/child.ts'
import { APPLICATION } from '../support/engine-shop.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { testClient, testDatabase } from '../support/postgres/database.ts'
import { crashRuns, type Random, seededRandom, seedOfRun } from '../support/random.ts'
import { readAll } from '../support/read-all.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { confirmed, insert, makeOutbox } from './outbox-rig.ts'
import { seen } from './platform-run.ts'

const script = join(import.meta.dirname, 'outbox-process.ts')
const seed = seedOfRun()
const kills = crashRuns(6)
const SHOPPERS = 3

vi.setConfig({ testTimeout: 90_000 + kills * 20_000 })

/** One session of the shop: its own orders, each in several rows; a third of its transactions roll back. */
class Shopper {
  readonly committed = new Map<string, number[]>()
  readonly #client: pg.Client
  readonly #random: Random
  readonly #name: string
  #last = 0

  constructor(name: string, client: pg.Client, random: Random) {
    this.#name = name
    this.#client = client
    this.#random = random
  }

  async shop(until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      const orderId = `${this.#name}-${this.#random.below(5)}`
      const amounts = Array.from({ length: 1 + this.#random.below(4) }, () => ++this.#last)
      await this.#client.query('BEGIN')
      for (const finalAmount of amounts) await insert(this.#client, confirmed(orderId, { finalAmount }))
      const commits = !this.#random.chance(0.33)
      await this.#client.query(commits ? 'COMMIT' : 'ROLLBACK')
      if (commits) this.committed.set(orderId, [...(this.committed.get(orderId) ?? []), ...amounts])
    }
  }
}

test(`after ${kills} kills -9 all that was committed is in the log, in order, under one eventId each (CRASH_SEED=${seed})`, async () => {
  const url = await testDatabase()
  const client = await testClient(url)
  await makeOutbox(client)
  const directory = await scratchDirectory('outbox')
  const random = seededRandom(seed)
  const shoppers = await Promise.all(
    Array.from({ length: SHOPPERS }, async (_, index) => {
      return new Shopper(`s${index}`, await testClient(url), seededRandom(seed + index + 1))
    }),
  )
  for (let kill = 0; kill < kills; kill++) {
    const at = 1 + random.below(5)
    const begin = random.pick(['opened', 'appended', 'marked', 'gone'])
    const child = startChild(script, [directory, url, begin === 'gone' ? `${at}` : '0'])
    const over = new AbortController()
    const shopping = Promise.all(shoppers.map((shopper) => shopper.shop(over.signal)))
    // Some die by themselves, between an append and its mark.
    if (begin === 'gone') await child.exited
    else await seen(child, begin, begin === 'opened' ? 1 : at)
    await child.kill()
    over.abort()
    await shopping
  }
  const last = startChild(script, [directory, url])
  // The shop was quicker than who publishes, and the longer it was killed the more waits.
  let waiting = -1
  const limits = { timeoutMs: 30_000 + kills * 10_000, describe: () => `${waiting} rows wait` }
  await eventually(async () => {
    const sql = 'SELECT count(*)::int AS n FROM outbox WHERE published_at IS NULL'
    waiting = (await client.query<{ n: number }>(sql)).rows[0]?.n ?? -1
    return waiting === 0
  }, limits)
  last.send('end')
  expect((await last.exited).code).toBe(0)

  const expected = new Map(shoppers.flatMap(({ committed }) => [...committed]))
  const found = await publishedIn(directory)
  console.log(`seed ${seed}: ${kills} kills, ${found.total} records of ${found.events} rows`)
  expect(found.events).toBe([...expected.values()].flat().length)
  expect(found.amounts).toEqual(expected)
})

/** Amounts of each order in the order of their first coming; what came again under its eventId is counted once. */
async function publishedIn(directory: string) {
  const log = await openEmbeddedLog({ directory, application: APPLICATION })
  try {
    const { name: topic, value: serde } = topics.orderConfirmed
    const events = new Map<string, OrderConfirmed>()
    let total = 0
    for (let partition = 0; partition < log.partitions(topic); partition++) {
      for (const { lineage, value } of await readAll(log, { topic, partition })) {
        total++
        const eventId = lineage?.eventId ?? ''
        if (!events.has(eventId)) events.set(eventId, serde.deserialize(value as Buffer))
      }
    }
    const amounts = new Map<string, number[]>()
    for (const { orderId, finalAmount } of events.values())
      amounts.set(orderId, [...(amounts.get(orderId) ?? []), finalAmount])
    return { total, events: events.size, amounts }
  } finally {
    await log.close()
  }
}
