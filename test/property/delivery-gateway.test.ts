/**
 * The delivery gateway against a courier of plain books that is heard or not: random requests, cancels, repeats, losses,
 * doubled and late news, crashes and waits.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DeliveryCall, type DeliveryCallResult, type Topic, topics } from '../../schemas/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import { deliveryGateway, gatewayDeliveryStore } from '../../topologies/index.ts'
import { START } from '../support/services.ts'
import { cancel, delivery } from '../unit/sandboxes/given.ts'
import { type Luck, PlainCourier } from './delivery-courier.ts'
import { played } from './service-history.ts'

const MINUTE = 60_000
const ORDERS = ['o1', 'o2', 'o3'] as const
const asking = { answerMs: 10_000, backoffMs: 1_000, maxBackoffMs: 30_000, alarmMs: 5 * MINUTE }

type Step =
  | { readonly kind: 'send' | 'cancel'; readonly orderId: string; readonly epoch: number }
  /** The next call is made. */
  | { readonly kind: 'call'; readonly luck: Luck }
  /** The nth shipment goes on; news come by webhook, also those of long ago. */
  | { readonly kind: 'move' | 'webhook'; readonly nth: number }
  | { readonly kind: 'wait'; readonly ms: number }
  /** A call that was on its way for long arrives at the courier. */
  | { readonly kind: 'arrive' | 'crash' }

const luck: fc.Arbitrary<Luck> = fc.record({
  done: fc.constantFrom('now', 'now', 'later', 'never'),
  begins: fc.constantFrom('ACCEPTED', 'ACCEPTED', 'STARTED', 'FAILED'),
  heard: fc.constantFrom('truth', 'twice', 'unknown', 'nothing'),
})
const asks = fc.record({
  kind: fc.constantFrom('send' as const, 'send' as const, 'cancel' as const),
  orderId: fc.constantFrom(...ORDERS),
  epoch: fc.constantFrom(0, 0, 0, 1),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: asks },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('call' as const), luck }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('move' as const, 'webhook' as const), nth: fc.nat(4) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(2_000, 20_000, 4 * MINUTE),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('arrive' as const, 'crash' as const) }) },
)
const steps = fc.array(step, { maxLength: 40, size: 'max' })

const nameOf = ({ idempotencyKey, kind, attempt, expiresAt }: DeliveryCall) =>
  `${idempotencyKey} ${kind} ${attempt} ${expiresAt}`

class World {
  readonly topology = deliveryGateway({ asking, lookMs: 20_000, maxLookMs: MINUTE })
  readonly courier = new PlainCourier()
  readonly #made = new Set<string>()
  #driver: TopologyTestDriver | undefined

  async open(mode: Partial<DriverOptions>): Promise<this> {
    this.#driver = await TopologyTestDriver.open({ topologies: [this.topology], now: START, ...mode })
    return this
  }

  get driver(): TopologyTestDriver {
    if (this.#driver === undefined) throw new Error('it is not open')
    return this.#driver
  }

  read<V>(topic: Topic<V>): V[] {
    return this.driver.read(topic).map(({ value }) => value as V)
  }

  async do(step: Step): Promise<void> {
    const { driver, courier } = this
    driver.clock.advance(1)
    switch (step.kind) {
      case 'send': {
        const { orderId, epoch } = step
        const command = delivery({ orderId, epoch, shipTo: Buffer.from('sealed') })
        return driver.pipe(topics.deliveryRequested, orderId, command)
      }
      case 'cancel':
        return driver.pipe(topics.deliveryCancelRequested, step.orderId, cancel({ orderId: step.orderId }))
      case 'call':
        return this.#call(step.luck)
      case 'move':
        return courier.move(step.nth)
      case 'webhook': {
        // The last, or one that is late.
        const news = courier.told.at(-1 - step.nth)
        return news === undefined ? undefined : this.#tell([news])
      }
      case 'wait':
        return driver.advanceWallTime(step.ms, 1_000)
      case 'arrive':
        return courier.arrive()
      case 'crash':
        return driver.restart()
    }
  }

  /** The courier is heard again, and every parcel gets there. */
  async settle(): Promise<void> {
    for (let rounds = 0; rounds < 15; rounds++) {
      while (this.#next() !== undefined) await this.#call({ done: 'now', begins: 'STARTED', heard: 'truth' })
      for (let nth = 0; nth < 6; nth++) this.courier.move(nth)
      if (rounds > 2) this.courier.arrive()
      await this.driver.advanceWallTime(MINUTE, MINUTE)
    }
    // All of it once more, long after.
    await this.#tell(this.courier.told)
  }

  #next(): DeliveryCall | undefined {
    return this.read(topics.deliveryCallRequested).find((call) => !this.#made.has(nameOf(call)))
  }

  async #call(with_: Luck): Promise<void> {
    const call = this.#next()
    if (call === undefined) return
    this.#made.add(nameOf(call))
    if (call.expiresAt > this.driver.clock.now()) await this.#tell(this.courier.take(call, with_))
  }

  async #tell(news: readonly DeliveryCallResult[]): Promise<void> {
    for (const one of news) {
      this.driver.clock.advance(1)
      await this.driver.pipe(topics.deliveryCallResult, one.orderId, one)
    }
  }
}

