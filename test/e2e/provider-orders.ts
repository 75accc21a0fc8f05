/** Orders that each meet one misbehaviour of payment provider or courier, and how each of them must end. */
import { expect } from 'vitest'
import { idFromKey } from '../../api/ids.ts'
import {
  type Ask,
  type Behaviour,
  type Fate,
  type Fault,
  type Manner,
  manners,
} from '../support/provider/faults.ts'
import type { ProviderServer } from '../support/provider/server.ts'
import { call } from './order-shop.ts'

export interface Scenario {
  readonly name: string
  readonly ends: 'COMPLETED' | 'FAILED' | 'CANCELLED'
  readonly fault?: (ask: Ask) => Fault
  readonly fate?: (ask: Ask) => Fate
  readonly manner?: Manner
  /** It has little time to pay, and no address. */
  readonly hasty?: boolean
  /** Its customer calls it off once the provider was asked. */
  readonly cancel?: boolean
}

const FAULTS: readonly Fault[] = [
  'silent-before',
  'silent-after',
  'slow-after',
  'drop-before',
  'drop-after',
  'error-before',
  'error-after',
  'garbage-after',
  'busy',
  'away',
]
/** The first two questions of a kind about a key. */
const twice =
  (kind: Ask['kind'], fault: Fault) =>
  (ask: Ask): Fault =>
    ask.kind === kind && ask.nth <= 2 ? fault : 'none'
/** Until the order has given up: every charge, and the first lookup. */
const untilLate =
  (fault: Fault) =>
  ({ kind, nth }: Ask): Fault =>
    kind === 'charge' || (kind === 'lookup' && nth === 1) ? fault : 'none'

/** Of a provider that charges and is not heard: the money must come back (I19). */
const DONE_UNHEARD: readonly Fault[] = ['silent-after', 'drop-after', 'error-after', 'garbage-after']
const NEVER_DONE: readonly Fault[] = ['silent-before', 'drop-before', 'error-before']

export const scenarios: readonly Scenario[] = [
  ...FAULTS.map((f): Scenario => ({ name: `charge ${f}`, ends: 'COMPLETED', fault: twice('charge', f) })),
  ...FAULTS.map((f): Scenario => ({ name: `shipment ${f}`, ends: 'COMPLETED', fault: twice('ship', f) })),
  ...FAULTS.map((f): Scenario => {
    // Paid, and not sent: everything goes back.
    const fate = ({ kind }: Ask): Fate => (kind === 'ship' ? { refuse: 'NO_SUCH_PLACE' } : {})
    return { name: `refund ${f}`, ends: 'FAILED', fault: twice('refund', f), fate }
  }),
  ...DONE_UNHEARD.map(
    (f): Scenario => ({ name: `late ${f}`, ends: 'FAILED', hasty: true, fault: untilLate(f) }),
  ),
  ...NEVER_DONE.map(
    (f): Scenario => ({ name: `never ${f}`, ends: 'FAILED', hasty: true, fault: untilLate(f) }),
  ),
  ...DONE_UNHEARD.map((f): Scenario => {
    return { name: `called off, ${f}`, ends: 'CANCELLED', cancel: true, fault: untilLate(f) }
  }),
  ...manners.map((manner): Scenario => ({ name: `webhooks ${manner}`, ends: 'COMPLETED', manner })),
  ...manners.map((manner): Scenario => {
    const fate = (): Fate => ({ pending: true })
    return { name: `pending, webhooks ${manner}`, ends: 'COMPLETED', manner, fate }
  }),
  { name: 'declined', ends: 'FAILED', fate: ({ kind }) => (kind === 'charge' ? { refuse: 'NO_MONEY' } : {}) },
  {
    name: 'wrong amount',
    ends: 'FAILED',
    hasty: true,
    fate: ({ kind }) => (kind === 'charge' ? { surcharge: 1 } : {}),
  },
]

const PRICE = 250
const ADDRESS = { name: 'Ann Example', phone: '555-0100', zipcode: '00000', address: 'Nowhere 1' }

const idOf = ({ name }: Scenario) => idFromKey('local', name)
const ofOrder = new Map(scenarios.map((one) => [idOf(one), one]))

