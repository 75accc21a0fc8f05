import { describe, expect, it } from 'vitest'
import type { DeadLetterSummary } from '../../api/index.ts'
import { bearer, NOW, start, type Started, TOKENS } from './support.ts'

const admin = bearer('admin-secret')

function letter(offset: number, change: Partial<DeadLetterSummary> = {}): DeadLetterSummary {
  return {
    deadLetter: { topic: 'order.confirmed.dlq', partition: 0, offset },
    original: { topic: 'order.confirmed', partition: 0, offset: offset + 40 },
    dialect: 'streams',
    error: 'TooOld',
    timestamp: NOW,
    key: `o${offset}`,
    keyBytes: 2,
    valueBytes: 9,
    state: 'waiting',
    ...change,
  }
}

function withLetters(...letters: DeadLetterSummary[]): Started {
  const started = start({ tokens: TOKENS })
  started.pipeline.letters.push(...letters)
  return started
}

const get = ({ api }: Started, url: string, headers: Record<string, string> = admin) =>
  api.app.inject({ url, headers })
const post = ({ api }: Started, url: string, payload?: object, headers: Record<string, string> = admin) =>
  api.app.inject({ method: 'POST', url, headers, ...(payload !== undefined && { payload }) })

describe('GET /v1/ops/dlq', () => {
  it('lists them page by page', async () => {
    const started = withLetters(letter(0), letter(1), letter(2))
    const first = await get(started, '/v1/ops/dlq?topic=order.confirmed.dlq&limit=2')
    expect(first.statusCode).toBe(200)
    expect(first.json().items).toEqual([letter(0), letter(1)])
    const cursor = first.json().cursor as string
    const second = await get(started, `/v1/ops/dlq?topic=order.confirmed&limit=2&cursor=${cursor}`)
    expect(second.json()).toEqual({ items: [letter(2)] })
  })

  it('passes on what is asked for, times as milliseconds', async () => {
    const started = withLetters()
    const query = 'topic=order.confirmed&error=TooOld&from=2026-03-01T00:00:00Z&key=o1&state=all'
    await get(started, `/v1/ops/dlq?${query}`)
    await get(started, `/v1/ops/dlq/causes?${query}`)
    const from = Date.parse('2026-03-01T00:00:00Z')
    const filter = { topic: 'order.confirmed', error: 'TooOld', from, key: 'o1', state: 'all' }
    expect(started.pipeline.deadLetterFilters).toEqual([filter, filter])
  })

  it.each([
    ['limit=0', 400, 'INVALID_REQUEST'],
    ['limit=1001', 400, 'INVALID_REQUEST'],
    ['from=yesterday', 400, 'INVALID_REQUEST'],
    ['state=lost', 400, 'INVALID_REQUEST'],
    ['cursor=abc.def', 400, 'INVALID_CURSOR'],
    ['topic=nothing', 404, 'UNKNOWN_DEAD_LETTER'],
  ])('%s: %i %s', async (query, status, code) => {
    const response = await get(withLetters(), `/v1/ops/dlq?${query}`)
    expect(response.json()).toMatchObject({ status, code })
  })

  it('a cursor of another filter is refused', async () => {
    const started = withLetters(letter(0), letter(1))
    const { cursor } = (await get(started, '/v1/ops/dlq?limit=1')).json()
    const response = await get(started, `/v1/ops/dlq?error=TooOld&limit=1&cursor=${cursor}`)
    expect(response.json()).toMatchObject({ code: 'INVALID_CURSOR' })
  })

  it('counts them by cause', async () => {
    const response = await get(withLetters(), '/v1/ops/dlq/causes')
    expect(response.json()).toEqual({
      causes: [{ topic: 'order.confirmed', error: 'TooOld', count: 2, earliest: 1, latest: 5 }],
      complete: true,
    })
  })

  it.each(['/v1/ops/dlq', '/v1/ops/dlq/causes', '/v1/ops/dlq/order.confirmed/0/0'])(
    '%s is for admins',
    async (url) => {
      expect((await get(withLetters(letter(0)), url, bearer('read-secret'))).statusCode).toBe(403)
      expect((await get(withLetters(letter(0)), url, bearer('service-secret'))).statusCode).toBe(403)
    },
  )
})

describe('one dead letter', () => {
  const url = '/v1/ops/dlq/order.confirmed/0/1'

  it('I25: shows nothing of the record unless it is asked to', async () => {
    const started = withLetters(letter(0), letter(1))
    const preview = (await get(started, url)).json()
    expect(preview).toEqual({ ...letter(1), headers: [{ name: 'actor', bytes: 3 }] })
    const typed = (await get(started, `${url}?show=typed`)).json()
    expect(typed).toMatchObject({ value: { orderId: 'o1' } })
    expect(started.pipeline.audits).toEqual([])
  })

  it('I26: whoever has it shown raw is on record', async () => {
    const started = withLetters(letter(0), letter(1))
    const raw = (await get(started, `${url}?show=raw`)).json()
    expect(raw).toMatchObject({ valueHex: '00', message: 'too old', headers: [{ hex: '6f7073' }] })
    expect(started.pipeline.audits).toMatchObject([
      { actor: 'ops', action: 'dlq.show', target: 'order.confirmed.dlq|0|1' },
    ])
  })

  it.each([
    ['/v1/ops/dlq/order.confirmed/0/9', 404, 'UNKNOWN_DEAD_LETTER'],
    ['/v1/ops/dlq/nothing/0/0', 404, 'UNKNOWN_DEAD_LETTER'],
    ['/v1/ops/dlq/order.confirmed/0/x', 400, 'INVALID_REQUEST'],
  ])('%s: %i %s', async (path, status, code) => {
    expect((await get(withLetters(letter(0)), path)).json()).toMatchObject({ status, code })
  })
})

