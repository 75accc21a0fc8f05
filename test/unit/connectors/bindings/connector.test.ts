/** A binding as a connector: what it says of messages that it cannot map now. */
import { describe, expect, it } from 'vitest'
import {
  bindingConnector,
  compileProfile,
  type Connector,
  type Incoming,
  nothingAround,
  type Profile,
  type Surroundings,
  Unavailable,
} from '../../../../connectors/index.ts'
import { topics } from '../../../../schemas/index.ts'
import { AT, profileOf } from './given.ts'

const signal = new AbortController().signal

function connectorOf(profile: Profile, around: Partial<Surroundings>): Connector {
  const [binding] = compileProfile(profile, 'test.json', topics).bindings
  if (binding === undefined) throw new Error('no binding')
  return bindingConnector(binding, { ...nothingAround, ...around })
}

async function deliver(connector: Connector, ...values: readonly unknown[]) {
  const topic = connector.inputs[0]?.name ?? ''
  const records = values.map((value, offset): Incoming => {
    const place = {
      topic,
      partition: 0,
      offset,
      timestamp: AT,
      appendTime: AT,
      headers: [],
      lineage: undefined,
    }
    return { ...place, value: value as never, recordKey: null as never, key: `${offset}` }
  })
  const target = await connector.open({ signal } as never)
  return target.deliver({ records, next: [] }, signal)
}

const shipped = profileOf(
  {
    direction: 'out',
    from: 'delivery.requested',
    writes: [{ to: 'theirs', fields: { orderId: 'orderId', to: '$shipTo().name' } }],
  },
  { topics: { theirs: {} } },
)
const priced = profileOf(
  {
    writes: [
      {
        to: 'point.adjust.requested',
        fields: {
          adjustId: '$position',
          userId: 'user',
          amount: "$view('product.catalog', product).price",
          reason: "'x'",
        },
      },
    ],
  },
  { views: ['product.catalog'] },
)
const order = { orderId: 'o1', customerId: 'ann', shipTo: Buffer.from('sealed'), epoch: 0 }

describe('a binding', () => {
  it('does not believe at once that what a message names is not there, although it fits without', async () => {
    const lenient = profileOf(
      {
        writes: [
          {
            to: 'point.adjust.requested',
            fields: {
              adjustId: '$position',
              userId: 'user',
              amount: "$exists($view('product.catalog', product)) ? 1 : 2",
              reason: "'x'",
            },
          },
        ],
      },
      { views: ['product.catalog'] },
    )
    const catalogue = new Map<string, object>()
    let looks = 0
    let now = AT
    const connector = connectorOf(lenient, {
      lookup: (_topic, key) => (++looks, catalogue.get(key)),
      now: () => now,
    })
    const late = deliver(connector, { user: 'ann', product: 'tea' })
    await expect.poll(() => looks).toBeGreaterThan(1)
    catalogue.set('tea', { price: 3 })
    expect((await late).outputs?.map(({ value }) => value)).toMatchObject([{ amount: 1 }])
    const never = deliver(connector, { user: 'ann', product: 'no tea' })
    now = AT + 1_000
    expect((await never).outputs?.map(({ value }) => value)).toMatchObject([{ amount: 2 }])
  })

  it('does not begin before what it looks into was read', async () => {
    let ready = false
    const connector = connectorOf(priced, { ready: () => ready })
    await expect(deliver(connector, { user: 'ann' })).rejects.toThrow(Unavailable)
    ready = true
    expect((await deliver(connector, { user: 'ann' })).rejected).toHaveLength(1)
  })

  it('says of an address that cannot be opened now that nothing is wrong with the message', async () => {
    const away = new Unavailable('no keys here')
    const connector = connectorOf(shipped, { addresses: () => () => Promise.reject(away) })
    await expect(deliver(connector, order)).rejects.toBe(away)
  })

  it('says the same of a view that cannot be looked into', async () => {
    const fault = Object.assign(new Error('the store is closed'), { code: 'TASK_NOT_HERE' })
    const lookup = () => {
      throw fault
    }
    await expect(deliver(connectorOf(priced, { lookup }), { user: 'ann', product: 'tea' })).rejects.toBe(
      fault,
    )
  })

  it('opens addresses for one batch at a time, until that ends', async () => {
    const signals: AbortSignal[] = []
    const addresses = (of: AbortSignal) => {
      signals.push(of)
      return () => Promise.resolve({ name: 'Ann' })
    }
    const { outputs } = await deliver(connectorOf(shipped, { addresses }), order, order)
    expect(outputs?.map(({ value }) => value)).toEqual([
      { orderId: 'o1', to: 'Ann' },
      { orderId: 'o1', to: 'Ann' },
    ])
    expect(signals).toEqual([signal])
  })

  it('tries a message again whose view has nothing yet, and sets it aside at once where that is not why', async () => {
    const product = { name: 'tea', price: 5 }
    const known = new Map<string, unknown>()
    const lookup = (topic: string, key: string) => known.get(`${topic}/${key}`)
    const connector = connectorOf(priced, { lookup })
    await expect(deliver(connector, { user: 'ann', product: 'tea' })).rejects.toMatchObject({
      name: 'NotThereYet',
    })
    known.set('product.catalog/tea', product)
    expect((await deliver(connector, { user: 'ann', product: 'tea' })).outputs).toHaveLength(1)
    // It found the product, and has no user.
    const { outputs, rejected } = await deliver(
      connector,
      { product: 'tea' },
      { user: 'ann', product: 'tea' },
    )
    expect([outputs?.length, rejected?.map(({ reason }) => reason)]).toEqual([
      1,
      [expect.stringContaining('userId')],
    ])
  })

  it('writes in the currency of the shop alone', async () => {
    const fields = { productId: 'id', title: "''", price: '5', currency: 'currency' }
    const profile = profileOf({ writes: [{ to: 'product.catalog', fields }] })
    const connector = connectorOf(profile, { currency: 'KRW' })
    const { outputs, rejected } = await deliver(
      connector,
      { id: 'tea', currency: 'KRW' },
      { id: 'mug', currency: 'GBP' },
    )
    expect(outputs?.map(({ key }) => key)).toEqual(['tea'])
    expect(rejected?.map(({ reason }) => reason)).toEqual(['product.catalog: currency must be KRW'])
  })

  it('writes no address: it would be in the log in the clear', async () => {
    const items = "[{'lineNo': 1, 'productId': 'tea', 'quantity': 1, 'unitPrice': 5}]"
    const fields = {
      orderId: 'id',
      userId: "'ann'",
      items,
      currency: "'KRW'",
      payBy: '$timestamp',
      shipTo: 'address',
    }
    const connector = connectorOf(profileOf({ writes: [{ to: 'order.created', fields }] }), {})
    const { outputs, rejected } = await deliver(
      connector,
      { id: 'o1', address: 'Elm Street 1' },
      { id: 'o2' },
    )
    expect(outputs?.map(({ key }) => key)).toEqual(['o2'])
    expect(rejected?.map(({ reason }) => reason)).toEqual([expect.stringContaining('order.created: shipTo')])
  })
})
