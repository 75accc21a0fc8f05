import { randomBytes } from 'node:crypto'
import type { Context } from '../context.ts'
import { CheckError } from '../errors.ts'
import type { LoadFlags } from '../flags.ts'
import { checkedUrl, ShopClient } from '../load/client.ts'
import { startShop } from '../load/own-shop.ts'
import { planRush } from '../load/plan.ts'
import { describeRush, reportOf, type RushReport } from '../load/report.ts'
import { rush, type RushTarget } from '../load/rush.ts'
import { checkRush, collectVerdicts } from '../load/verdicts.ts'
import { progressBar } from '../progress.ts'

/** Requests on their way on one connection: enough to keep it busy, few enough that a slow one holds up few. */
const PIPELINING = 8
const DAY_MS = 24 * 60 * 60 * 1000

/** Throws a `CheckError` when the verdicts do not add up. */
export async function loadCoupons(context: Context, flags: LoadFlags): Promise<void> {
  const shop = flags.url === undefined ? await startShop(context) : undefined
  try {
    const report = await run(context, flags, flags.url ?? (shop?.url as string))
    if (flags.json === true) context.output.data(JSON.stringify(report))
    else context.output.data(describeRush(report, context.output))
    const failed = report.checks.filter(({ ok }) => !ok)
    if (failed.length > 0) throw new CheckError(`failed: ${failed.map(({ name }) => name).join(', ')}`)
  } finally {
    await shop?.end()
  }
}

async function run(context: Context, flags: LoadFlags, url: string): Promise<RushReport> {
  const { rate, users, quota, duration, seed, follow, connections } = flags
  const requests = duration === undefined ? users : Math.max(1, Math.round(rate * duration))
  const plan = planRush({ requests, ratePerSecond: rate, users, seed, followed: follow })
  const runId = randomBytes(4).toString('hex')
  const couponId = flags.coupon ?? `rush-${runId}`
  const client = new ShopClient({
    url: checkedUrl(url),
    connections,
    pipelining: PIPELINING,
    token: tokenOf(context),
  })
  try {
    if (flags.warmup > 0) await warmUp(context, flags, client)
    await openCoupon(client, couponId, quota)
    const target: RushTarget = { client, couponId, runId }
    const asking = progressBar(context.output, 'rush', requests, 'requests')
    const result = await rush(target, plan, context.stop, (answered) => asking.update(answered))
    asking.end()
    if (!flags.verdicts) return reportOf(couponId, result, [])
    const judging = progressBar(context.output, 'verdicts', requests, 'verdicts')
    judging.update(result.verdicts.size)
    await collectVerdicts(target, result, context.stop, (known) => judging.update(known))
    judging.end()
    return reportOf(couponId, result, checkRush(plan, quota, result))
  } finally {
    await client.close()
  }
}

/** A process that has just started compiles while it works; nobody's first second says how it will do. */
async function warmUp(
  context: Context,
  { warmup, rate, users, seed, follow }: LoadFlags,
  client: ShopClient,
): Promise<void> {
  const runId = randomBytes(4).toString('hex')
  const couponId = `warm-up-${runId}`
  await openCoupon(client, couponId, warmup)
  const plan = planRush({ requests: warmup, ratePerSecond: rate, users, seed, followed: follow })
  await rush({ client, couponId, runId }, plan, context.stop, () => {})
}

/** An admin's, as making a coupon needs one; not a flag, because everybody can read those. */
function tokenOf({ env }: Context): string | undefined {
  return env['MILLRACE_ADMIN_TOKEN']
}

async function openCoupon(client: ShopClient, couponId: string, quota: number): Promise<void> {
  const now = Date.now()
  const reply = await client.put(`/v1/coupons/${couponId}`, {
    name: 'Rush',
    quota,
    perUserLimit: 1,
    opensAt: new Date(now - 60_000).toISOString(),
    closesAt: new Date(now + DAY_MS).toISOString(),
    discount: { kind: 'PERCENT', value: 10 },
    status: 'ACTIVE',
  })
  if (reply.status >= 300) {
    const { code = '', detail = '' } = reply.body
    throw new Error(
      `the shop did not make coupon ${couponId}: ${reply.status} ${String(code)} ${String(detail)}`.trimEnd(),
    )
  }
}