describe('POST /v1/ops/dlq/redrive', () => {
  const url = '/v1/ops/dlq/redrive'
  const filter = { topic: 'order.confirmed.dlq', error: 'TooOld', from: NOW }

  it('I26: is on record before anything is sent', async () => {
    const started = withLetters()
    const response = await post(started, url, { filter })
    expect(response.json()).toMatchObject({ dryRun: false, matched: 2, sent: 2, done: 2, complete: true })
    const topic = 'order.confirmed'
    expect(started.pipeline.redrives).toEqual([
      { filter: { ...filter, topic }, dryRun: false, ignoreEarlier: false, ends: undefined },
    ])
    const [record] = started.pipeline.audits
    expect(record).toMatchObject({ actor: 'ops', action: 'dlq.redrive', target: topic })
    expect(JSON.parse(record?.after ?? '')).toMatchObject({ error: 'TooOld', ignoreEarlier: false })
  })

  it('a dry run leaves no record', async () => {
    const started = withLetters()
    const response = await post(started, url, { filter, dryRun: true })
    expect(response.json()).toMatchObject({ dryRun: true, sent: 0, left: 2, complete: false })
    expect(started.pipeline.records).toEqual([])
  })

  it.each([url, '/v1/ops/tasks/best-sellers.0_3/resume'])(
    '%s: whoever does not have the task does nothing, and leaves no record',
    async (path) => {
      const started = withLetters()
      started.pipeline.restoring = true
      const response = await post(started, path, path === url ? { filter } : undefined)
      expect(response.json()).toMatchObject({ status: 503, code: 'STORE_UNAVAILABLE' })
      expect(started.pipeline.records).toEqual([])
      expect(started.pipeline.redrives).toEqual([])
    },
  )

  it('a call that goes on says where the first one began', async () => {
    const started = withLetters()
    const first = (await post(started, url, { filter })).json()
    await post(started, url, { filter, ends: first.ends })
    expect(started.pipeline.redrives.at(-1)).toMatchObject({ ends: [3] })
  })

  it('while one runs, another is refused and leaves no record', async () => {
    const started = withLetters()
    started.pipeline.redriving = true
    const response = await post(started, url, { filter })
    expect(response.json()).toMatchObject({ status: 409, code: 'REDRIVE_RUNNING' })
    expect(started.pipeline.records).toEqual([])
  })

  it.each([
    [{}, 400, 'INVALID_REQUEST'],
    [{ filter: {} }, 400, 'INVALID_REQUEST'],
    [{ filter: { topic: 'order.confirmed', offset: -1 } }, 400, 'INVALID_REQUEST'],
    [{ filter: { topic: 'order.confirmed' }, force: true }, 400, 'INVALID_REQUEST'],
    [{ filter: { topic: 'nothing' } }, 404, 'UNKNOWN_DEAD_LETTER'],
  ])('%j: %i %s', async (body, status, code) => {
    const started = withLetters()
    expect((await post(started, url, body)).json()).toMatchObject({ status, code })
    expect(started.pipeline.records).toEqual([])
  })

  it('is for admins', async () => {
    const started = withLetters()
    expect((await post(started, url, { filter }, bearer('service-secret'))).statusCode).toBe(403)
    expect(started.pipeline.redrives).toEqual([])
  })
})

describe('POST /v1/ops/tasks/{task}/resume', () => {
  const url = '/v1/ops/tasks/best-sellers.0_3/resume'

  it('I26: is on record, with why the task was paused, before the task goes on', async () => {
    const started = withLetters()
    started.pipeline.paused.add('best-sellers.0_3')
    const response = await post(started, url)
    const why = { task: 'best-sellers.0_3', topic: 'order.confirmed', records: 200, deadLetters: 100 }
    expect(response.json()).toEqual(why)
    expect(started.pipeline.paused.size).toBe(0)
    const [record] = started.pipeline.audits
    expect(record).toMatchObject({ action: 'task.resume', target: 'best-sellers.0_3', after: null })
    expect(JSON.parse(record?.before ?? '')).toEqual(why)
  })

  it('a task that is not paused: 404, and no record', async () => {
    const started = withLetters()
    expect((await post(started, url)).json()).toMatchObject({ status: 404, code: 'UNKNOWN_TASK' })
    expect(started.pipeline.records).toEqual([])
  })

  it('what is no name of a task: 400', async () => {
    const response = await post(withLetters(), '/v1/ops/tasks/nothing/resume')
    expect(response.json()).toMatchObject({ code: 'INVALID_REQUEST' })
  })
})
