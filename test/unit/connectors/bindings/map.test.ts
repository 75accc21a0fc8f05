import { describe, expect, it } from 'vitest'
import { externalTopic } from '../../../../connectors/bindings/external.ts'
import { defineBinding, defineProfile, nothingAround } from '../../../../connectors/index.ts'
import type { OrderCreated } from '../../../../schemas/index.ts'
import { AT, mapped, profileOf } from './given.ts'

const request = {
  to: 'coupon.issue.requested',
  fields: { couponId: '$id(c)', userId: '$id(u)', requestId: "'r'" },
}
const one = profileOf({ writes: [request] })

describe('a message becomes', () => {
  it("a record under the key that its value has to stand under, at the message's time", async () => {
    expect(await mapped(one, { value: { c: 5, u: 42 } })).toMatchObject({
      records: [
        {
          topic: { name: 'coupon.issue.requested' },
          key: '5',
          timestamp: AT,
          value: { couponId: '5', shard: 0 },
        },
      ],
    })
  })

  it('none where it is not meant', async () => {
    const some = profileOf({ when: 'kind = "ISSUE"', writes: [request] })
    expect(await mapped(some, { value: { kind: 'OTHER' } })).toEqual({ records: [] })
    expect(await mapped(some, { value: { kind: 'ISSUE', c: 5, u: 1 } })).toMatchObject({
      records: [{ key: '5' }],
    })
  })

  it('one for each of its items, or none and a reason: never a part', async () => {
    const stock = profileOf({
      writes: [
        {
          to: 'stock.reserve.requested',
          each: 'products',
          fields: {
            orderId: '$id(orderId)',
            productId: '$id($item.productId)',
            lines: '{"lineNo": $index + 1, "quantity": $item.quantity}',
          },
        },
      ],
    })
    const value = {
      orderId: 'o',
      products: [
        { productId: 1, quantity: 2 },
        { productId: 2, quantity: 1 },
      ],
    }
    expect(await mapped(stock, { value })).toMatchObject({
      records: [
        { key: '1', value: { productId: '1', lines: [{ lineNo: 1, quantity: 2 }] } },
        { key: '2', value: { productId: '2', lines: [{ lineNo: 2, quantity: 1 }] } },
      ],
    })
    const half = { orderId: 'o', products: [{ productId: 1, quantity: 2 }, { quantity: 1 }] }
    expect(await mapped(stock, { value: half })).toEqual({
      misfit: 'stock.reserve.requested: productId is missing',
    })
    expect(await mapped(stock, { value: { orderId: 'o' } })).toEqual({ records: [] })
  })

  it('JSON of theirs, with or without a key', async () => {
    const issued = {
      requestId: 'r',
      couponId: '5',
      userCouponId: '5:1',
      userId: '42',
      sequence: 1,
      shard: 0,
      sourceOffset: 0,
      issuedAt: AT,
      expiresAt: null,
      campaignRevision: 1,
      discount: null,
    }
    const out = (key?: string) =>
      profileOf({
        direction: 'out',
        from: 'coupon.issued',
        writes: [
          {
            to: 'theirs',
            ...(key && { key }),
            timestamp: 'issuedAt',
            fields: {
              user: '$integer(userId)',
              at: '$fromMillis(issuedAt)',
              until: 'expiresAt',
              x: 'nothing',
            },
          },
        ],
      })
    expect(await mapped(out(), { value: issued })).toMatchObject({
      records: [
        { key: null, value: { user: 42, at: '2026-03-02T00:00:00.000Z', until: null }, timestamp: AT },
      ],
    })
    expect(await mapped(out('couponId'), { value: issued })).toMatchObject({ records: [{ key: '5' }] })
    expect(await mapped(out('$integer(couponId)'), { value: issued })).toEqual({
      misfit: 'theirs: key is not text',
    })
  })
})

