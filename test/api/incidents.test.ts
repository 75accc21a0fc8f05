import { expect, it } from 'vitest'
import type { Incident } from '../../schemas/index.ts'
import { NOW, start } from './support.ts'

const incident: Incident = {
  invariant: 'I6',
  subject: 'spring',
  couponId: 'spring',
  status: 'OPEN',
  detail: 'number 18 where 17 was due',
  occurrences: 2,
  openedAt: NOW,
  lastSeenAt: NOW + 5,
  resolvedAt: null,
  topic: 'coupon.issued',
  partition: 2,
  offset: 17,
  pauseRequested: true,
  revision: 1,
}

it('incidents are told, or those of one status', async () => {
  const { api, pipeline } = start()
  const resolved: Incident = { ...incident, subject: 'summer', status: 'RESOLVED', resolvedAt: NOW + 9 }
  pipeline.found = [incident, resolved, { ...incident, subject: 'autumn', status: 'UNKNOWN', couponId: null }]
  const subjects = async (query: string): Promise<string[]> => {
    const { incidents } = (await api.app.inject(`/v1/ops/incidents${query}`)).json()
    return (incidents as { subject: string }[]).map(({ subject }) => subject)
  }
  expect(await subjects('')).toEqual(['spring', 'summer', 'autumn'])
  expect(await subjects('?status=OPEN')).toEqual(['spring', 'autumn'])
  expect(await subjects('?status=RESOLVED')).toEqual(['summer'])
  const { incidents } = (await api.app.inject('/v1/ops/incidents?status=OPEN')).json()
  const { resolvedAt: _, topic, partition, offset, revision: __, ...shown } = incident
  expect(incidents[0]).toEqual({ ...shown, position: { topic, partition, offset } })
  expect((await api.app.inject('/v1/ops/incidents?status=NONE')).statusCode).toBe(400)
})

it('where nobody watches, there are no incidents to tell', async () => {
  const response = await start().api.app.inject('/v1/ops/incidents')
  expect([response.statusCode, response.json().code]).toEqual([404, 'NOT_WATCHED'])
})

it('a broken invariant makes the shop degraded, and it serves all the same', async () => {
  const { api, pipeline } = start()
  pipeline.checks = [{ name: 'invariants', ok: true, degraded: true, detail: 'I6: 1 open' }]
  const response = await api.app.inject('/readyz')
  expect(response.statusCode).toBe(200)
  expect(response.json()).toEqual({ status: 'degraded', checks: pipeline.checks })
})
