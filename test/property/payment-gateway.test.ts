/**
 * The payment gateway against a provider of plain books that is heard or not: random requests, repeats, losses, doubled
 * and late news, crashes and waits. Once it is heard again, everything is known, and the money is right.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type PaymentCall, type PaymentCallResult, type Topic, topics } from '../../schemas/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import { gatewayChargeStore, gatewayRefundStore, paymentGateway } from '../../topologies/index.ts'
import { START } from '../support/services.ts'
import { payment, refund } from '../unit/sandboxes/given.ts'
import { type Luck, PlainProvider } from './payment-provider.ts'
import { played } from './service-history.ts'

const MINUTE = 60_000
const ORDERS = ['o1', 'o2', 'o3'] as const
const asking = { answerMs: 10_000, backoffMs: 1_000, maxBackoffMs: 30_000, alarmMs: 5 * MINUTE }

type Step =
  | { readonly kind: 'pay'; readonly orderId: string; readonly epoch: number }
  /** Of a payment that its order knows of. */
  | { readonly kind: 'refund'; readonly nth: number; readonly id: number; readonly amount: number }
  /** The next call is made. */
  | { readonly kind: 'call'; readonly luck: Luck }
  /** News of the nth booking come by webhook. */
  | { readonly kind: 'webhook'; readonly nth: number }
  | { readonly kind: 'wait'; readonly ms: number }
  /** A call that was on its way for long arrives at the provider. */
  | { readonly kind: 'arrive' }
  | { readonly kind: 'crash' }

const luck: fc.Arbitrary<Luck> = fc.record({
  done: fc.constantFrom('now', 'now', 'later', 'never'),
  refused: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  heard: fc.constantFrom('truth', 'twice', 'unknown', 'nothing'),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pay' as const),
      orderId: fc.constantFrom(...ORDERS),
      epoch: fc.constantFrom(0, 0, 0, 1, 2),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('refund' as const),
      nth: fc.nat(5),
      id: fc.nat(4),
      amount: fc.constantFrom(100, 400, 700, 1_000),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('call' as const), luck }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('webhook' as const), nth: fc.nat(8) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(2_000, 20_000, 4 * MINUTE),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'arrive' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'crash' }) },
)

class World {
  readonly topology = paymentGateway({ currency: 'EUR', graceMs: MINUTE, asking })
  readonly provider = new PlainProvider()
  #driver: TopologyTestDriver | undefined
  readonly #made = new Set<string>()

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

  /** Payments that orders were told of, in that order. */
  get paid() {
    return this.read(topics.paymentResult).filter(({ status }) => status === 'SUCCESS')
  }

  async do(step: Step): Promise<void> {
    const { driver, provider } = this
    driver.clock.advance(1)
    switch (step.kind) {
      case 'pay': {
        const { orderId, epoch } = step
        return driver.pipe(topics.paymentRequested, orderId, payment({ orderId, epoch, deadline }))
      }
      case 'refund': {
        const { paid } = this
        const { orderId = 'o1', paymentKey = 'nobody knows it' } = paid[step.nth % paid.length] ?? {}
        const command = refund(step.amount, { orderId, paymentKey, refundId: `r${step.id}` })
        return driver.pipe(topics.paymentRefundRequested, orderId, command)
      }
      case 'call':
        return this.#call(step.luck)
      case 'webhook': {
        const key = [...provider.charges.keys(), ...provider.refunds.keys()][step.nth]
        const news = key === undefined ? undefined : provider.news(key)
        return news === undefined ? undefined : this.#tell([news])
      }
      case 'wait':
        return driver.advanceWallTime(step.ms, 1_000)
      case 'arrive':
        return provider.arrive(driver.clock.now())
      case 'crash':
        return driver.restart()
    }
  }

  /** Everybody is heard again: until nothing is asked any more. */
  async settle(): Promise<void> {
    for (let rounds = 0; rounds < 20; rounds++) {
      while (this.#next() !== undefined) await this.#call({ done: 'now', refused: false, heard: 'truth' })
      // What is on its way stays there for a while: somebody looks, and does not find it yet.
      if (rounds > 2) this.provider.arrive(this.driver.clock.now())
      await this.driver.advanceWallTime(MINUTE, MINUTE)
    }
  }

  #next(): PaymentCall | undefined {
    return this.read(topics.paymentCallRequested).find((call) => !this.#made.has(nameOf(call)))
  }

  async #call(with_: Luck): Promise<void> {
    const call = this.#next()
    if (call === undefined) return
    this.#made.add(nameOf(call))
    const now = this.driver.clock.now()
    if (call.expiresAt <= now) return
    await this.#tell(this.provider.take(call, with_, now))
  }

