/**
 * The board and the alerts that are shipped say something: every metric and label in them is one that a shop at work
 * exposes, and a real Prometheus that scrapes it answers every expression with numbers.
 *
 * Not its job: how the files are built, and when the alerts fire (`test/house/watching.test.ts`).
 */
import { expect, onTestFinished, test } from 'vitest'
import { isInstalled, Prometheus } from '../support/prometheus.ts'
import { type Samples, samplesOf, type Selection, termsOf } from '../support/promql.ts'
import { board, boardExpressions, comparedExpressions, type Expression } from '../support/watching.ts'
import { freshDirectory, type Shop, start } from './command.ts'

const READ_TOKEN = 'a-token-for-those-who-read'
const ADMIN_TOKEN = 'a-token-for-those-who-change'
const DAY_MS = 86_400_000
/** Rates are taken over this time; everything that was scraped is in it. */
const RANGE = '2m'
/** What Prometheus adds to every series, and the series that it makes itself. */
const TARGET_LABELS = ['job', 'instance']
const OWN_SERIES = 'up'

const expressions = [...boardExpressions(RANGE), ...comparedExpressions()]

test('the board and the alerts speak of metrics, labels and values that a shop exposes', async () => {
  const shop = await openShop()
  await trade(shop, 1)
  const read = { headers: { authorization: `Bearer ${READ_TOKEN}` } }
  const found = async (): Promise<string[]> => {
    const samples = samplesOf(await (await fetch(`${shop.url}/metrics`, read)).text())
    return expressions.flatMap((expression) => strangersIn(expression, samples))
  }
  // The order and its return are processed after they were taken.
  await expect.poll(found, { timeout: 20_000, interval: 200 }).toEqual([])
  for (const { definition } of board.templating.list) {
    const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? []
    expect([metric, label]).toEqual(['millrace_build_info', 'instance'])
  }
})

test('a real Prometheus has numbers for all of them, and an alert for a dead letter', async ({ skip }) => {
  // Where tests are to be complete, the tool has to be there.
  if (!isInstalled() && process.env['CI'] !== 'true') skip('prometheus is not installed')
  const shop = await openShop()
  const target = new URL(shop.url).host
  const prometheus = await Prometheus.start({ directory: freshDirectory(), target, token: READ_TOKEN })
  onTestFinished(() => prometheus.close())
  // A rise is seen from the first scrape on.
  const scrapes = async (): Promise<string | undefined> =>
    (await prometheus.query('up == 1'))[0]?.metric['instance']
  await expect.poll(scrapes, { timeout: 30_000, interval: 200 }).toBe(target)

  let round = 0
  const unanswered = async (): Promise<string[]> => {
    await trade(shop, ++round)
    const faults = await Promise.all(expressions.map((expression) => faultsOf(prometheus, expression)))
    return faults.flat()
  }
  await expect.poll(unanswered, { timeout: 60_000, interval: 500 }).toEqual([])

  const firing = async (): Promise<string[]> => {
    const rules = await prometheus.rules()
    expect(rules.filter(({ health }) => health === 'err')).toEqual([])
    return rules.filter(({ state }) => state === 'firing').map(({ name }) => name)
  }
  await expect.poll(firing, { timeout: 20_000, interval: 500 }).toEqual(['MillraceDeadLetters'])
})

/** With tokens, as in a container. */
async function openShop(): Promise<Shop> {
  const args = ['start', '--json', '--port', '0', '--data-dir', freshDirectory()]
  const tokens = { MILLRACE_READ_TOKEN: READ_TOKEN, MILLRACE_ADMIN_TOKEN: ADMIN_TOKEN }
  const shop = start(args, { ...tokens, MILLRACE_SENTINEL_ENABLED: 'true' })
  const { url } = JSON.parse(await shop.said(/"pid":\d+\}\n/)) as { url: string }
  return { ...shop, url }
}

/** A little of everything that a shop does; more comes back of the order than was sold, which is a dead letter. */
async function trade(shop: Shop, round: number): Promise<void> {
  const now = Date.now()
  const [orderId, userId, requestId] = [`o-${round}`, `u-${round}`, `r-${round}`]
  const mug = { lineNo: 1, productId: 'mug' }
  await ask(shop, 'PUT', '/v1/coupons/spring', {
    quota: 1_000,
    opensAt: now - DAY_MS,
    closesAt: now + DAY_MS,
    discount: { kind: 'PERCENT', value: 10 },
  })
  await ask(shop, 'PUT', '/v1/products/mug', { title: `Mug ${round}`, categoryId: 'kitchen', price: 600 })
  // A coupon for somebody with an address is a mail.
  await ask(shop, 'PUT', `/v1/users/${userId}`, { email: 'ann@shop.example' })
  await ask(shop, 'POST', '/v1/coupons/spring/requests', { userId, requestId })
  await ask(shop, 'GET', `/v1/coupons/spring/requests/${requestId}?wait=10s`)
  await ask(shop, 'POST', '/v1/events/order.confirmed', {
    orderId,
    userId,
    items: [{ ...mug, quantity: 2, unitPrice: 600 }],
    finalAmount: 1_200,
    currency: 'GBP',
    pointsUsed: 0,
    paidAt: now,
    confirmedAt: now,
  })
  await ask(shop, 'POST', '/v1/events/order.returned', {
    orderId,
    userId,
    returnId: 'once',
    items: [{ ...mug, quantity: 3, amount: 1_800 }],
    confirmedAt: now,
    at: now,
  })
}

async function ask({ url }: Shop, method: string, path: string, body?: object): Promise<void> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  const response = await fetch(`${url}${path}`, { method, headers, ...sent })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
}

/** What an expression speaks of that is not there. */
function strangersIn({ where, expr, labels }: Expression, samples: Samples): string[] {
  const { selections, groupings } = termsOf(expr)
  expect(selections, `${where} selects nothing`).not.toEqual([])
  return selections.flatMap(({ metric, matchers }): string[] => {
    if (metric === OWN_SERIES) return []
    const series = samples.get(metric)
    if (series === undefined) return [`${where}: no series of ${metric}`]
    const known = new Set([...TARGET_LABELS, ...series.flatMap((one) => Object.keys(one))])
    const named = [...groupings, ...labels, ...matchers.map(({ label }) => label)]
    return [
      ...named
        .filter((label) => !known.has(label))
        .map((label) => `${where}: ${metric} has no label ${label}`),
      ...valuesUnseen(matchers, series).map((value) => `${where}: ${metric} never has ${value}`),
    ]
  })
}

/** What is excluded need not be there, and a pattern is judged by its answer. */
function valuesUnseen(
  matchers: Selection['matchers'],
  series: readonly Readonly<Record<string, string>>[],
): string[] {
  return matchers
    .filter(({ label, op }) => op === '=' && !TARGET_LABELS.includes(label))
    .filter(({ label, value }) => !series.some((one) => one[label] === value))
    .map(({ label, value }) => `${label}="${value}"`)
}

/** Why an expression's answer would leave a panel empty. */
async function faultsOf(prometheus: Prometheus, { where, expr, labels }: Expression): Promise<string[]> {
  const samples = await prometheus.query(expr)
  if (samples.length === 0) return [`${where}: nothing`]
  return samples.flatMap(({ metric, value: [, value] }) => {
    const shown = JSON.stringify(metric)
    const nameless = labels.filter((label) => metric[label] === undefined)
    const faults = nameless.map((label) => `${where}: ${shown} has no ${label} for its legend`)
    return Number.isFinite(Number(value)) ? faults : [...faults, `${where}: ${shown} is ${value}`]
  })
}
