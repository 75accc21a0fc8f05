/** Messages of the five shops, one by one; their whole flows are in `test/topology/shop-profiles.test.ts`. */
import { describe, expect, it } from 'vitest'
import { type Mapped, mapMessage, nothingAround, type Asking } from '../../../../connectors/index.ts'
import { AT, type Given, messageOf, shipped } from './given.ts'

async function become(profile: string, binding: string, given: Given, around: Partial<Asking> = {}) {
  const { bindings } = await shipped(profile)
  const found = bindings.find(({ name }) => name.endsWith(`-${binding}`))
  if (found === undefined) throw new Error(`${profile} has no binding ${binding}`)
  return mapMessage(found, messageOf(given, found.from.name), { ...nothingAround, ...around })
}

const brief = (mapped: Mapped) =>
  'misfit' in mapped
    ? mapped
    : mapped.records.map(({ topic, key, value }) => ({ topic: topic.name, key, value }))

describe('shop A', () => {
  it('says its local times as text or as lists, and numbers or text for ids', async () => {
    const event = (completedAt: unknown, orderId: unknown) => ({
      value: { orderId, userId: 42, finalAmount: 0, items: [], completedAt },
    })
    const noon = Date.UTC(2026, 2, 2, 3)
    for (const completedAt of ['2026-03-02T12:00:00', [2026, 3, 2, 12, 0], '2026-03-02T03:00:00Z']) {
      expect(
        brief(await become('a/profile', 'order-completed', event(completedAt, '9007199254740993'))),
      ).toMatchObject([
        { topic: 'order.completed', key: '9007199254740993', value: { completedAt: noon, userId: '42' } },
        { topic: 'order.confirmed', value: { confirmedAt: noon } },
      ])
    }
  })
})

describe('shop C', () => {
  const order = {
    orderId: '501',
    userId: '42',
    userCouponId: '5:1',
    pointsToUse: 11_500,
    currency: 'KRW',
    payBy: AT,
    shipTo: null,
    bodyHash: null,
    items: [{ lineNo: 1, productId: '7', categoryId: null, quantity: 1, unitPrice: 12_500 }],
  }
  const failed = (failedStep: string, ...steps: string[]) => ({
    value: {
      orderId: '501',
      userId: '42',
      failedStep,
      reason: '',
      compensations: steps.map((step) => ({ step, status: 'RESTORED' })),
    },
  })
  const known = { lookup: (topic: string) => (topic === 'order.created' ? order : undefined) }

  it('hears what an order gives back in reverse: coupon, points, stock', async () => {
    const said = await become(
      'c/profile',
      'order-failed',
      failed('payment', 'coupon', 'points', 'stock'),
      known,
    )
    expect(brief(said)).toEqual([
      { topic: 'coupon-restore-topic', key: '501', value: { userId: 42, userCouponId: '5:1' } },
      { topic: 'point-restore-topic', key: '501', value: { userId: 42, amount: 11_500 } },
      { topic: 'stock-restore-topic', key: '501', value: { cartItems: [{ productId: 7, quantity: 1 }] } },
    ])
  })

  it('hears nothing of the step that failed: it took nothing', async () => {
    expect(brief(await become('c/profile', 'order-failed', failed('stock', 'stock'), known))).toEqual([])
    expect(
      brief(await become('c/profile', 'order-failed', failed('points', 'points', 'stock'), known)),
    ).toMatchObject([{ topic: 'stock-restore-topic' }])
  })

  it('hears nothing wrong of an order that is not known: it does not fit', async () => {
    expect(await become('c/profile', 'order-failed', failed('payment', 'stock'))).toEqual({
      misfit: 'when: its order.created is not known here',
    })
  })

  it('may go on with a saga of its own: restores without an orderId are adjustments', async () => {
    const points = { value: { userId: 42, amount: 28_000 } }
    expect(brief(await become('c/own-saga', 'point-restore', { ...points, offset: 7 }))).toMatchObject([
      {
        topic: 'point.adjust.requested',
        key: '42',
        value: { adjustId: 'point-restore-topic-0-7', amount: 28_000 },
      },
    ])
    expect(
      brief(await become('c/own-saga', 'point-restore', { ...points, headers: { orderId: '501' } })),
    ).toMatchObject([{ value: { adjustId: 'restore-501' } }])
    const stock = {
      value: {
        cartItems: [
          { productId: 7, quantity: 2 },
          { productId: 8, quantity: 1 },
        ],
      },
    }
    expect(brief(await become('c/own-saga', 'stock-restore', stock))).toMatchObject([
      { key: '7', value: { adjustId: 'stock-restore-topic-0-0-0', quantity: 2 } },
      { key: '8', value: { adjustId: 'stock-restore-topic-0-0-1', quantity: 1 } },
    ])
    const coupon = { value: { userId: 42, userCouponId: '5:1' } }
    expect(brief(await become('c/own-saga', 'coupon-restore', coupon))).toMatchObject({
      misfit: expect.any(String) as string,
    })
    expect(
      brief(await become('c/own-saga', 'coupon-restore', { ...coupon, headers: { orderId: '501' } })),
    ).toMatchObject([
      { topic: 'coupon.restore.requested', key: '42', value: { orderId: '501', userCouponId: '5:1' } },
    ])
  })
})