  async #tell(news: readonly PaymentCallResult[]): Promise<void> {
    for (const one of news) {
      this.driver.clock.advance(1)
      await this.driver.pipe(topics.paymentCallResult, one.orderId, one)
    }
  }
}

const deadline = START + 10 * MINUTE
const nameOf = ({ idempotencyKey, attempt }: PaymentCall) => `${idempotencyKey} ${attempt}`

function checkCharges(world: World): void {
  const { driver, provider, topology } = world
  for (const orderId of ORDERS) {
    const row = driver.store(topology, gatewayChargeStore).get(orderId).value
    if (row === undefined) continue
    // Known, and as the provider has it.
    expect(row.state).not.toBe('ASKING')
    expect(provider.charges.get(row.idempotencyKey)?.paid ?? false).toBe(row.state === 'SUCCEEDED')
  }
  const told = world.paid.map(({ paymentKey, amount }) => `${paymentKey} ${amount}`)
  const taken = [...provider.charges.values()].filter(({ paid }) => paid)
  // All money was told of, and no other.
  expect(new Set(told)).toEqual(new Set(taken.map(({ paymentKey, amount }) => `${paymentKey} ${amount}`)))
}

/** A later epoch charges only what was given back wholly, or never paid. */
function checkOneAtATime({ provider }: World): void {
  for (const orderId of ORDERS) {
    const live = provider
      .charged(orderId)
      .filter(({ paymentKey, amount }) => provider.back(paymentKey) < amount)
    expect(live.length).toBeLessThanOrEqual(1)
  }
}

function checkRefunds(world: World): void {
  const { driver, provider, topology } = world
  for (const { paymentKey, amount } of [...provider.charges.values()].filter(({ paid }) => paid)) {
    expect(provider.back(paymentKey)).toBeLessThanOrEqual(amount)
  }
  const told = world.read(topics.paymentRefundResult)
  for (const { orderId, refundId, paymentKey, amount, paid } of provider.refunds.values()) {
    if (refundId === null) continue
    const row = driver.store(topology, gatewayRefundStore).get([orderId, refundId]).value
    expect(row?.state).not.toBe('ASKING')
    const mine = told.filter((one) => one.orderId === orderId && one.refundId === refundId)
    const status = paid ? 'REFUNDED' : 'FAILED'
    expect(mine).toContainEqual(expect.objectContaining({ paymentKey, amount, status }))
  }
}

describe.each(played)('%s', (_, mode) => {
  test('I19 I20 every charge ends known and told, one at a time, and no more goes back than was paid', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const world = await new World().open(mode)
        for (const one of steps) {
          await world.do(one)
          checkOneAtATime(world)
        }
        await world.settle()
        checkCharges(world)
        checkOneAtATime(world)
        checkRefunds(world)
        // Whatever was silent for too long is not any more.
        const last = new Map(world.read(topics.opsIncident).map(({ subject, status }) => [subject, status]))
        expect([...last.values()]).not.toContain('OPEN')
        await world.driver.close()
      }),
      { numRuns: 30 },
    )
  })
})

test('histories are such that everything happens', async () => {
  const seen = new Set<string>()
  for (const steps of fc.sample(fc.array(step, { maxLength: 40, size: 'max' }), { numRuns: 25, seed: 1 })) {
    const world = await new World().open({})
    for (const one of steps) await world.do(one)
    await world.settle()
    for (const { status, failureCode } of world.read(topics.paymentResult)) seen.add(failureCode ?? status)
    for (const { status, reason } of world.read(topics.paymentRefundResult))
      seen.add(`refund ${reason ?? status}`)
    for (const { kind } of world.read(topics.paymentCallRequested)) seen.add(kind)
    await world.driver.close()
  }
  expect([...seen].sort()).toEqual([
    'CHARGE',
    'DECLINED',
    'LOOKUP',
    'NOT_CHARGED',
    'REFUND',
    'SUCCESS',
    'refund DECLINED',
    'refund EXCEEDS_PAID',
    'refund REFUNDED',
  ])
})
