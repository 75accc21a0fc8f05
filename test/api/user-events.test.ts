/** All that concerns a user, as a stream. */
import { expect, it } from 'vitest'
import type { UserNewsView } from '../../api/index.ts'
import type { UserNews } from '../../schemas/index.ts'
import { EventReader } from './event-reader.ts'
import { pair } from './peer-support.ts'
import { serve } from './support.ts'

const EVENTS = '/v1/users/u1/events'
const ON = { userEvents: true }
const WAIT = { timeout: 10_000 }
const none = {
  couponId: null,
  requestId: null,
  userCouponId: null,
  reason: null,
  orderId: null,
  state: null,
  returnState: null,
  revision: null,
  points: null,
  discountAmount: null,
  expiresAt: null,
}
const status = {
  ...none,
  kind: 'ORDER_STATUS',
  at: 5,
  orderId: 'o1',
  state: 'PAID',
  returnState: 'NONE',
} as const

/** Statuses of one order with these numbers. */
function numbered(begun: number, ...sequences: readonly number[]): UserNewsView[] {
  return sequences.map((sequence) => {
    const news: UserNews = { ...status, revision: sequence }
    return { place: { begun, sequence }, news }
  })
}

it('tells what is kept, oldest first, with the fields that it has, then what comes', async () => {
  const { pipeline, url } = await serve(ON)
  const issued: UserNews = { ...none, kind: 'COUPON_ISSUED', at: 4, couponId: 'c1', requestId: 'r1' }
  const kept = [{ place: { begun: 7, sequence: 3 }, news: issued }, ...numbered(7, 4)]
  pipeline.tellUser('u1', kept)
  pipeline.tellUser('u2', numbered(7, 1))
  const reader = await EventReader.open(url + EVENTS)
  await reader.until('"sequence":4')
  await expect.poll(() => pipeline.newsWaiters, WAIT).toBe(1)
  pipeline.tellUser('u1', [...kept, ...numbered(7, 5)])
  await reader.until('"sequence":5')
  expect(reader.data).toEqual([
    { sequence: 3, at: 4, couponId: 'c1', requestId: 'r1' },
    { sequence: 4, at: 5, orderId: 'o1', state: 'PAID', returnState: 'NONE', revision: 4 },
    { sequence: 5, at: 5, orderId: 'o1', state: 'PAID', returnState: 'NONE', revision: 5 },
  ])
  expect(reader.text).toContain('id: 7.3\nevent: coupon-issued\n')
  expect(reader.text).toContain('id: 7.5\nevent: order-status\n')
  await reader.cancel()
})

it('waits for the first news of a user whom nobody knows', async () => {
  const { pipeline, url } = await serve(ON)
  const reader = await EventReader.open(url + EVENTS)
  await expect.poll(() => pipeline.newsWaiters, WAIT).toBe(1)
  pipeline.tellUser('u1', numbered(7, 1))
  await reader.until('"sequence":1')
  expect(reader.data).toHaveLength(1)
  await reader.cancel()
})

it('resumes after Last-Event-ID', async () => {
  const { pipeline, url } = await serve(ON)
  pipeline.tellUser('u1', numbered(7, 1, 2, 3))
  const reader = await EventReader.open(url + EVENTS, '7.2')
  await reader.until('"sequence":3')
  expect(reader.data).toMatchObject([{ sequence: 3 }])
  await reader.cancel()
})

it.each([
  ['the next was forgotten', '7.1'],
  ['the numbers began anew', '6.3'],
  ['the numbers are not as far as that', '7.9'],
])('where %s it says so, then tells all that is kept', async (_, lastId) => {
  const { pipeline, url } = await serve(ON)
  pipeline.tellUser('u1', numbered(7, 4, 5))
  const reader = await EventReader.open(url + EVENTS, lastId)
  await reader.until('"sequence":5')
  expect(reader.data).toMatchObject([{ first: 4 }, { sequence: 4 }, { sequence: 5 }])
  expect(reader.text).toContain('id: 7.3\nevent: gap\n')
  await reader.cancel()
})

it('who was told of the gap and nothing after it is not told of it again', async () => {
  const { pipeline, url } = await serve(ON)
  pipeline.tellUser('u1', numbered(7, 4))
  const reader = await EventReader.open(url + EVENTS, '7.3')
  await reader.until('"sequence":4')
  expect(reader.data).toMatchObject([{ sequence: 4 }])
  await reader.cancel()
})

it('where users are told nothing: 404; of an id that was never told: 400; while it is restored: 503', async () => {
  const { api, pipeline } = await serve(ON)
  const ask = async (lastId?: string) => {
    const headers = lastId === undefined ? {} : { 'last-event-id': lastId }
    const { statusCode, body } = await api.app.inject({ url: EVENTS, headers })
    return [statusCode, (JSON.parse(body) as { code: string }).code]
  }
  expect(await ask('7')).toEqual([400, 'INVALID_REQUEST'])
  pipeline.restoring = true
  expect(await ask()).toEqual([503, 'STORE_UNAVAILABLE'])
  const off = await serve()
  const answer = await off.api.app.inject({ url: EVENTS })
  expect([answer.statusCode, answer.json().code]).toEqual([404, 'USER_EVENTS_OFF'])
})

it('is told by a process that does not have the user', async () => {
  const { asked, owner } = await pair(ON)
  owner.pipeline.tellUser('u1', numbered(7, 2))
  const reader = await EventReader.open(asked.url + EVENTS, '7.0')
  await reader.until('"sequence":2')
  await expect.poll(() => owner.pipeline.newsWaiters, WAIT).toBe(1)
  owner.pipeline.tellUser('u1', numbered(7, 2, 3))
  await reader.until('"sequence":3')
  expect(reader.data).toMatchObject([{ first: 2 }, { sequence: 2 }, { sequence: 3 }])
  await reader.cancel()
})