export const misbehaving: Behaviour = {
  fault: (ask) => ofOrder.get(ask.orderId)?.fault?.(ask) ?? 'none',
  fate: (ask) => ofOrder.get(ask.orderId)?.fate?.(ask) ?? {},
  manner: (orderId) => ofOrder.get(orderId)?.manner ?? 'none',
}

type At = { readonly url: string }

/** Again and again, as a client does whose shop is away; 30 s at most. */
async function insist<T>(ask: () => Promise<T>): Promise<T> {
  const until = Date.now() + 30_000
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (Date.now() > until) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** @throws where the shop is not there, or cannot just now */
async function asked(shop: At, ...request: [method: string, path: string, body?: object, key?: string]) {
  const reply = await call(shop, ...request)
  if (reply.status >= 500 || reply.status === 429) throw new Error(`answered ${JSON.stringify(reply)}`)
  return reply
}

/** `shop` may be another one by the time that it is asked again. */
export async function placeAll(shop: () => At, provider: ProviderServer): Promise<void> {
  const product = { title: 'Mug', price: PRICE, received: 10_000 }
  await insist(() => asked(shop(), 'PUT', '/v1/products/mug', product, 'first'))
  for (const scenario of scenarios) {
    const { status, body } = await insist(() => place(shop(), scenario))
    expect([scenario.name, status, body]).toEqual([scenario.name, 202, expect.anything()])
  }
  await Promise.all(scenarios.filter(({ cancel }) => cancel).map((one) => callOff(shop, provider, one)))
}

function place(shop: At, scenario: Scenario) {
  const { name, hasty = false } = scenario
  const orderId = idOf(scenario)
  if (!hasty) {
    const body = { userId: 'ann', items: [{ productId: 'mug', quantity: 2 }], shipTo: ADDRESS }
    return asked(shop, 'POST', '/v1/orders', body, name)
  }
  const items = [{ lineNo: 1, productId: 'mug', quantity: 2, unitPrice: PRICE }]
  const order = { orderId, userId: 'ann', items, pointsToUse: 0, currency: 'EUR', payBy: Date.now() + 1_500 }
  return asked(shop, 'POST', '/v1/events/order.created', order)
}

async function callOff(shop: () => At, provider: ProviderServer, scenario: Scenario): Promise<void> {
  const orderId = idOf(scenario)
  await expect.poll(() => provider.askedOf(orderId), { timeout: 30_000 }).toContain('charge')
  const reply = await insist(() => asked(shop(), 'POST', `/v1/orders/${orderId}/cancel`))
  expect([202, 409]).toContain(reply.status)
}

/** Where order and money are, in the words of both sides. */
async function look(shop: At, provider: ProviderServer, scenario: Scenario): Promise<string> {
  const orderId = idOf(scenario)
  const { body } = await insist(() => asked(shop, 'GET', `/v1/orders/${orderId}`))
  return `${scenario.name}: ${String(body['state'])}, ${provider.ledger.net(orderId)}`
}

function ended({ name, ends }: Scenario): string {
  return `${name}: ${ends}, ${ends === 'COMPLETED' ? 2 * PRICE : 0}`
}

/** Waits until every order has ended as it must, and the provider has its money or nothing; then looks at all again. */
export async function allSettled(shop: () => At, provider: ProviderServer): Promise<void> {
  const open = new Set(scenarios)
  const stillOpen = async () => {
    for (const one of open) if ((await look(shop(), provider, one)) === ended(one)) open.delete(one)
    return [...open].map(({ name }) => name)
  }
  await expect.poll(stillOpen, { timeout: 90_000, interval: 250 }).toEqual([])
  const all = await Promise.all(scenarios.map((one) => look(shop(), provider, one)))
  expect(all).toEqual(scenarios.map(ended))
  const { ledger } = provider
  for (const scenario of scenarios) {
    const orderId = idOf(scenario)
    const own = [...ledger.charges.values()].filter((one) => one.orderId === orderId)
    expect([scenario.name, own.length <= 1]).toEqual([scenario.name, true])
    const sent = [...ledger.shipments.values()].filter((one) => one.orderId === orderId)
    expect([scenario.name, sent.length <= 1]).toEqual([scenario.name, true])
    if (sent.length === 1) expect(ledger.addresses.get(orderId)).toEqual(ADDRESS)
  }
}
