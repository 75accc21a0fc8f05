/**
 * A retailer's orders and returns as shop E's own messages, through its profile into PostgreSQL. `RETAIL_FILES` (with
 * colons between) and `RETAIL_DAYS` name other files and their sums than December's.
 */
import { readFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { type RetailEvent, RetailMapper, type SoldLine } from '../../cli/retail/mapper.ts'
import { retailEvents } from '../../cli/retail/replay.ts'
import { dataPlatform } from '../../connectors/data-platform/connector.ts'
import { postgresDatabase } from '../../connectors/data-platform/postgres-database.ts'
import { topics } from '../../schemas/index.ts'
import { orderLines } from '../../topologies/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { BoundShop, type TheirMessage } from '../support/bound-shop.ts'
import { testClient, testDatabase } from '../support/postgres/database.ts'
import { scratchDirectory } from '../support/scratch.ts'

const SAMPLES = 'samples/online-retail'
const files = (process.env['RETAIL_FILES'] ?? `${SAMPLES}/2010-12.csv.gz`).split(':')
const days = process.env['RETAIL_DAYS'] ?? `${SAMPLES}/2010-12-days.json`
const isWhole = process.env['RETAIL_FILES'] !== undefined
const BATCH = 200
/** Every so many messages one comes twice. */
const DOUBLED = 7

test(
  'sums per day in PostgreSQL are those of a plain recomputation',
  async () => {
    const url = await testDatabase()
    const application = 'retail'
    const log = await openEmbeddedLog({ directory: await scratchDirectory('retail'), application })
    onTestFinished(() => log.close())
    const database = () => postgresDatabase({ url, connections: 2, statementTimeoutMs: 60_000 })
    const shop = await BoundShop.open({
      log,
      application,
      profiles: ['samples/shops/e/profile.json'],
      topologies: [orderLines(Number.POSITIVE_INFINITY)],
      connectors: [dataPlatform({ application, topics, database })],
    })
    onTestFinished(() => shop.close())
    await sendAll(shop)
    await shop.settled()

    const client = await testClient(url)
    const { rows } = await client.query<{ day: string; units: string; amount: string }>(
      `SELECT to_char(sold_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, sum(quantity) AS units, sum(amount) AS amount
       FROM order_line GROUP BY 1 ORDER BY 1`,
    )
    const found = Object.fromEntries(
      rows.map(({ day, units, amount }) => [day, [Number(units), Number(amount)]]),
    )
    expect(found).toEqual(JSON.parse(readFileSync(days, 'utf8')))
    expect(await shop.deadLetters('order-confirmed', 0)).toEqual([])
    expect(await shop.deadLetters('order-returned', 0)).toEqual([])
  },
  isWhole ? 1_800_000 : 120_000,
)

async function sendAll(shop: BoundShop): Promise<void> {
  const waiting = new Map<string, TheirMessage[]>([
    ['order-confirmed', []],
    ['order-returned', []],
  ])
  let count = 0
  for await (const event of retailEvents(files, new RetailMapper())) {
    const topic = event.kind === 'sale' ? 'order-confirmed' : 'order-returned'
    const messages = waiting.get(topic) ?? []
    messages.push(...Array<TheirMessage>(++count % DOUBLED === 0 ? 2 : 1).fill(messageOf(event)))
    if (messages.length >= BATCH) await shop.send(topic, ...messages.splice(0))
  }
  for (const [topic, messages] of waiting) await shop.send(topic, ...messages)
}

function messageOf(event: RetailEvent): TheirMessage {
  const { orderId, userId } = event
  const items = event.lines.map(({ unitPrice, ...line }) => ({ ...line, price: unitPrice / 100 }))
  const time = (at: number): string => new Date(at).toISOString()
  const money = { paidAmount: sumOf(event.lines) }
  if (event.kind === 'sale')
    return { key: orderId, value: { orderId, userId, paidAt: time(event.at), ...money, items } }
  const { returnId, soldAt, at } = event
  const times = { paidAt: time(soldAt), returnedAt: time(at) }
  return {
    key: orderId,
    value: { orderId, userId, returnId, ...times, refundAmount: sumOf(event.lines), items },
  }
}

/** As the shop writes it: pounds, as text. */
function sumOf(lines: readonly SoldLine[]): string {
  return (lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0) / 100).toFixed(2)
}
