import { randomBytes } from 'node:crypto'
import { loadConfig } from '../../config/index.ts'
import { topics } from '../../schemas/index.ts'
import type { Context } from '../context.ts'
import { CheckError } from '../errors.ts'
import type { LoadOrdersFlags } from '../flags.ts'
import { checkedUrl, ShopClient } from '../load/client.ts'
import type { LogFacts } from '../load/orders/facts.ts'
import { gatherLog } from '../load/orders/gather.ts'
import { parseMix, usualMix } from '../load/orders/mix.ts'
import { describeOrders, ordersReport } from '../load/orders/report.ts'
import { placeOrders, settledFacts } from '../load/orders/session.ts'
import { type OwnShop, startShop } from '../load/own-shop.ts'
import { openOfflineLog } from '../pipeline/embedded-shop-log.ts'

/** A coupon that is in nobody's wallet is waited for as long. */
const ORDER_SETTINGS = ['orders.couponWaitMs=3000']

/** Throws a `CheckError` when an invariant does not hold, and a `UsageError` for a mix that is none. */
export async function loadOrders(context: Context, flags: LoadOrdersFlags): Promise<void> {
  const { output, env, stop: signal } = context
  const { orders, rate: ratePerSecond, seed, products, users } = flags
  const mix = flags.mix === undefined ? usualMix : parseMix(flags.mix)
  const given = flags.url === undefined ? undefined : checkedUrl(flags.url)
  const own = given === undefined ? await startShop(context, ORDER_SETTINGS) : undefined
  const token = env['MILLRACE_ADMIN_TOKEN']
  const url = given ?? (own as OwnShop).url
  const client = new ShopClient({ url, connections: flags.connections, pipelining: 1, token })
  try {
    const runId = `load-${randomBytes(4).toString('hex')}`
    const options = { runId, orders, ratePerSecond, seed, mix, products, users }
    const doors = { client, output, signal }
    const session = await placeOrders(doors, options)
    const facts = await settledFacts(doors, session)
    const log = own === undefined ? undefined : await logOf(own, session.asked.orderIds)
    const report = ordersReport(session, log === undefined ? facts : { ...facts, log })
    output.data(flags.json === true ? JSON.stringify(report) : describeOrders(report, output))
    const failed = report.checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`)
    if (failed.length > 0) throw new CheckError(`failed: ${failed.join('; ')}`)
  } finally {
    await client.close()
    await own?.end()
  }
}

/** Its log can be read once it has ended. */
async function logOf(shop: OwnShop, orderIds: readonly string[]): Promise<LogFacts> {
  await shop.stop()
  const flags = { dataDir: { text: shop.dataDir, flag: 'load' } }
  const { log } = await openOfflineLog(loadConfig({ env: {}, cwd: '/', flags }).config)
  try {
    return await gatherLog(log, topics, orderIds)
  } finally {
    await log.close()
  }
}
