/** The order saga among services that refuse, lose, repeat and reorder: I14 to I20 against a plain model of them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { OrderItem } from '../../schemas/index.ts'
import type { DriverOptions } from '../../testing/index.ts'
import { engineHost, type Host, processorHost } from './order-hosts.ts'
import { type Event, type Given, OrderWorld, PAY_WITHIN_MS } from './order-world.ts'

const items = fc
  .array(
    fc.record({
      productId: fc.constantFrom('tea', 'milk', 'jam'),
      quantity: fc.integer({ min: 1, max: 4 }),
      unitPrice: fc.constantFrom(0, 1, 99, 100, 333),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map((lines) => lines.map((line, i): OrderItem => ({ ...line, lineNo: i + 1, categoryId: null })))
const given: fc.Arbitrary<Given> = fc.record({
  items,
  pointsToUse: fc.constantFrom(0, 0, 50, 10_000),
  discount: fc.constantFrom(null, null, 30, 10_000),
  shipped: fc.constantFrom(true, true, true, false),
  completeOn: fc.constantFrom('started' as const, 'delivered' as const),
})

const which = fc.oneof(
  { weight: 3, arbitrary: fc.nat({ max: 2 }) },
  { weight: 1, arbitrary: fc.nat({ max: 30 }) },
)
const yes = fc.integer({ min: 0, max: 9 }).map((chance) => chance > 0)
const kind = <K extends string>(name: K) => fc.constant(name)
const aReturn: fc.Arbitrary<Event> = fc.record({
  kind: kind('return'),
  id: fc.constantFrom('r1', 'r2', 'r3', 'r4'),
  lineNo: fc.constantFrom(1, 1, 2, 3, 4),
  quantity: fc.integer({ min: 1, max: 4 }),
})
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: kind('flow'), yes }) },
  { weight: 6, arbitrary: fc.record({ kind: kind('deliver'), which, yes }) },
  { weight: 6, arbitrary: fc.record({ kind: kind('answer'), which }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: kind('wait'), ms: fc.constantFrom(500, 5_000, 40_000, PAY_WITHIN_MS) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kind('pay'), key: kind('stray'), amount: fc.constantFrom(1, 100, 333) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('again' as const, 'arrive' as const) }) },
  { weight: 1, arbitrary: aReturn },
)
const interference: fc.Arbitrary<Event> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: kind('cancel') }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: kind('repair'),
      action: fc.constantFrom('RETRY' as const, 'RESUME' as const, 'COMPENSATE' as const, 'RESOLVE' as const),
    }),
  },
)
const histories = fc.tuple(
  given,
  fc
    .tuple(
      fc.array(event, { maxLength: 15 }),
      fc.array(interference, { maxLength: 1 }),
      fc.constantFrom<Event[]>(
        [],
        [],
        [
          { kind: 'wait', ms: 40_000 },
          { kind: 'repair', action: 'RETRY' },
        ],
      ),
      fc.array(event, { maxLength: 15 }),
      fc.array(aReturn, { maxLength: 3 }),
    )
    .map((parts) => parts.flat()),
)
type History = readonly [Given, readonly Event[]]

async function played(
  [how, events]: History,
  host: Host = processorHost(how.completeOn),
): Promise<OrderWorld> {
  const world = new OrderWorld(host, how)
  await world.play(events)
  await world.settle()
  await host.close()
  return world
}

/** Everything that must hold of an order that has come to its end. */
const CLAIMS: readonly (readonly [string, (world: OrderWorld) => void])[] = [
  [
    'I14: one terminal state, and nothing after it',
    ({ statuses }) => {
      const states = statuses.map(({ state }) => state)
      const first = states.findIndex(
        (state) => state === 'COMPLETED' || state === 'FAILED' || state === 'CANCELLED',
      )
      expect(first).toBeGreaterThanOrEqual(0)
      expect(new Set(states.slice(first)).size).toBe(1)
    },
  ],
  [
    'I15: revisions strictly grow, over statuses and incidents',
    (world) => {
      const of = (topic: 'orderStatus' | 'opsIncident') => world.facts(topic).map(({ revision }) => revision)
      for (const all of [of('orderStatus'), of('opsIncident')]) {
        expect(all).toEqual([...new Set(all)].toSorted((a, b) => a - b))
      }
      expect(new Set([...of('orderStatus'), ...of('opsIncident')]).size).toBe(
        of('orderStatus').length + of('opsIncident').length,
      )
    },
  ],
  [
    'I16: FAILED or CANCELLED, nothing is held, spent, used or kept',
    ({ status, services, byHand }) => {
      if (byHand || status?.state === 'COMPLETED') return
      expect([
        services.unitsHeld,
        services.pointsSpent,
        services.coupon.stands,
        services.moneyKept(),
      ]).toEqual([0, 0, false, 0])
    },
  ],
  [
    'COMPLETED, exactly what was sold and did not come back is held, spent, used and kept',
    (world) => {
      const { status, services, byHand } = world
      if (byHand || status?.state !== 'COMPLETED') return
      const [sale] = world.facts('orderConfirmed')
      const back = world.facts('orderReturned')
      const sold = world.given.items.reduce((sum, { quantity }) => sum + quantity, 0)
      const returned = back.flatMap((one) => one.items).reduce((sum, { quantity }) => sum + quantity, 0)
      const refunded = back.reduce((sum, { refundAmount }) => sum + refundAmount, 0)
      const returnedPoints = world
        .facts('pointRestoreRequested')
        .filter(({ returnId }) => back.some((one) => one.returnId === returnId))
      const ids = new Map(returnedPoints.map(({ returnId, amount }) => [returnId, amount]))
      const pointsBack = [...ids.values()].reduce((sum, amount) => sum + amount, 0)
      expect(services.unitsHeld).toBe(sold - returned)
      expect(services.moneyKept()).toBe((sale?.finalAmount ?? 0) - refunded)
      expect(services.pointsSpent).toBe((sale?.pointsUsed ?? 0) - pointsBack)
      expect(services.coupon.stands).toBe(world.given.discount !== null)
      if (returned === sold) expect([services.moneyKept(), services.pointsSpent]).toEqual([0, 0])
      expect(status.returnState).toBe(returned === 0 ? 'NONE' : returned === sold ? 'FULL' : 'PARTIAL')
    },
  ],
  [
    'I17: what was confirmed is the items less discount less points, and was paid and held',
    (world) => {
      const [sale, ...more] = world.facts('orderConfirmed')
      expect(more).toEqual([])
      if (sale === undefined || world.byHand) return
      const all = world.given.items.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0)
      const discount = Math.min(world.given.discount ?? 0, all)
      const points = Math.min(world.given.pointsToUse, all - discount)
      expect([sale.finalAmount, sale.pointsUsed]).toEqual([all - discount - points, points])
    },
  ],
  [
    'I18: none waits for its payment past payBy',
    ({ status }) => {
      expect(status?.state).not.toBe('AWAITING_PAYMENT')
    },
  ],
  [
    "I19: a payment that is not the order's own went back, whole",
    ({ services, byHand }) => {
      if (byHand) return
      for (const key of services.paid.keys()) {
        if (key.startsWith('stray')) expect([0, services.paid.get(key)]).toContain(services.moneyKept(key))
      }
    },
  ],
  [
    'a sale that is told is taken back where it ends otherwise, and only then',
    (world) => {
      const confirmed = world.facts('orderConfirmed').length
      const cancelled = world.facts('orderCancelled').filter(({ confirmedAt }) => confirmedAt !== null)
      expect(cancelled.length).toBe(world.status?.state === 'COMPLETED' ? 0 : confirmed)
      expect(world.facts('orderCompleted').length).toBe(world.status?.state === 'COMPLETED' ? 1 : 0)
    },
  ],
  [
    'what was wrong at the moment: nothing (I14, I17, I20)',
    ({ complaints }) => {
      expect(complaints).toEqual([])
    },
  ],
]

