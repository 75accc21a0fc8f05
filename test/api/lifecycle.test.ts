/** Requests in work: their number, their end, and the server's end. */
import { expect, it } from 'vitest'
import { partitionOf } from './fake-pipeline.ts'
import { definition, putCampaign, RawClient, serve, start, type Started } from './support.ts'

const body = JSON.stringify({ ...definition, closesAt: '2100-01-01T00:00:00Z' })
const json = { 'content-type': 'application/json' }

async function serveCampaign(options: Parameters<typeof serve>[0] = {}) {
  const started = await serve(options)
  await fetch(`${started.url}/v1/coupons/c1`, { method: 'PUT', headers: json, body })
  return started
}

function request({ url }: { url: string }, id: string) {
  return fetch(`${url}/v1/coupons/c1/requests`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ userId: 'u1', requestId: id }),
  })
}

/** Asks and waits 30 s for a verdict that does not come by itself. */
function waitFor({ url }: { url: string }, id: string, signal?: AbortSignal) {
  const ticket = `${partitionOf('c1')}.0`
  return fetch(
    `${url}/v1/coupons/c1/requests/${id}?ticket=${ticket}&wait=30s`,
    signal === undefined ? {} : { signal },
  )
}

it('short requests above the limit: 503; one is in work only until it is answered', async () => {
  const started = await serveCampaign({ limits: { concurrentRequests: 1 } })
  for (let i = 0; i < 3; i += 1) expect((await request(started, `r${i}`)).status).toBe(202)
  started.pipeline.appendHangs = true
  const hanging = new AbortController()
  const first = fetch(`${started.url}/v1/coupons/c1/requests`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ userId: 'u1', requestId: 'held' }),
    signal: hanging.signal,
  })
  await expect.poll(() => started.pipeline.hanging).toBe(1)
  expect((await fetch(`${started.url}/time`)).status).toBe(503)
  expect((await fetch(`${started.url}/livez`)).status).toBe(200)
  hanging.abort()
  await expect(first).rejects.toThrow()
  await expect.poll(async () => (await fetch(`${started.url}/time`)).status).toBe(200)
})

it('waiting requests have a limit of their own and leave the short ones alone', async () => {
  const started = await serveCampaign({ limits: { waitingRequests: 2, concurrentRequests: 1 } })
  started.pipeline.auto = false
  await request(started, 'r1')
  const first = waitFor(started, 'r1')
  await expect.poll(() => started.pipeline.waiters).toBe(1)
  const second = waitFor(started, 'r1')
  await expect.poll(() => started.pipeline.waiters).toBe(2)
  const third = await waitFor(started, 'r1')
  expect([third.status, ((await third.json()) as { code: string }).code]).toEqual([503, 'OVERLOADED'])
  expect((await fetch(`${started.url}/time`)).status).toBe(200)
  started.pipeline.process()
  for (const response of await Promise.all([first, second])) {
    expect(await response.json()).toMatchObject({ status: 'ISSUED' })
  }
  expect((await waitFor(started, 'r1')).status).toBe(200)
})

it('a wait may last longer than the request timeout', async () => {
  const limits = { headersTimeoutMs: 300, requestTimeoutMs: 300 }
  const started = await serveCampaign({ limits })
  started.pipeline.auto = false
  await request(started, 'r1')
  const response = await fetch(
    `${started.url}/v1/coupons/c1/requests/r1?ticket=${partitionOf('c1')}.0&wait=800ms`,
  )
  expect(await response.json()).toMatchObject({ status: 'ACCEPTED' })
})

