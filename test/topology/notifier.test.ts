/** What users are told, in which order, and for how long. */
import { describe, expect, test } from 'vitest'
import { KEPT_NEWS } from '../../processors/index.ts'
import {
  type CouponIssueRejected,
  type CouponUsed,
  type OrderStatus,
  type PointEarned,
  topics,
  type UserNews,
  type UserNewsHead,
} from '../../schemas/index.ts'
import type { DriverOptions } from '../../testing/index.ts'
import { notifier, userNewsHeadStore, userNewsStore } from '../../topologies/index.ts'
import { DAY, modes, Service, START } from '../support/services.ts'
import { issued } from '../unit/mail/given.ts'

const { couponIssued, couponIssueRejected, couponUsed, pointEarned, orderStatus } = topics
const rejected: CouponIssueRejected = {
  requestId: 'q2',
  couponId: 'spring',
  userId: 'ann',
  reason: 'DUPLICATE',
  existingUserCouponId: 'spring-1',
  sourceOffset: 1,
  rejectedAt: START,
  campaignRevision: 1,
}
const used: CouponUsed = {
  orderId: 'o1',
  userId: 'ann',
  userCouponId: 'spring-1',
  couponId: 'spring',
  discountAmount: 100,
  usedAt: START,
}
const earned: PointEarned = {
  orderId: 'o1',
  userId: 'ann',
  points: 6,
  rateBp: 100,
  earnedAt: START,
  expiresAt: START + DAY,
}

function status(changes: Partial<OrderStatus> = {}): OrderStatus {
  const order = { orderId: 'o1', userId: 'ann', state: 'PENDING', returnState: 'NONE', revision: 1 } as const
  return { ...order, step: 'stock', attempt: 1, at: START, note: 'for people', ...changes }
}

function open(mode: Partial<DriverOptions> = {}, keepMs?: number): Promise<Service> {
  return Service.open(notifier(keepMs === undefined ? {} : { keepMs }), { partitions: 3, ...mode })
}

function headOf({ driver, topology }: Service, userId: string): UserNewsHead | undefined {
  return driver.store(topology, userNewsHeadStore).get(userId).value
}

/** By number; only the fields that it has. */
async function newsOf({ driver, topology }: Service, userId: string): Promise<[number, Partial<UserNews>][]> {
  const { value } = await driver
    .store(topology, userNewsStore)
    .page(userId, { prefix: [userId], limit: 1_000 })
  return value.map(([[, sequence], news]) => {
    const fields = Object.entries({ ...news }).filter(([, field]) => field !== null)
    return [sequence, Object.fromEntries(fields) as Partial<UserNews>]
  })
}

describe.each(modes)('%s', (_, mode) => {
  test('all that concerns a user is numbered 1 to n as it comes, and nothing that concerns another', async () => {
    const service = await open(mode)
    await service.send(couponIssued, issued())
    await service.send(couponIssueRejected, rejected)
    await service.send(orderStatus, status())
    await service.send(orderStatus, status({ orderId: 'o2', userId: 'bob' }))
    await service.send(couponUsed, used)
    await service.send(orderStatus, status({ state: 'COMPLETED', returnState: 'PARTIAL', revision: 9 }))
    await service.send(pointEarned, earned)
    const at = START
    const coupon = { couponId: 'spring', userCouponId: 'spring-1' }
    const order = { kind: 'ORDER_STATUS', at, orderId: 'o1' }
    expect(await newsOf(service, 'ann')).toEqual([
      [1, { kind: 'COUPON_ISSUED', at, ...coupon, requestId: 'q1' }],
      [2, { kind: 'COUPON_REJECTED', at, ...coupon, requestId: 'q2', reason: 'DUPLICATE' }],
      [3, { ...order, state: 'PENDING', returnState: 'NONE', revision: 1 }],
      [4, { kind: 'COUPON_USED', at, ...coupon, orderId: 'o1', discountAmount: 100 }],
      [5, { ...order, state: 'COMPLETED', returnState: 'PARTIAL', revision: 9 }],
      [6, { kind: 'POINTS_EARNED', at, orderId: 'o1', points: 6, expiresAt: START + DAY }],
    ])
    expect((await newsOf(service, 'bob')).map(([sequence]) => sequence)).toEqual([1])
    await service.close()
  })

  test('all of it is forgotten some time after the last; what comes then has numbers of its own', async () => {
    const service = await open(mode, 10 * DAY)
    const { clock } = service.driver
    await service.send(orderStatus, status())
    const begun = headOf(service, 'ann')?.begun
    await service.driver.advanceWallTime(6 * DAY, DAY)
    await service.send(orderStatus, status({ revision: 2, at: clock.now() }))
    await service.driver.advanceWallTime(9 * DAY, DAY)
    expect(headOf(service, 'ann')).toMatchObject({ begun, first: 1, last: 2 })
    await service.driver.advanceWallTime(2 * DAY, DAY)
    expect(headOf(service, 'ann')).toBeUndefined()
    expect(await newsOf(service, 'ann')).toEqual([])
    await service.send(orderStatus, status({ revision: 3, at: clock.now() }))
    expect(headOf(service, 'ann')).toMatchObject({ first: 1, last: 1 })
    expect(headOf(service, 'ann')?.begun).toBeGreaterThan(begun as number)
    expect(await newsOf(service, 'ann')).toMatchObject([[1, { revision: 3 }]])
    await service.close()
  })
})

test('the last 200 are kept, and their numbers stay dense', async () => {
  const service = await open()
  for (let revision = 1; revision <= KEPT_NEWS + 3; revision++)
    await service.send(orderStatus, status({ revision }))
  const news = await newsOf(service, 'ann')
  const kept = Array.from({ length: KEPT_NEWS }, (_, index) => index + 4)
  expect(news.map(([sequence]) => sequence)).toEqual(kept)
  expect(news.map(([, { revision }]) => revision)).toEqual(kept)
  expect(headOf(service, 'ann')).toMatchObject({ first: 4, last: KEPT_NEWS + 3 })
  await service.close()
})

test('what happened before all of it would be forgotten is no news', async () => {
  const service = await open({}, 10 * DAY)
  await service.send(
    orderStatus,
    status({ at: START - 10 * DAY }),
    status({ revision: 2, at: START - 9 * DAY }),
  )
  expect(service.dropped).toEqual(['NewsTooOld'])
  expect(await newsOf(service, 'ann')).toMatchObject([[1, { revision: 2 }]])
  await service.close()
})

test('a fact about nobody, or under another key, is put aside', async () => {
  const service = await open()
  await service.driver.pipe(couponUsed, 'bob', used)
  await service.send(orderStatus, status({ userId: '' }))
  expect(await newsOf(service, 'bob')).toEqual([])
  expect(headOf(service, '')).toBeUndefined()
  expect(service.deadLetters(couponUsed as never)).toEqual(["KeyMismatch: the key is not the value's userId"])
  await service.close()
})

test.each([0, 1.5, Number.POSITIVE_INFINITY])('%d ms are no duration', (keepMs) => {
  expect(() => notifier({ keepMs })).toThrow(RangeError)
})