function check(world: World): void {
  const { driver, courier, topology } = world
  for (const orderId of ORDERS) {
    const row = driver.store(topology, gatewayDeliveryStore).get(orderId).value
    if (row === undefined) continue
    const real = courier.shipments.get(row.idempotencyKey)
    // Known, and as the courier has it; a cancel before any request needs no courier.
    expect([row.state, row.cancel]).not.toContain('ASKING')
    // A cancel of what had failed is told as called off: nothing of it is on the road either way.
    const hadFailed = real?.status === 'FAILED' && row.cancel === 'CANCELLED'
    if (row.epoch >= 0 && !(hadFailed && row.state === 'CANCELLED')) expect(row.state).toBe(real?.status)
    const told = world.read(topics.deliveryResult).filter((one) => one.orderId === orderId)
    const last = row.state === 'CANCELLED' ? undefined : row.state
    if (last !== undefined) expect(told.map(({ status }) => status)).toContain(last)
  }
  // News go forward only.
  const ranks = { UNKNOWN: 0, STARTED: 1, DELIVERED: 2, FAILED: 2 } as const
  const news = Map.groupBy(world.read(topics.deliveryResult), (one) => one.deliveryId)
  for (const told of news.values()) {
    const order = told.map(({ status }) => ranks[status])
    expect(order).toEqual(order.toSorted((a, b) => a - b))
  }
  // What was told as called off in time was never on the road.
  const stopped = world.read(topics.deliveryCancelResult).filter(({ status }) => status === 'CANCELLED')
  for (const { deliveryId } of stopped) {
    const [key = ''] = [...courier.shipments].find(([one]) => `d-${one.slice(0, 6)}` === deliveryId) ?? []
    expect(courier.started.has(key)).toBe(false)
  }
}

describe.each(played)('%s', (_, mode) => {
  test('every shipment and cancel ends known, as the courier has it, and is told', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const world = await new World().open(mode)
        for (const one of history) await world.do(one)
        await world.settle()
        check(world)
        const last = new Map(world.read(topics.opsIncident).map(({ subject, status }) => [subject, status]))
        expect([...last.values()]).not.toContain('OPEN')
        await world.driver.close()
      }),
      { numRuns: 25 },
    )
  })
})

test('histories are such that everything happens', async () => {
  const seen = new Set<string>()
  for (const history of fc.sample(steps, { numRuns: 25, seed: 1 })) {
    const world = await new World().open({})
    for (const one of history) await world.do(one)
    await world.settle()
    for (const { status, reason } of world.read(topics.deliveryResult)) seen.add(reason ?? status)
    for (const { status } of world.read(topics.deliveryCancelResult)) seen.add(`cancel ${status}`)
    for (const { kind } of world.read(topics.deliveryCallRequested)) seen.add(kind)
    await world.driver.close()
  }
  expect([...seen].sort()).toEqual([
    'CANCEL',
    'CANCELLED',
    'DELIVERED',
    'FAILED',
    'LOOKUP',
    'SHIP',
    'STARTED',
    'cancel CANCELLED',
    'cancel TOO_LATE',
  ])
})
