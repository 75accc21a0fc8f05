import { describe, expect, test } from 'vitest'
import { closeAfter, Closing } from '../../../cli/closing.ts'
import { table } from '../../../cli/output.ts'
import { Admission, downstreamTopics, RateMeter } from '../../../cli/pipeline/lag.ts'
import { operationsPort, type PortParts } from '../../../cli/pipeline/port.ts'
import { configFor } from '../../../cli/pipeline/recorded.ts'
import { topicSpecs } from '../../../cli/pipeline/topic-specs.ts'
import { shopTopologies } from '../../../cli/pipeline/topologies.ts'
import { type Config, loadConfig } from '../../../config/index.ts'
import { type Streams, topicsOf, type TopicUse, WallClock } from '../../../streams/index.ts'
import { ManualClock } from '../../../testing/index.ts'

const HOUR_MS = 3_600_000

function configOf(settings: Readonly<Record<string, string>> = {}): Config {
  const flags = Object.fromEntries(
    Object.entries(settings).map(([key, text]) => [key, { text, flag: '--set' }]),
  )
  return loadConfig({ env: {}, cwd: '/', flags }).config
}

describe('topics', () => {
  const use: TopicUse = {
    name: 'order.confirmed',
    role: 'source',
    cleanup: 'delete',
    timestamps: 'CreateTime',
  }

  test('are kept as configured', () => {
    const spec = topicSpecs(configOf({ 'topics.partitions': '3', 'topics.retentionMs': '5' }))(use)
    expect(spec).toMatchObject({ partitions: 3, retentionMs: 5, retentionBytes: Number.POSITIVE_INFINITY })
  })

  test('may each have their own', () => {
    const overrides = '{"order.confirmed":{"retentionBytes":9}}'
    const spec = topicSpecs(configOf({ 'topics.overrides': overrides }))(use)
    expect(spec).toMatchObject({ partitions: 6, retentionBytes: 9 })
  })

  test('that hold the last word, or what failed, lose nothing by age', () => {
    const specOf = topicSpecs(configOf({ 'topics.retentionMs': '5' }))
    expect(specOf({ ...use, cleanup: 'compact' }).retentionMs).toBe(Number.POSITIVE_INFINITY)
    expect(specOf({ ...use, role: 'dead-letter' }).retentionMs).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('a directory of orders as recorded', () => {
  test('closes windows by their times and keeps everything', () => {
    const overrides = '{"order.confirmed":{"retentionMs":5},"coupon.quota":{"partitions":2}}'
    const config = configFor(
      'as-recorded',
      configOf({ 'ranking.graceMs': '7', 'topics.overrides': overrides }),
    )
    const forever = Number.POSITIVE_INFINITY
    expect(config.ranking).toEqual({ closing: 'streamTime', graceMs: 7, retentionMs: forever })
    expect(config.topics).toMatchObject({ retentionMs: forever, retentionBytes: forever })
    expect(config.topics.overrides).toEqual({ 'order.confirmed': {}, 'coupon.quota': { partitions: 2 } })
  })

  test('any other is as configured', () => {
    const config = configOf()
    expect(configFor('live', config)).toBe(config)
  })
})

test('F23: clocks that an operator thaws count at once, on every topology of the process', () => {
  const clock = new ManualClock(HOUR_MS)
  const woken: number[] = []
  const runners = [0, 1].map((n) => ({
    topology: {},
    wallClock: new WallClock(clock, 2 * HOUR_MS, () => {}),
    wake: () => woken.push(n),
  }))
  const streams = { runners } as unknown as Streams
  const port = operationsPort({ streams, clock } as unknown as PortParts)
  expect(port.time().frozen).toBe(true)
  port.thawClocks()
  expect(port.time()).toEqual({ now: 2 * HOUR_MS, frozen: false })
  expect(woken).toEqual([0, 1])
})

describe('orders', () => {
  const namesOf = (settings: Readonly<Record<string, string>>): string[] => {
    return shopTopologies(configOf(settings)).all.map(({ name }) => name)
  }

  test('are on unless told, and wallets are there without them', () => {
    const coupons = ['coupon-issuance', 'coupon-wallet']
    const services = ['orders', 'stock', 'points', 'users', 'carts', 'privacy']
    const sandboxes = ['payment-sandbox', 'delivery-sandbox']
    const rest = ['catalog', 'best-sellers']
    expect(namesOf({})).toEqual([...coupons, ...services, ...sandboxes, ...rest, 'mailer'])
    const unmailed = { 'mail.transport': 'off' }
    const alone = { ...unmailed, 'orders.sandboxes': 'false' }
    expect(namesOf(alone)).toEqual([...coupons, ...services, ...rest])
    const [payment, courier] = ['payment-gateway', 'delivery-gateway']
    const url = 'https://pay.example/v1'
    const paid = namesOf({ ...unmailed, 'payments.url': url })
    expect(paid).toEqual([...coupons, ...services, payment, 'delivery-sandbox', ...rest])
    const both = { ...alone, 'payments.url': url, 'deliveries.url': url }
    expect(namesOf(both)).toEqual([...coupons, ...services, payment, courier, ...rest])
    expect(namesOf({ 'orders.enabled': 'false' })).toEqual([...coupons, ...rest])
  })

  test('are told to users where that is on, and the notifier holds nobody up', () => {
    const config = configOf({ 'notifier.enabled': 'true' })
    const { all, deciding } = shopTopologies(config)
    expect(all.map(({ name }) => name)).toContain('notifier')
    expect(deciding.map(({ name }) => name)).not.toContain('notifier')
    const recorded = shopTopologies(configFor('as-recorded', config)).all
    expect(recorded.map(({ name }) => name)).not.toContain('notifier')
  })

  test('have points for ever, if so configured', () => {
    expect(namesOf({ 'points.validForMs': 'unlimited' })).toContain('points')
  })

  test('tell entries of points exactly where there is a data platform', () => {
    const topicsWith = (settings: Readonly<Record<string, string>>) =>
      shopTopologies(configOf(settings))
        .all.flatMap(topicsOf)
        .map(({ name }) => name)
    expect(topicsWith({})).not.toContain('point.entry')
    expect(topicsWith({ 'dataPlatform.target': 'pglite' })).toContain('point.entry')
  })

  test('back-pressure of one counts all that its saga goes through', () => {
    const { deciding } = shopTopologies(configOf())
    const topics = [...downstreamTopics(deciding, 'order.created')]
    expect(topics).toEqual(expect.arrayContaining(['stock.reserve.requested', 'point.deduct.requested']))
    expect(topics).toEqual(expect.arrayContaining(['stock.reserve.result', 'ranking.sales.delta']))
    const afterPayment = [...downstreamTopics(deciding, 'payment.result')]
    expect(afterPayment).toEqual(expect.arrayContaining(['delivery.requested', 'ranking.sales.delta']))
  })
})

describe('back-pressure', () => {
  const topologies = shopTopologies(configOf()).all

  test('counts the tasks that a write ends up in, not only the first', () => {
    const topics = downstreamTopics(topologies, 'order.confirmed')
    expect(topics).toContain('ranking.sales.delta')
    expect(topics).toContain('ranking.partition.update')
    expect(topics).not.toContain('coupon.issue.requested')
  })

  test('orders are watched where they are taken, and hold nobody up either', () => {
    const names = (settings: Record<string, string>) => {
      const { all, deciding } = shopTopologies(configOf({ 'sentinel.enabled': 'true', ...settings }))
      return [all, deciding].map((some) => some.some(({ name }) => name === 'order-sentinel'))
    }
    expect(names({ 'orders.enabled': 'true' })).toEqual([true, false])
    expect(names({ 'orders.enabled': 'false' })).toEqual([false, false])
    expect(names({ 'orders.enabled': 'true', 'sentinel.enabled': 'false' })).toEqual([false, false])
  })

  test('a sentinel that is behind holds nobody up', () => {
    const { all, deciding } = shopTopologies(configOf({ 'sentinel.enabled': 'true' }))
    expect(all.map(({ name }) => name)).toContain('sentinel')
    expect(deciding.map(({ name }) => name)).not.toContain('sentinel')
    const engine = fakeEngine('coupon.issue.requested', 'sentinel')
    engine.input.lag = 1_000
    const options = { streams: engine.streams, maxLagRecords: 100, monotonic: () => 0 }
    const refusal = (topologies: typeof all) =>
      new Admission({ ...options, topologies }).refusal('coupon.issue.requested')
    expect(refusal(deciding)).toBeUndefined()
    expect(refusal(all)).toBeDefined()
  })

  test('refuses writes that end up with a task which is too far behind, and takes them again later', () => {
    const engine = fakeEngine('ranking.sales.delta')
    let now = 0
    const options = { streams: engine.streams, topologies, maxLagRecords: 100, monotonic: () => now }
    const admission = new Admission(options)
    engine.input.lag = 100
    expect(admission.refusal('order.confirmed')).toBeUndefined()
    now += 1_000
    engine.input.lag = 101
    expect(admission.refusal('order.confirmed')).toMatchObject({
      reason: 'best-sellers.1_0 is 101 records behind on ranking.sales.delta; 100 are the limit',
    })
    expect(admission.refusal('coupon.issue.requested')).toBeUndefined()
    now += 1_000
    engine.input.lag = 0
    expect(admission.refusal('order.confirmed')).toBeUndefined()
  })

  test('knows how fast a queue moves', () => {
    const engine = fakeEngine('coupon.issue.requested')
    let now = 0
    const meter = new RateMeter(engine.streams, () => now)
    const measureAt = (second: number, position: number): number => {
      now = second * 1_000
      engine.position = position
      meter.measure()
      return meter.perSecond('coupon.issue.requested', 0)
    }
    expect(meter.perSecond('coupon.issue.requested', 0)).toBe(0)
    measureAt(1, 1_000)
    expect(measureAt(2, 6_000)).toBe(5_000)
    const fading = [3, 4, 5].map((second) => measureAt(second, 6_000))
    expect(fading).toEqual(fading.toSorted((a, b) => b - a))
    for (let second = 6; second < 40; second++) measureAt(second, 6_000)
    expect(meter.perSecond('coupon.issue.requested', 0)).toBe(0)
  })

  test('keeps coupons apart from orders', () => {
    const downstream = [...downstreamTopics(topologies, 'coupon.issue.requested')]
    expect(downstream).toContain('coupon.issued')
    const ofOrders = ['coupon.use.result', 'order.status', 'stock.reserve.requested', 'ranking.sales.delta']
    expect(downstream.filter((topic) => ofOrders.includes(topic))).toEqual([])
  })
})

/** An engine of one task with one input, whose lag and position the test sets. */
function fakeEngine(topic: string, topology = 'best-sellers') {
  const input = { source: { topic: { name: topic } }, partition: 0, lag: 0 }
  const engine = { input, position: 0, streams: undefined as unknown as Streams }
  const runner = {
    topology: { name: topology },
    tasks: [{ name: `${topology}.1_0`, inputs: [input] }],
    progress: { position: () => engine.position },
  }
  engine.streams = { runners: [runner] } as unknown as Streams
  return engine
}

describe('closing', () => {
  test('runs in reverse, all of it, once, and tells everything that failed', async () => {
    const order: string[] = []
    const closing = new Closing()
    closing.add('a', () => void order.push('a'))
    closing.add('b', () => Promise.reject(new Error('stuck')))
    closing.add('c', () => {
      order.push('c')
      throw new Error('broken')
    })
    const results = await Promise.allSettled([closing.close(), closing.close()])
    expect(order).toEqual(['c', 'a'])
    for (const result of results) {
      const errors = ((result as PromiseRejectedResult).reason as AggregateError).errors as Error[]
      expect(errors.map(({ message }) => message)).toEqual(['c: broken', 'b: stuck'])
    }
  })
})

describe('work that is closed after', () => {
  const work = new Error('work')
  const close = new Error('close')

  test('gives its result, or why it failed', async () => {
    let closed = 0
    const closeOne = async (): Promise<void> => void closed++
    expect(await closeAfter(async () => 7, closeOne)).toBe(7)
    await expect(closeAfter(() => Promise.reject(work), closeOne)).rejects.toBe(work)
    expect(closed).toBe(2)
  })

  test('tells both failures, its own first', async () => {
    await expect(
      closeAfter(
        async () => 7,
        () => Promise.reject(close),
      ),
    ).rejects.toBe(close)
    const both = closeAfter(
      () => Promise.reject(work),
      () => Promise.reject(close),
    )
    await expect(both).rejects.toMatchObject({ errors: [work, close] })
  })
})

test('tables have numbers to the right and no blanks at the end', () => {
  const rows = [
    ['a', 1_234.5],
    ['long name', 7],
  ]
  expect(table(['what', 'count'], rows)).toBe(
    '  what         count\n  a          1,234.5\n  long name        7',
  )
})