it('a client that goes away stops waiting, and counts as 499', async () => {
  const seen: unknown[] = []
  const hooks = { onResponse: (...what: unknown[]) => seen.push(what.slice(0, 3)) }
  const started = await serveCampaign({ hooks })
  started.pipeline.auto = false
  await request(started, 'r1')
  const gone = new AbortController()
  const answer = waitFor(started, 'r1', gone.signal)
  await expect.poll(() => started.pipeline.waiters).toBe(1)
  gone.abort()
  await expect(answer).rejects.toThrow()
  await expect.poll(() => started.pipeline.waiters).toBe(0)
  await expect.poll(() => seen).toContainEqual(['/v1/coupons/:couponId/requests/:requestId', 'GET', 499])
})

it('a client that goes away in the middle of its body is no fault of ours', async () => {
  const errors: unknown[] = []
  const answered: unknown[] = []
  const hooks = {
    onError: (error: unknown) => errors.push(error),
    onResponse: (...what: unknown[]) => answered.push(what.slice(0, 2)),
  }
  const { url } = await serve({ hooks })
  const client = new RawClient(url)
  client.send(
    'POST /v1/events/order.confirmed HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n' +
      'content-length: 100\r\n\r\n{',
  )
  // The server has read it once it has answered a request that came later.
  await fetch(`${url}/time`)
  client.socket.resetAndDestroy()
  await expect.poll(() => answered).toContainEqual(['/v1/events/:topic', 'POST'])
  expect(errors).toEqual([])
})

it('hooks see the template, never the ids, and what never became a request', async () => {
  const seen: [string, string, number][] = []
  const hooks = {
    onResponse: (route: string, method: string, status: number) => seen.push([route, method, status]),
  }
  const { url } = await serveCampaign({ hooks })
  await fetch(`${url}/v1/coupons/c1`)
  await fetch(`${url}/v1/coupons/c2`)
  await fetch(`${url}/nothing/here`)
  await new RawClient(url).send('NONSENSE\r\n\r\n').closed()
  await expect.poll(() => seen.length).toBe(5)
  expect(seen).toEqual([
    ['/v1/coupons/:couponId', 'PUT', 200],
    ['/v1/coupons/:couponId', 'GET', 200],
    ['/v1/coupons/:couponId', 'GET', 404],
    ['(none)', 'GET', 404],
    ['(socket)', '-', 400],
  ])
})

it('close: requests in work are finished, waits end with what is known, new ones are refused', async () => {
  const started = await serveCampaign()
  started.pipeline.auto = false
  await request(started, 'r1')
  const held = new RawClient(started.url)
  await held.connected()
  const answer = waitFor(started, 'r1')
  await expect.poll(() => started.pipeline.waiters).toBe(1)
  const closed = started.api.close()
  expect(await (await answer).json()).toMatchObject({ status: 'ACCEPTED', ahead: 0 })
  await closed
  await expect(fetch(`${started.url}/time`)).rejects.toThrow()
  expect(started.api.close()).toBe(closed)
})

it('close: on a connection that is still open the answer is 503, and it is not ready any more', async () => {
  const started = start()
  await started.api.app.ready()
  const closing = started.api.close()
  const answers = await Promise.all([
    late(started, '/time'),
    late(started, '/readyz'),
    late(started, '/livez'),
  ])
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([503, 503, 200])
  expect(answers[0]?.json().code).toBe('CLOSING')
  expect(answers[0]?.headers['connection']).toBe('close')
  await closing
})

/** What a request gets that comes in while the server closes. */
function late({ api }: Started, url: string) {
  return api.app.inject(url)
}

it('close cuts off what lasts too long', async () => {
  const started = await serveCampaign({ limits: { closeGraceMs: 50 } })
  started.pipeline.appendHangs = true
  const answer = request(started, 'r1').catch(() => 'cut off')
  await expect.poll(() => started.pipeline.hanging).toBe(1)
  await started.api.close()
  expect(await answer).toBe('cut off')
})

it('two commands that wait at once do not disturb each other', async () => {
  const started = start()
  const responses = await Promise.all([putCampaign(started, 'c1'), putCampaign(started, 'c2')])
  expect(responses.map(({ statusCode }) => statusCode)).toEqual([200, 200])
})
