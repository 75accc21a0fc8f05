/** What is known of an order's way: its timeline from the log's own headers, its places in the lists, and whose body counts. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { MAX_EVENTS, type Timeline, timelineOf } from '../../processors/index.ts'
import { topics } from '../../schemas/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import {
  deliverySandbox,
  orderEventStore,
  orders,
  ordersByStateStore,
  ordersByUserStore,
  paymentSandbox,
  points,
  stock,
} from '../../topologies/index.ts'
import { grant } from '../unit/points/given.ts'
import { adjust } from '../unit/stock/given.ts'
import { created, DAY, MINUTE, modes, OrderDesk, START } from './orders-driver.ts'

const KEPT = { maxEvents: MAX_EVENTS, isOrder: true }

async function desk(mode: Partial<DriverOptions> = {}): Promise<OrderDesk> {
  const opened = await OrderDesk.open(mode)
  onTestFinished(() => opened.close())
  return opened
}

async function eventsOf({ driver, topology }: OrderDesk) {
  const { value } = await driver.store(topology, orderEventStore).page('o1', { prefix: ['o1'] })
  return value.map(([, event]) => event)
}

async function stepsOf(opened: OrderDesk): Promise<string[]> {
  return shown(timelineOf(await eventsOf(opened), KEPT))
}

/** `stock tea: #1 0 RESERVED`, attempt and epoch before each command's answer; an answer of no known command last. */
function shown({ steps }: Timeline): string[] {
  return steps.map(({ kind, step, part, undo, commands, answers }) => {
    const name = [kind === 'ORDER' ? '' : kind, undo ? 'undo' : '', step, part]
      .filter((one) => one !== '')
      .join(' ')
    const sent = commands.map(({ attempt, epoch, answer }) => `#${attempt} ${epoch} ${answer?.status ?? '-'}`)
    return `${name}: ${[...sent, ...answers.map(({ status }) => `? ${status}`)].join(', ')}`
  })
}

async function placesOf({ driver, topology }: OrderDesk) {
  const byState = await driver.store(topology, ordersByStateStore).pageAll({})
  const byUser = await driver.store(topology, ordersByUserStore).pageAll({})
  return { byState: byState.map(([key]) => key), byUser: byUser.map(([key]) => key) }
}

describe.each(modes)('an order, %s', (_, mode) => {
  test('is in the list of its state and of its user, once each, until it is forgotten', async () => {
    const opened = await desk(mode)
    await opened.create()
    expect(await placesOf(opened)).toEqual({
      byState: [['PENDING', START, 'o1']],
      byUser: [['ann', START, 'o1']],
    })
    await opened.driver.advanceWallTime(1_000)
    await opened.reserved('tea milk')
    // Asked again and again, it is as long in its state.
    await opened.driver.advanceWallTime(MINUTE)
    expect(await placesOf(opened)).toEqual({
      byState: [['AWAITING_PAYMENT', START + 1_000, 'o1']],
      byUser: [['ann', START, 'o1']],
    })
    await opened.cancel()
    await opened.restored('tea milk')
    expect((await placesOf(opened)).byState).toMatchObject([['CANCELLED', expect.any(Number), 'o1']])
    expect((await eventsOf(opened)).length).toBeGreaterThan(4)
    await opened.driver.advanceWallTime(401 * DAY, 100 * DAY)
    expect(await placesOf(opened)).toEqual({ byState: [], byUser: [] })
    expect(await eventsOf(opened)).toEqual([])
  })

  test('tells which attempt was answered, and does not guess where nothing says it', async () => {
    const opened = await desk(mode)
    await opened.create()
    await opened.reserved('tea')
    // 30 s for an answer, then a second or less until it is asked again.
    await opened.driver.advanceWallTime(32_000)
    expect(await stepsOf(opened)).toEqual(['stock tea: #1 0 RESERVED', 'stock milk: #1 0 -, #2 0 -'])
    await opened.reserved('milk')
    expect((await stepsOf(opened)).slice(0, 2)).toEqual([
      'stock tea: #1 0 RESERVED',
      'stock milk: #1 0 -, #2 0 -, ? RESERVED',
    ])
  })

  test('that fails shows how it was undone', async () => {
    const opened = await desk(mode)
    await opened.create()
    await opened.reserved('tea')
    await opened.rejected('milk', 'OUT_OF_STOCK')
    await opened.restored('tea milk')
    expect(await stepsOf(opened)).toEqual([
      'stock tea: #1 0 RESERVED',
      'stock milk: #1 0 REJECTED',
      'undo stock tea: #1 0 RESTORED',
      'undo stock milk: #1 0 RESTORED',
    ])
    expect((await eventsOf(opened)).at(-1)?.passed).toMatchObject([{ state: 'FAILED' }])
  })

  test('of which the log has two bodies under one key is the first; the second changes nothing', async () => {
    const opened = await desk(mode)
    await opened.create({ bodyHash: 'first' })
    const before = opened.stored()
    await opened.create({ bodyHash: 'second', pointsToUse: 5 })
    expect(opened.stored()).toEqual(before)
    await opened.create({ bodyHash: 'first' })
    expect(opened.stored()).toEqual(before)
    expect(Object.fromEntries(opened.dropped)).toEqual({ IdempotencyConflict: 1, RepeatedAnswer: 1 })
    expect(opened.deadLetters('orderCreated')).toEqual([])
    expect(opened.news.filter((one) => one.startsWith('reserve'))).toHaveLength(2)
  })
})

