import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { closeAfter, Closing } from '../closing.ts'
import { type Context, stopped } from '../context.ts'
import { boardAt, checkBoards } from '../demo/board-checks.ts'
import { checkDecisions } from '../demo/coupon-checks.ts'
import { openDemoShop } from '../demo/demo-shop.ts'
import { DEMO_ORDERS, describeDemoOrders, judgeDemoOrders, placeDemoOrders } from '../demo/orders.ts'
import { type Expected, expectedBoards } from '../demo/expected-boards.ts'
import { runRush } from '../demo/rush-process.ts'
import { CheckError } from '../errors.ts'
import type { DemoFlags } from '../flags.ts'
import { ShopClient } from '../load/client.ts'
import { describeChecks, type RushReport } from '../load/report.ts'
import { type Check } from '../load/verdicts.ts'
import { count, table } from '../output.ts'
import { packageRoot } from '../package-root.ts'
import { replayTarget } from '../pipeline/replay-target.ts'
import { drained } from '../pipeline/settled.ts'
import type { Shop } from '../pipeline/shop.ts'
import { progressBar } from '../progress.ts'
import { shiftToYesterday } from '../retail/records.ts'
import { measure, replay, type RetailSpan } from '../retail/replay.ts'

const SAMPLE = 'samples/online-retail/2010-12.csv.gz'
const COUPON_ID = 'demo-rush'
const USERS = 20_000
const QUOTA = 1_000
const RATE = 5_000
const WARM_UP = 1_500
const FIRST_ENTRIES = 10
const CONNECTIONS = 32
const MS_PER_SECOND = 1000
const MINOR_UNITS = 100

/** Throws a `CheckError` when the shop did not do what it should. */
export function demo(context: Context, flags: DemoFlags): Promise<void> {
  const closing = new Closing()
  return closeAfter(
    () => run(context, flags, closing),
    () => closing.close(),
  )
}

async function run(context: Context, flags: DemoFlags, closing: Closing): Promise<void> {
  const { output } = context
  const startedAt = performance.now()
  const file = sampleFile()
  const shop = await openDemoShop(context, flags, closing)
  const { url } = shop
  const client = new ShopClient({ url, connections: CONNECTIONS, pipelining: 1 })
  closing.add('client', () => client.close())
  const doors = { client, output, signal: context.stop }

  output.say(`A month of real orders (${SAMPLE}), moved so that its last trading day was yesterday:`)
  const span = (await measure([file])) as RetailSpan
  const shiftMs = shiftToYesterday(span.lastSaleAt, Date.now())
  const replayed = await replayMonth(context, shop, file, span, shiftMs)
  const at = span.lastSaleAt + shiftMs
  const expected = expectedBoards(file, shiftMs)
  // Before there are sales of today, which may be in the same week.
  const boards = await checkBoards(client, expected, at, context.stop)
  output.say(`${count(DEMO_ORDERS)} orders of every kind, good and bad:`)
  const session = await placeDemoOrders(doors)
  output.say(`${count(USERS)} users ask for one of ${count(QUOTA)} coupons:`)
  const asked = { url, couponId: COUPON_ID, users: USERS, quota: QUOTA, rate: RATE, warmup: WARM_UP }
  const rush = await runRush(asked, context.stop)
  const orders = await judgeDemoOrders(doors, shop, session)

  const facts = { couponId: COUPON_ID, requests: USERS, quota: QUOTA }
  const decisions = await checkDecisions(shop.log, shop.topics, facts)
  const checks = [...decisions, ...boards, ...orders.checks]
  const seconds = (performance.now() - startedAt) / MS_PER_SECOND
  output.data(describeDemoOrders(orders))
  output.data(await summary({ client, expected, at, rush, replayed, url, seconds, stop: context.stop }))
  output.data(describeChecks(checks, output))
  assertAll(checks)
  if (flags.exit === true) return
  output.say(
    `\n${output.paint('green', 'It goes on serving')} at ${url} until Ctrl-C; its data is removed then.`,
  )
  await stopped(context.stop)
}

function sampleFile(): string {
  const file = join(packageRoot(), SAMPLE)
  if (!existsSync(file)) throw new Error(`${file} is missing; the demo needs it`)
  return file
}

/** Events per second until all boards were counted. */
async function replayMonth(
  context: Context,
  shop: Shop,
  file: string,
  span: RetailSpan,
  shiftMs: number,
): Promise<{ readonly orders: number; readonly lines: number; readonly linesPerSecond: number }> {
  const bar = progressBar(context.output, 'replay', span.events, 'events')
  const startedAt = performance.now()
  const signal = context.stop
  const { totals } = await replay(replayTarget(shop), {
    files: [file],
    shiftMs,
    signal,
    onProgress: (events) => bar.update(events),
  })
  bar.end()
  await drained(shop.streams, shop.log, signal)
  const seconds = (performance.now() - startedAt) / MS_PER_SECOND
  const { orders, lines } = totals
  return { orders, lines, linesPerSecond: Math.round(lines / seconds) }
}

interface Summary {
  readonly client: ShopClient
  readonly expected: Expected
  readonly at: number
  readonly rush: RushReport
  readonly replayed: { readonly orders: number; readonly lines: number; readonly linesPerSecond: number }
  readonly url: string
  readonly seconds: number
  readonly stop: AbortSignal
}

async function summary(facts: Summary): Promise<string> {
  const { client, expected, at, rush, replayed, url, seconds, stop } = facts
  const day = new Date(at).toISOString().slice(0, 10)
  const path = `/v1/rankings/day?at=${at}&limit=${FIRST_ENTRIES}`
  const { entries } = await boardAt(client, path, 0, stop)
  const rows = entries.map(({ rank, productId, quantity, amount }) => {
    return [
      rank,
      productId,
      expected.titles.get(productId) ?? '',
      quantity,
      (amount / MINOR_UNITS).toFixed(2),
    ]
  })
  const { accepted, decided } = rush.latencyMs
  return [
    `\nBest sellers of ${day}`,
    table(['rank', 'product', 'title', 'sold', 'GBP'], rows),
    '',
    `  ${count(replayed.orders)} orders with ${count(replayed.lines)} lines replayed and ranked, ${count(replayed.linesPerSecond)} lines/s`,
    `  ${count(rush.accepted)} requests for a coupon, ${count(rush.requestsPerSecond)}/s over HTTP`,
    `  202 after p50 ${accepted.p50.toFixed(1)} ms, p99 ${accepted.p99.toFixed(1)} ms; decided after p50 ${decided.p50.toFixed(1)} ms, p99 ${decided.p99.toFixed(1)} ms`,
    `  all of it in ${seconds.toFixed(1)} s`,
    '',
    `  ${url}/v1/rankings/day?at=${day}T12:00:00Z`,
    `  ${url}/v1/coupons/${COUPON_ID}`,
    `  ${url}/openapi.json`,
    `  ${url}/metrics`,
    '',
  ].join('\n')
}

function assertAll(checks: readonly Check[]): void {
  const failed = checks.filter(({ ok }) => !ok).map(({ name }) => name)
  if (failed.length > 0) throw new CheckError(`failed: ${failed.join(', ')}`)
}
