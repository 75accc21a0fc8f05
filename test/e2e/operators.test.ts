/**
 * I26 on the whole shop: operators do this and that at once, the log is gone in the middle of it, the shop is started
 * again. What an operator's word puts into the log must follow its audit record, which the log had before.
 */
import { expect, test } from 'vitest'
import type { Shop } from '../../cli/pipeline/shop.ts'
import { type OpsAudit, topics } from '../../schemas/index.ts'
import { type AppendRecord, type Log, StreamsError } from '../../streams/index.ts'
import { readAll, valuesOf } from '../support/read-all.ts'
import { crashRuns, type Random, seededRandom, seedOfRun } from '../support/random.ts'
import { freshDirectory } from './command.ts'
import { call, openShop } from './order-shop.ts'

const seed = seedOfRun()
const crashes = crashRuns(3)
const AT_ONCE = 3
const MOST_APPENDS = 30
const IDS = ['1', '2', '3']

/** What operators put into the log, by topic, and the actions that are on record for it. */
const OPERATED: Readonly<Record<string, readonly string[]>> = {
  [topics.couponCampaignRequested.name]: ['coupon.put', 'coupon.pause', 'coupon.resume', 'coupon.close'],
  [topics.productCatalog.name]: ['product.put', 'events.write'],
  [topics.stockAdjustRequested.name]: ['product.put'],
  [topics.pointAdjustRequested.name]: ['points.adjust'],
  [topics.orderCancelRequested.name]: ['order.cancel'],
  [topics.orderReturnRequested.name]: ['order.return'],
  [topics.paymentResult.name]: ['order.pay'],
  [topics.orderRepairRequested.name]: ['order.retry', 'order.resume', 'order.compensate', 'order.resolve'],
  [topics.privacyKey.name]: ['user.erase'],
  [topics.opsRedrive.name]: ['dlq.redrive'],
}
/** What anybody does for themselves. */
const EVERYBODYS = [topics.opsAudit, topics.orderCreated, topics.userProfile, topics.cartChanged].map(
  ({ name }) => name,
)

/** The audits that an effect may be of. A key that is made seals something, and is nobody's action. */
function auditsOf(record: Pick<AppendRecord, 'topic' | 'key' | 'value'>, audits: readonly OpsAudit[]) {
  const actions = OPERATED[record.topic]
  if (actions === undefined) throw new Error(`${record.topic}: are these an operator's?`)
  if (record.topic === topics.privacyKey.name && record.value !== null) return undefined
  const key = String(record.key)
  return audits.filter(({ action, target, after }) => {
    if (!actions.includes(action)) return false
    if (action === 'dlq.redrive') return true
    return action === 'events.write' ? JSON.parse(after ?? '{}').keys.includes(key) : target === key
  })
}

/** The log as the doors see it: it counts what they do, and is gone after so many appends, told or not. */
class WatchedLog {
  readonly complaints: string[] = []
  readonly #audits: OpsAudit[]
  readonly #begun = new Map<string, number>()
  left = Number.POSITIVE_INFINITY

  constructor(audits: OpsAudit[]) {
    this.#audits = audits
  }

  watch(log: Log, random: Random): void {
    const append = log.append.bind(log)
    log.append = async (records) => {
      if (this.left < 0) throw new StreamsError('LOG_CLOSED', 'it crashed')
      this.left -= 1
      const isEnd = this.left < 0
      if (isEnd && random.pick([true, false])) throw new StreamsError('LOG_CLOSED', 'it crashed')
      for (const record of records) this.#begins(record)
      const results = await append(records)
      for (const { topic, value } of records)
        if (topic === topics.opsAudit.name)
          this.#audits.push(topics.opsAudit.value.deserialize(value as Buffer))
      if (isEnd) throw new StreamsError('APPEND_UNKNOWN', 'it crashed')
      return results
    }
  }

  /** An effect is on its way: the log must have one more audit of it than there were effects before. */
  #begins(record: AppendRecord): void {
    if (EVERYBODYS.includes(record.topic)) return
    const audits = auditsOf(record, this.#audits)
    if (audits === undefined) return
    const place = `${record.topic} ${String(record.key)}`
    const before = this.#begun.get(place) ?? 0
    this.#begun.set(place, before + 1)
    if (audits.length <= before) this.complaints.push(`${place}: effect ${before + 1} has no audit`)
  }
}

const items = (productId: string) => [{ productId, quantity: 1 }]

