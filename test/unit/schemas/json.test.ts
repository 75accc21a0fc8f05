import { describe, expect, it } from 'vitest'
import {
  campaignSchema,
  couponIssueRequestedSchema,
  fromJson,
  JsonValueError,
  orderConfirmedSchema,
  toJson,
  userProfileSchema,
} from '../../../schemas/index.ts'
import type { AvroRecord, RecordSchema } from '../../../schemas/record-schema.ts'

const campaign = {
  couponId: 'welcome',
  name: 'Welcome',
  quota: 100,
  opensAt: 1,
  closesAt: 2,
  discount: { kind: 'PERCENT', value: 10 },
}

function problems(run: () => unknown): Record<string, string> {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(JsonValueError)
    return Object.fromEntries((error as JsonValueError).problems.map(({ path, message }) => [path, message]))
  }
  return {}
}

describe('a record from JSON', () => {
  it('gets every field, absent ones with their default', () => {
    expect(fromJson(campaignSchema, campaign)).toStrictEqual({
      ...campaign,
      perUserLimit: 1,
      validForMs: null,
      discount: { kind: 'PERCENT', value: 10, minOrderAmount: null, maxDiscount: null },
      eligibility: null,
      fairness: 'FIFO',
      shards: 1,
      status: 'DRAFT',
      revision: 0,
      operation: 'PUT',
      seedHash: null,
      seed: null,
    })
  })

  it.each([
    ['plain', { validForMs: 5, eligibility: { userIds: ['u'] } }],
    [
      'tagged',
      { validForMs: { long: 5 }, eligibility: { 'millrace.coupon.Eligibility': { userIds: ['u'] } } },
    ],
  ])('takes unions %s', (_, unions) => {
    const value = fromJson(campaignSchema, { ...campaign, ...unions })
    expect(value).toMatchObject({ validForMs: 5, eligibility: { userIds: ['u'] } })
  })

  it('takes bytes as one character per byte', () => {
    const value = fromJson(userProfileSchema, { userId: 'u', email: '\u0000ÿ', locale: { bytes: 'a' } })
    expect(value).toEqual({ userId: 'u', email: Buffer.from([0, 255]), locale: Buffer.from('a') })
  })

  it('names every field that does not fit', () => {
    const json = {
      couponId: 7,
      quota: 1.5,
      opensAt: 2 ** 53,
      closesAt: '2024',
      discount: { kind: 'FREE', value: null },
      eligibility: { userIds: ['u', 7] },
      shards: 2 ** 31,
      extra: true,
    }
    expect(problems(() => fromJson(campaignSchema, json))).toEqual({
      couponId: 'must be a string',
      quota: 'must be an integer within ±(2^53 - 1)',
      opensAt: 'must be an integer within ±(2^53 - 1)',
      closesAt: 'must be an integer within ±(2^53 - 1)',
      'discount.kind': 'must be one of AMOUNT, PERCENT',
      'discount.value': 'must be an integer within ±(2^53 - 1)',
      'eligibility.userIds.1': 'must be a string',
      shards: 'must be an integer of 32 bits',
      extra: 'is not a field',
    })
  })

  it('names a missing field', () => {
    expect(problems(() => fromJson(couponIssueRequestedSchema, { requestId: 'r', userId: 'u' }))).toEqual({
      couponId: 'is missing',
    })
  })

  it('does not take the symbol that only readers see', () => {
    expect(problems(() => fromJson(campaignSchema, { ...campaign, status: 'UNKNOWN' }))).toHaveProperty(
      'status',
    )
  })

  it.each([null, [], 'x', 7, true, undefined])('is not %j', (json) => {
    expect(problems(() => fromJson(campaignSchema, json))).toEqual({ '': 'must be an object' })
  })

  it.each(['constructor', 'toString', '__proto__'])('does not mistake an inherited %s for a field', (key) => {
    const json: unknown = JSON.parse(`{"requestId": "r", "couponId": "c", "userId": "u", "${key}": {"a": 1}}`)
    expect(problems(() => fromJson(couponIssueRequestedSchema, json))).toEqual({ [key]: 'is not a field' })
    expect(fromJson(couponIssueRequestedSchema, json, { unknownFields: 'ignore' })).toMatchObject({
      userId: 'u',
    })
  })

  it('refuses half a character', () => {
    const json = { requestId: '\ud800', couponId: 'c', userId: 'u' }
    expect(problems(() => fromJson(couponIssueRequestedSchema, json))).toEqual({
      requestId: 'has half a surrogate pair',
    })
  })

  it('reports a bounded number of problems', () => {
    const items = Array.from({ length: 1_000 }, () => 'x')
    const found = problems(() => fromJson(orderConfirmedSchema, { items }))
    expect(Object.keys(found)).toHaveLength(20)
  })

  it('refuses JSON that is nested without end', () => {
    const definition: AvroRecord = {
      type: 'record',
      name: 'Node',
      fields: [{ name: 'next', type: ['null', 'Node'], default: null }],
    }
    const schema: RecordSchema<unknown> = { name: 'Node', version: 1, definition }
    const json: unknown = JSON.parse('{"next":'.repeat(5_000) + 'null' + '}'.repeat(5_000))
    expect(Object.values(problems(() => fromJson(schema, json)))[0]).toContain('nested more than')
  })
})

describe('a union of several types', () => {
  const definition: AvroRecord = {
    type: 'record',
    name: 'Any',
    fields: [
      {
        name: 'x',
        type: [
          'null',
          'string',
          'long',
          'boolean',
          { type: 'map', values: 'int' },
          { type: 'array', items: 'int' },
        ],
      },
    ],
  }
  const schema: RecordSchema<{ x: unknown }> = { name: 'Any', version: 1, definition }

  it.each([null, 's', 7, true, { a: 1 }, [1]])('takes %j', (x) => {
    const value = fromJson(schema, { x })
    expect(value).toEqual({ x })
    expect(toJson(schema, value)).toEqual({ x })
    expect(fromJson(schema, toJson(schema, value, { unions: 'tagged' }))).toEqual({ x })
  })

  it('says what it can be', () => {
    expect(problems(() => fromJson(schema, { x: 1.5 }))).toEqual({
      x: 'must be one of the types null, string, long, boolean, map, array',
    })
  })
})

describe('a record as JSON', () => {
  it('is tagged as Avro does where asked for', () => {
    const value = fromJson(campaignSchema, { ...campaign, validForMs: 5, eligibility: { userIds: [] } })
    expect(toJson(campaignSchema, value, { unions: 'tagged' })).toMatchObject({
      validForMs: { long: 5 },
      eligibility: { 'millrace.coupon.Eligibility': { userIds: [] } },
      seed: null,
    })
  })

  it('has bytes as text', () => {
    expect(toJson(userProfileSchema, { userId: 'u', email: Buffer.from([255]), locale: null })).toEqual({
      userId: 'u',
      email: 'ÿ',
      locale: null,
    })
  })
})