describe('a message does not fit', () => {
  it.each([
    ['without a value', null, 'there is no value'],
    ['with a field missing', { c: 5 }, 'coupon.issue.requested: userId is missing'],
    [
      'with an id that is none',
      { c: 5, u: 1.5 },
      'coupon.issue.requested: userId: $id takes an integer or a text of 1 to 200 characters',
    ],
    ['that is a list', [1], 'coupon.issue.requested: couponId is missing; userId is missing'],
  ])('%s', async (_, value, misfit) => {
    expect(await mapped(one, { value })).toEqual({ misfit })
  })

  it('where a condition is neither true nor false', async () => {
    expect(await mapped(profileOf({ when: 'c', writes: [request] }), { value: { c: 'yes' } })).toEqual({
      misfit: 'when is neither true nor false',
    })
  })

  it('when it would become too many', async () => {
    const many = profileOf({ writes: [{ ...request, each: '[1..1001]' }] })
    expect(await mapped(many, { value: { c: 1, u: 1 } })).toEqual({ misfit: 'more than 1000 records' })
  })

  it('I25: and the reason repeats nothing of it', async () => {
    const said = await mapped(one, { value: { c: { name: 'Kim Minji' }, u: '010-1234-5678'.repeat(30) } })
    expect(JSON.stringify(said)).not.toMatch(/Kim|010/)
  })
})

describe('a module', () => {
  interface Theirs {
    readonly id: number
    readonly buyer: string
  }
  const typed = (fields: (value: Theirs) => unknown) =>
    defineProfile(
      profileOf(
        defineBinding<Theirs>({
          name: 'one',
          direction: 'in',
          from: 'theirs',
          writes: [
            { to: 'order.created', timestamp: ({ value }) => value.id, fields: ({ value }) => fields(value) },
          ],
        }) as never,
      ),
    )
  const order = ({ id, buyer }: Theirs): OrderCreated => ({
    orderId: String(id),
    userId: buyer,
    items: [],
    userCouponId: null,
    pointsToUse: 0,
    currency: 'KRW',
    payBy: AT,
    shipTo: Buffer.alloc(0),
    bodyHash: null,
  })

  it('may say it all by typed functions', async () => {
    expect(await mapped(typed(order), { value: { id: 7, buyer: 'ann' } })).toMatchObject({
      records: [{ key: '7', timestamp: 7, value: { userId: 'ann' } }],
    })
  })

  it('that gives what is no record gives a dead letter', async () => {
    const bad = typed((value) => ({ ...order(value), userId: 5 }))
    expect(await mapped(bad, { value: { id: 7, buyer: 'ann' } })).toEqual({
      misfit: expect.stringMatching(/^order.created: .*userId/) as string,
    })
    const thrower = typed(() => {
      throw new Error('secret')
    })
    expect(await mapped(thrower, { value: { id: 7, buyer: 'ann' } }, nothingAround)).toEqual({
      misfit: 'order.created: fields: the function of the profile threw',
    })
  })
})

describe('Avro of theirs', () => {
  const schema = {
    type: 'record',
    name: 'CouponAsked',
    namespace: 'their.shop',
    fields: [
      { name: 'c', type: 'long' },
      { name: 'u', type: ['null', 'string'], default: null },
    ],
  } as const
  const topic = { theirs: { format: 'avro', schema, schemaId: 9 } } as const

  it('comes and goes as plain JSON does', async () => {
    const incoming = externalTopic('theirs', topic.theirs)
    const bytes = incoming.value.serialize({ c: 5, u: 'ann' })
    expect(bytes.readInt32BE(1)).toBe(9)
    const value = incoming.value.deserialize(bytes)
    expect(await mapped({ ...one, topics: topic }, { value })).toMatchObject({
      records: [{ key: '5', value: { userId: 'ann' } }],
    })
    const out = profileOf(
      {
        direction: 'out',
        from: 'point.earned',
        writes: [{ to: 'theirs', fields: { c: 'points', u: 'userId' } }],
      },
      { topics: topic },
    )
    const earned = { orderId: 'o', userId: 'ann', points: 3, rateBp: 1, earnedAt: AT, expiresAt: null }
    expect(await mapped(out, { value: earned })).toMatchObject({ records: [{ value: { c: 3, u: 'ann' } }] })
    const wrong = profileOf(
      { direction: 'out', from: 'point.earned', writes: [{ to: 'theirs', fields: { c: 'userId' } }] },
      { topics: topic },
    )
    expect(await mapped(wrong, { value: earned })).toMatchObject({
      misfit: expect.stringMatching(/^theirs: c must be an integer/) as string,
    })
  })
})