test('a timeline is complete from the beginning of an order on, and up to as many events as are kept', async () => {
  const opened = await desk()
  await opened.create()
  const events = await eventsOf(opened)
  expect(timelineOf(events, KEPT).complete).toBe(true)
  expect(timelineOf(events, { ...KEPT, maxEvents: events.length }).complete).toBe(false)
  // Of an order that is older than timelines there is only what came since, or nothing.
  expect(timelineOf([], KEPT).complete).toBe(false)
  const strays = events.map((event) => ({ ...event, kind: 'PAYMENT' }))
  expect(timelineOf(strays, KEPT).complete).toBe(false)
  expect(timelineOf(strays, { ...KEPT, isOrder: false }).complete).toBe(true)
})

test('an event of every status has the revision that was told', async () => {
  const opened = await desk()
  await opened.create()
  await opened.reserved('tea milk')
  await opened.paid(700)
  await opened.courier('STARTED')
  const passed = (await eventsOf(opened)).flatMap(({ passed: all, at }) => all.map((one) => ({ ...one, at })))
  const order = { orderId: 'o1', userId: 'ann' }
  expect(passed.map((one) => ({ ...order, ...one }))).toEqual(
    opened.statuses.map((status) => ({ ...status })),
  )
})

describe('with its services', () => {
  async function shop() {
    const topology = orders({ currency: 'GBP' })
    const services = [stock(), points(), paymentSandbox(), deliverySandbox()]
    const driver = await TopologyTestDriver.open({
      topologies: [topology, ...services],
      now: START,
      partitions: 3,
    })
    onTestFinished(() => driver.close())
    const say = <N extends 'stockAdjustRequested' | 'pointAdjustRequested' | 'orderCreated'>(
      topic: N,
      value: Parameters<(typeof topics)[N]['keyOf']>[0],
    ) => driver.pipe(topics[topic] as never, topics[topic].keyOf(value as never), value)
    await say('stockAdjustRequested', adjust(9))
    await say('stockAdjustRequested', adjust(9, { productId: 'milk' }))
    await say('pointAdjustRequested', grant(500))
    await say('orderCreated', created({ pointsToUse: 100 }))
    await driver.advanceWallTime(5_000)
    const { value } = await driver.store(topology, orderEventStore).page('o1', { prefix: ['o1'] })
    return {
      driver,
      timeline: timelineOf(
        value.map(([, event]) => event),
        KEPT,
      ),
    }
  }

  test('each command is where its answer says, also those under the key of a product or a user', async () => {
    const { driver, timeline } = await shop()
    expect(shown(timeline)).toEqual([
      'stock tea: #1 0 RESERVED',
      'stock milk: #1 0 RESERVED',
      'points: #1 0 DEDUCTED',
      'payment: #1 0 SUCCESS',
      'delivery: #1 0 STARTED',
    ])
    for (const { step, part, commands } of timeline.steps) {
      const [command] = commands
      const topic = Object.values(topics).find(({ name }) => name === command?.topic)
      const found = driver.read(topic as never).find(({ partition, offset }) => {
        return partition === command?.place?.partition && offset === command.place.offset
      })
      expect([step, found?.value]).toMatchObject([
        step,
        { orderId: 'o1', ...(part !== '' && { productId: part }) },
      ])
    }
  })

  test('every answer has the cause headers of its command, and its trace', async () => {
    const { driver } = await shop()
    const answers = ['stockReserveResult', 'pointDeductResult', 'paymentResult', 'deliveryResult'] as const
    const [first] = driver.read(topics.orderCreated)
    for (const name of answers) {
      for (const { record } of driver.read(topics[name] as never)) {
        expect([name, record.lineage]).toMatchObject([
          name,
          {
            cause: { topic: topics[name].name.replace('.result', '.requested'), offset: expect.any(Number) },
            causationId: expect.any(String),
            correlationId: first?.record.lineage?.eventId,
          },
        ])
      }
    }
  })
})
