/** A request for a coupon as it moves up, as a stream. */
import { expect, it } from 'vitest'
import { EventReader } from './event-reader.ts'
import { partitionOf } from './fake-pipeline.ts'
import { pair } from './peer-support.ts'
import { putCampaign, serve, type Started } from './support.ts'

const EVENTS = '/v1/coupons/c1/requests/r2/events'
const TICKET = `?ticket=${partitionOf('c1')}.1`

/** Two requests that nobody has decided yet. */
async function waiting(started: Started, quota = 2): Promise<void> {
  await putCampaign(started, 'c1', { quota })
  started.pipeline.auto = false
  for (const id of ['1', '2']) {
    const payload = { userId: `u${id}`, requestId: `r${id}` }
    await started.api.app.inject({ method: 'POST', url: '/v1/coupons/c1/requests', payload })
  }
}

it('tells the place in the queue, then the verdict, and ends', async () => {
  const started = await serve()
  await waiting(started)
  const reader = await EventReader.open(started.url + EVENTS + TICKET)
  await reader.until('position')
  started.pipeline.process(1)
  await reader.until('"ahead":0')
  started.pipeline.process()
  await reader.until()
  expect(reader.data).toMatchObject([
    { requestId: 'r2', ahead: 1 },
    { requestId: 'r2', ahead: 0 },
    { status: 'ISSUED', sequence: 2 },
  ])
  expect(reader.text).toMatch(/^id: verdict\nevent: issued\n/m)
})

it('tells a rejection without a ticket as well, and nothing after it', async () => {
  const started = await serve()
  await waiting(started, 1)
  const reader = await EventReader.open(started.url + EVENTS)
  started.pipeline.process()
  await reader.until()
  expect(reader.data).toMatchObject([{ status: 'REJECTED', reason: 'SOLD_OUT' }])
  expect(reader.text).toContain('event: rejected')
  const again = await fetch(started.url + EVENTS, { headers: { 'last-event-id': 'verdict' } })
  expect(again.status).toBe(204)
})

it('a place that was told is not told again', async () => {
  const started = await serve()
  await waiting(started)
  const reader = await EventReader.open(started.url + EVENTS + TICKET, '0')
  started.pipeline.process()
  await reader.until()
  expect(reader.data).toMatchObject([{ status: 'ISSUED' }])
})

it('of a request that nobody sent: 404; of an id that was never told: 400', async () => {
  const started = await serve()
  await putCampaign(started)
  expect((await fetch(started.url + EVENTS)).status).toBe(404)
  expect((await fetch(started.url + EVENTS, { headers: { 'last-event-id': 'x' } })).status).toBe(400)
})

it('is told by a process that does not have the queue', async () => {
  const { asked, owner } = await pair({})
  await waiting(owner)
  const reader = await EventReader.open(asked.url + EVENTS + TICKET)
  await reader.until('"ahead":1')
  owner.pipeline.process()
  await reader.until()
  expect(reader.data.at(-1)).toMatchObject({ status: 'ISSUED' })
})