/** One thing that an operator or a customer does; whatever comes of it. */
async function act(shop: Shop, random: Random, orders: string[]): Promise<void> {
  const [id, order] = [random.pick(IDS), random.pick(['none', ...orders])]
  const product = { title: 'Mug', price: 300, received: 1 + random.below(5) }
  const event = { productId: `p${id}`, title: 'Cup', categoryId: null, price: 200, currency: 'GBP' }
  const campaign = {
    name: 'Spring',
    quota: 5 + random.below(50),
    opensAt: '2020-01-01T00:00:00Z',
    closesAt: '2099-01-01T00:00:00Z',
    discount: { kind: 'AMOUNT', value: 100 },
  }
  const deed = random.pick<readonly [method: string, path: string, body?: object]>([
    ['PUT', `/coupons/c${id}`, campaign],
    ['POST', `/coupons/c${id}/${random.pick(['pause', 'resume', 'close'])}`],
    ['PUT', `/products/p${id}`, product],
    ['POST', '/events/product.catalog', event],
    ['POST', `/users/u${id}/points`, { points: 10, adjustId: `a${random.below(1_000)}` }],
    ['PUT', `/users/u${id}`, { email: 'u@hidden.example' }],
    ['DELETE', `/users/u${id}/personal-data`],
    ['POST', '/orders', { userId: `u${id}`, items: items(`p${id}`) }],
    ['POST', `/orders/${order}/cancel`, {}],
    ['POST', `/orders/${order}/payments`, { paymentKey: `k${random.below(1_000)}`, amount: 300 }],
    ['POST', `/orders/${order}/returns`, { items: [{ lineNo: 1, quantity: 1 }] }],
    ['POST', `/ops/orders/${order}/${random.pick(['retry', 'resume', 'compensate', 'resolve'])}`, {}],
    ['POST', '/ops/dlq/redrive', { filter: { topic: 'order.created' } }],
  ])
  const { body } = await call(shop, deed[0], `/v1${deed[1]}`, deed[2])
  if (deed[1] === '/orders' && typeof body['orderId'] === 'string') orders.push(body['orderId'])
}

test(`I26: nothing that an operator does is in the log before its audit, over ${crashes} crashes (CRASH_SEED=${seed})`, async () => {
  const random = seededRandom(seed)
  const dataDir = freshDirectory()
  const orders: string[] = []
  const seen: OpsAudit[] = []
  const effects = new Set<string>()
  for (let life = 0; life <= crashes; life++) {
    const shop = await openShop({ 'orders.enabled': 'true' }, dataDir)
    // What was taken and not told counts, and what was told is there.
    const stored = await valuesOf(shop.log, topics.opsAudit)
    expect(stored.length).toBeGreaterThanOrEqual(seen.length)
    seen.splice(0, Infinity, ...stored)
    const log = new WatchedLog(seen)
    log.watch(shop.log, random)
    for (const id of IDS)
      await call(shop, 'PUT', `/v1/products/p${id}`, { title: 'Mug', price: 300, received: 50 })
    if (life < crashes) log.left = 1 + random.below(MOST_APPENDS)
    for (let round = 0; round < MOST_APPENDS && log.left >= 0; round++)
      await Promise.all(Array.from({ length: AT_ONCE }, () => act(shop, random, orders)))
    expect(log.complaints).toEqual([])
    for (const topic of Object.keys(OPERATED)) if (await checkAudited(shop.log, topic)) effects.add(topic)
    await shop.close()
  }
  // It was no idle day.
  expect(effects.size).toBeGreaterThan(4)
}, 240_000)

/**
 * Whether the topic has effects; fails for the first that the log took when it had fewer audits than effects of its
 * key. The shop's own answers are on `payment.result` as well, so that one is judged as it is written only.
 */
async function checkAudited(log: Log, topic: string): Promise<boolean> {
  if (topic === topics.paymentResult.name) return false
  const audits = (await recordsOf(log, topics.opsAudit.name)).map(({ value, appendTime }) => {
    return { appendTime, audit: topics.opsAudit.value.deserialize(value as Buffer) }
  })
  const counts = new Map<string, number>()
  const records = await recordsOf(log, topic)
  for (const record of records) {
    const before = audits.filter(({ appendTime }) => appendTime <= record.appendTime)
    const own = auditsOf(
      record,
      before.map(({ audit }) => audit),
    )
    if (own === undefined) continue
    const count = (counts.get(String(record.key)) ?? 0) + 1
    counts.set(String(record.key), count)
    expect(own.length, `${topic} ${String(record.key)}: effect ${count}`).toBeGreaterThanOrEqual(count)
  }
  return records.length > 0
}

async function recordsOf(log: Log, topic: string) {
  const partitions = Array.from({ length: log.partitions(topic) }, (_, partition) => partition)
  return (await Promise.all(partitions.map((partition) => readAll(log, { topic, partition })))).flat()
}