describe('an order', () => {
  test.each(CLAIMS)('%s', async (_, claim) => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => claim(await played(history))),
      { numRuns: 250 },
    )
  })

  test('meets everything that may happen', async () => {
    const seen = new Map<string, number>()
    for (const history of fc.sample(histories, { numRuns: 1_500, seed: 11 })) {
      const world = await played(history)
      const met = new Set<string>(world.statuses.map(({ state }) => state))
      for (const { invariant } of world.facts('opsIncident')) met.add(invariant)
      for (const { returnState } of world.statuses) met.add(returnState)
      if (world.outputs.some(({ value }) => 'epoch' in value && value.epoch > 0)) met.add('a raised epoch')
      if (world.facts('pointRestoreRequested').some(({ returnId }) => returnId === 'surplus'))
        met.add('surplus')
      if (world.facts('orderConfirmed').some(({ finalAmount }) => finalAmount === 0))
        met.add('nothing to pay')
      for (const what of met) seen.set(what, (seen.get(what) ?? 0) + 1)
    }
    expect(EVERYTHING.filter((what) => (seen.get(what) ?? 0) < 8)).toEqual([])
  })
})

const EVERYTHING = [
  'PENDING',
  'STOCK_RESERVED',
  'POINTS_DEDUCTED',
  'COUPON_USED',
  'AWAITING_PAYMENT',
  'PAID',
  'CONFIRMED',
  'DELIVERY_REQUESTED',
  'SHIPPED',
  'COMPLETED',
  'COMPENSATING',
  'CANCELLING',
  'REFUNDING',
  'CANCELLED',
  'FAILED',
  'NEEDS_ATTENTION',
  'ORDER_NEEDS_ATTENTION',
  'ORDER_STRAY_PAYMENT',
  'PARTIAL',
  'FULL',
  'a raised epoch',
  'surplus',
  'nothing to pay',
]

const modes: [string, Partial<DriverOptions>][] = [
  ['steady', {}],
  ['restarted after every record', { restartAfterEachRecord: true }],
  ['state from changelogs alone', { restartAfterEachRecord: true, stateHome: 'task' }],
]

describe.each(modes)('an order on the engine, %s', (_, mode) => {
  test('keeps I14–I20', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const world = await played(history, await engineHost(history[0].completeOn, mode))
        for (const [, claim] of CLAIMS) claim(world)
      }),
      { numRuns: 25 },
    )
  })
})
