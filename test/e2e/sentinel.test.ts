/** A shop that is watched, on its embedded log: somebody writes a coupon that nobody decided. */
import { expect, onTestFinished, test } from 'vitest'
import { Shop } from '../../cli/pipeline/shop.ts'
import { loadConfig } from '../../config/index.ts'
import { type CouponIssued, topics } from '../../schemas/index.ts'
import { formatUuid7, NO_HEADERS, partitionFor } from '../../streams/index.ts'
import { freshDirectory } from './command.ts'

const DAY_MS = 86_400_000
const WAIT = { timeout: 30_000, interval: 100 }

async function open(dataDir: string, settings: Readonly<Record<string, string>>): Promise<Shop> {
  const all = { dataDir, 'http.port': '0', 'logging.level': 'silent', ...settings }
  const flags = Object.fromEntries(Object.entries(all).map(([key, text]) => [key, { text, flag: '--set' }]))
  const { config } = loadConfig({ env: {}, cwd: '/', flags })
  const shop = await Shop.open({ config, version: '0', signal: new AbortController().signal })
  onTestFinished(() => shop.close())
  return shop
}

async function call(shop: Shop, method: string, path: string, body?: object) {
  const json = { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const response = await fetch(`${shop.url}${path}`, { method, ...(body === undefined ? {} : json) })
  return { status: response.status, text: await response.text() }
}

async function read(shop: Shop, path: string): Promise<Record<string, unknown>> {
  return JSON.parse((await call(shop, 'GET', path)).text) as Record<string, unknown>
}

/** A coupon that no request asked for, under a number that is already given. */
async function forge(shop: Shop): Promise<void> {
  const at = Date.now()
  const made = { requestId: 'none', couponId: 'spring', userCouponId: 'spring-1', userId: 'eve' }
  const issued: CouponIssued = {
    ...made,
    sequence: 1,
    shard: 0,
    sourceOffset: 0,
    issuedAt: at,
    expiresAt: null,
    campaignRevision: 1,
    discount: null,
  }
  const key = Buffer.from('spring')
  const topic = topics.couponIssued
  await shop.log.append([
    {
      topic: topic.name,
      partition: partitionFor(key, shop.log.partitions(topic.name)),
      key,
      value: topic.value.serialize(issued),
      timestamp: at,
      lineage: { eventId: formatUuid7(at, 1, 2, 3) },
      headers: NO_HEADERS,
    },
  ])
}

const watched = { 'sentinel.enabled': 'true', 'sentinel.watchOneIn': '1', 'sentinel.pauseCampaigns': 'true' }

test('a forged coupon is a metric, an incident, and the end of the campaign for now', async () => {
  const dataDir = freshDirectory()
  const shop = await open(dataDir, watched)
  const now = Date.now()
  const window = { opensAt: now - DAY_MS, closesAt: now + DAY_MS }
  const discount = { kind: 'PERCENT', value: 10 }
  await call(shop, 'PUT', '/v1/coupons/spring', { quota: 10, ...window, discount })
  await call(shop, 'POST', '/v1/coupons/spring/requests', { userId: 'ann', requestId: 'r1' })
  await call(shop, 'GET', '/v1/coupons/spring/requests/r1?wait=10s')
  expect(await read(shop, '/v1/ops/incidents')).toEqual({ incidents: [] })
  expect(await read(shop, '/readyz')).toMatchObject({ status: 'ok' })

  await forge(shop)
  await expect.poll(() => read(shop, '/v1/coupons/spring'), WAIT).toMatchObject({ status: 'PAUSED' })
  const open1 = { invariant: 'I3', subject: 'spring', status: 'OPEN', occurrences: 1, pauseRequested: true }
  await expect
    .poll(() => read(shop, '/v1/ops/incidents?status=OPEN'), WAIT)
    .toMatchObject({ incidents: [open1] })
  expect((await call(shop, 'GET', '/v1/ops/incidents')).text).not.toContain('eve')
  const metrics = (await call(shop, 'GET', '/metrics')).text
  expect(metrics).toContain('millrace_invariant_violations_total{invariant="I3"} 1')
  expect(metrics).toContain('millrace_invariant_violations_total{invariant="I1"} 0')
  expect(metrics).toContain('millrace_invariant_incidents{invariant="I3"} 1')
  expect(metrics).toContain('millrace_incidents_total{kind="invariant-broken"} 1')
  expect(metrics).toContain('millrace_sentinel_unanswered_requests 0')
  // It serves: degraded, not dead.
  for (const probe of ['/readyz', '/livez']) expect((await call(shop, 'GET', probe)).status).toBe(200)
  expect(await read(shop, '/readyz')).toMatchObject({ status: 'degraded' })
  await shop.close()

  const off = await open(dataDir, { 'orders.enabled': 'false' })
  expect(await call(off, 'GET', '/v1/ops/incidents')).toMatchObject({ status: 404 })
  expect((await call(off, 'GET', '/metrics')).text).not.toContain('millrace_invariant_incidents{')
  await call(off, 'POST', '/v1/coupons/spring/resume')
  await call(off, 'POST', '/v1/coupons/spring/requests', { userId: 'bob', requestId: 'r2' })
  await call(off, 'GET', '/v1/coupons/spring/requests/r2?wait=10s')
  await off.close()

  // It begins with what is there: the forged coupon is found again, what is right is not.
  const again = await open(dataDir, { ...watched, 'sentinel.pauseCampaigns': 'false' })
  const lag = async (): Promise<boolean> => {
    const text = (await call(again, 'GET', '/metrics')).text
    const lags = text.match(/^millrace_task_lag_records\{topology="sentinel".*$/gm) ?? []
    return lags.length > 0 && lags.every((line) => line.endsWith(' 0'))
  }
  await expect.poll(lag, WAIT).toBe(true)
  const { incidents } = (await read(again, '/v1/ops/incidents')) as { incidents: { invariant: string }[] }
  expect(incidents.map(({ invariant }) => invariant)).toEqual(['I3'])
  expect(await read(again, '/v1/coupons/spring')).toMatchObject({ status: 'ACTIVE', issued: 2 })
}, 120_000)