describe('prices of shop C', () => {
  const ordered = (line: object) => ({
    value: {
      orderId: 1,
      userId: 2,
      userCouponId: null,
      finalAmount: 5,
      cartItems: [{ productId: 7, quantity: 1, ...line }],
    },
  })
  const lookup = (topic: string, key: string) =>
    topic === 'product.catalog' && key === '7' ? { price: 300 } : undefined

  it("are those of the message, else the catalogue's", async () => {
    const price = async (line: object) =>
      brief(await become('c/profile', 'order-created', ordered(line), { lookup }))
    const costs = (unitPrice: number) => [{ value: { items: [{ unitPrice }] } }]
    expect(await price({ price: 0 })).toMatchObject(costs(0))
    expect(await price({})).toMatchObject(costs(300))
    expect(await price({ price: null })).toMatchObject(costs(300))
    expect(await price({ productId: 8 })).toEqual({
      misfit: expect.stringContaining('a product has no price, and is not in the catalogue') as string,
    })
  })
})

describe('shop D', () => {
  const requested = (epoch: number, shipTo = Buffer.from('sealed')) => ({
    value: { orderId: 'o', customerId: 'ann', shipTo, epoch },
  })

  it('I25: gets an address opened, and once: the log keeps it sealed everywhere else', async () => {
    let opened = 0
    const openAddress = (orderId: string, customerId: string, sealed: Buffer) => {
      opened += 1
      return Promise.resolve({ name: `${customerId} of ${orderId}`, address: String(sealed), memo: 'door' })
    }
    const said = brief(await become('d/profile', 'delivery-request', requested(0), { openAddress }))
    expect(said).toEqual([
      {
        topic: 'delivery-request-topic',
        key: 'o',
        value: { orderId: 'o', customerId: 'ann', name: 'ann of o', address: 'sealed', deliveryMemo: 'door' },
      },
    ])
    expect(opened).toBe(1)
  })

  it("is asked again by an operator's retry", async () => {
    expect(brief(await become('d/profile', 'delivery-request', requested(1)))).toMatchObject([{ key: 'o' }])
  })

  it('is told FAILED, with the reason, where there is no stock', async () => {
    const result = {
      orderId: 'o',
      productId: 'p',
      status: 'REJECTED',
      available: 0,
      reason: 'OUT_OF_STOCK',
      epoch: 0,
    }
    expect(brief(await become('d/profile', 'stock-response', { value: result }))).toEqual([
      {
        topic: 'stock-response-topic',
        key: 'o',
        value: { orderId: 'o', productId: 'p', status: 'FAILED', message: 'OUT_OF_STOCK' },
      },
    ])
  })
})

describe('shop E', () => {
  it('asks for a coupon by its key where the message does not name it', async () => {
    expect(
      brief(await become('e/profile', 'coupon-issue', { key: 'spring', value: { userId: 7 } })),
    ).toMatchObject([{ key: 'spring', value: { couponId: 'spring', requestId: 'user-7', userId: '7' } }])
    const none = { key: 'spring', value: { userId: 7, couponId: null } }
    expect(brief(await become('e/profile', 'coupon-issue', none))).toMatchObject([{ key: 'spring' }])
  })
})
