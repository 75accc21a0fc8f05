/** The disk is full: appends answer 503, reads go on being right, and with space again everything acknowledged is there. */
import { expect, test, vi } from 'vitest'
import { seedOfRun } from '../support/random.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { limitedFiles, smallDisk } from '../support/shortage.ts'
import { Harness } from './harness.ts'
import { openSeason } from './season.ts'
import { Server } from './server.ts'
import { judgeVerdicts, type SaidVerdict } from './shop-judge.ts'
import type { Ticket } from './shop-load.ts'

const KIBIBYTE = 1024
const seed = seedOfRun()

vi.setConfig({ testTimeout: 120_000 })

test.each([
  ['a full disk', smallDisk],
  ['files that may not grow', limitedFiles],
])(`%s: 503 meanwhile, everything acknowledged afterwards (CRASH_SEED=${seed})`, async (_name, make) => {
  const shortage = await make()
  if (shortage === undefined)
    return console.log('skipped: only root may mount the small disk that this test fills')
  const season = await openSeason({ directory: shortage.directory, seed, users: 600 })
  const { run: load } = season
  const harness = await Harness.ready(season.harness)
  const { pid } = harness.child

  await load.underLoad(harness, async () => {
    await load.acknowledged(100)
    await shortage.fill(pid)
    await load.refused(50)
    await shortage.free(pid)
    await load.acknowledged(100)
  })
  expect([...load.refusals.keys()]).toContain('LOG_WRITE_FAILED')

  // Killed while nothing can be written, and started meanwhile.
  await shortage.fill(pid)
  await load.underLoad(harness, () => load.refused(20))
  await harness.kill()
  const starting = new Harness(season.harness, shortage.under)
  const started = await Promise.race([
    starting.ready().then(() => true),
    starting.child.exited.then(() => false),
  ])
  if (!started)
    expect(starting.child.said).toMatch(/could not be (read or )?written|No space left|File too large/i)
  await starting.kill()
  await shortage.free(pid).catch(() => undefined)
  await load.sendTheRest()
  const refusals = [...load.refusals].map((entry) => entry.join(' ')).join(', ')
  console.log(`seed ${seed}: refused ${refusals}; started meanwhile: ${started}`)
  expect((await season.judge()).complaints).toEqual([])
})

test('over HTTP a full disk is 503 and nothing else, verdicts stay what they were, and the server goes on by itself', async () => {
  const shortage = (await smallDisk()) ?? (await limitedFiles())
  const server = await Server.ready({ dataDir: shortage.directory, set: ['log.writeBufferBytes=65536'] })
  const window = { opensAt: '2020-01-01T00:00:00Z', closesAt: '2200-01-01T00:00:00Z' }
  const definition = { quota: 50, ...window, discount: { kind: 'AMOUNT', value: 1 }, status: 'ACTIVE' }
  expect((await server.put('/v1/coupons/hot', definition)).status).toBe(200)
  const tickets = new Map<string, Ticket>()
  const ask = async (name: string): Promise<number> => {
    const { status, body } = await server.post('/v1/coupons/hot/requests', { userId: name, requestId: name })
    const { ticket } = body as { ticket?: { offset: number } }
    if (status === 202 && ticket !== undefined)
      tickets.set(name, { requestId: name, userId: name, offset: ticket.offset, first: true })
    return status
  }
  for (let i = 0; i < 40; i++) expect(await ask(`before-${i}`)).toBe(202)
  const before = await server.get('/v1/coupons/hot/requests/before-39?wait=10s')
  expect(before.body).toMatchObject({ status: 'ISSUED', sequence: 40 })

  await shortage.fill(server.child.pid)
  const during: number[] = []
  for (let i = 0; during.filter((status) => status === 503).length < 20; i++)
    during.push(await ask(`during-${i}`))
  expect(during.filter((status) => status !== 202 && status !== 503)).toEqual([])
  const looked = await server.get('/v1/coupons/hot/requests/before-39')
  if (looked.status === 200) expect(looked.body).toEqual(before.body)
  else expect(looked.status).toBe(503)

  await shortage.free(server.child.pid)
  for (let i = 0; i < 40; i++) {
    while ((await ask(`after-${i}`)) !== 202) await new Promise(setImmediate)
  }
  // Verdicts come again without a restart.
  const verdicts: SaidVerdict[] = []
  for (const requestId of tickets.keys()) {
    const { body } = await server.get(`/v1/coupons/hot/requests/${requestId}?wait=20s`)
    verdicts.push(body as unknown as SaidVerdict)
  }
  await server.kill()
  expect(judgeVerdicts(50, tickets, verdicts)).toEqual([])
})

test('a batch that does not fit is refused alone, and what fits goes on', async () => {
  const shortage = await limitedFiles()
  const season = await openSeason({ directory: shortage.directory, seed, users: 600 })
  const { run: load } = season
  const harness = await Harness.ready(season.harness)
  await load.underLoad(harness, () => load.acknowledged(20))
  await shortage.fill(harness.child.pid, 200 * KIBIBYTE)
  const before = load.acks.length
  await load.askAtOnce(harness, 10_000)
  expect(load.acks.length).toBe(before)
  await load.underLoad(harness, () => load.acknowledged(20))
  await harness.kill()
  await load.sendTheRest()
  expect((await season.judge()).complaints).toEqual([])
})

test('at its own limit of bytes the log answers LOG_FULL, still decides what it has, and takes more once the limit is raised', async () => {
  const directory = await scratchDirectory('limit')
  const season = await openSeason({ directory, seed, users: 600 })
  const { run: load, harness: options } = season
  const paused = await Harness.ready({ ...options, paused: true })
  await load.askAtOnce(paused, 500)
  await paused.kill()
  const harness = await Harness.ready({ ...options, log: { ...options.log, maxDiskBytes: 1 } })
  await load.underLoad(harness, () => load.refused(20))
  expect([...load.refusals.keys()]).toEqual(['LOG_FULL'])
  await harness.drained()
  await load.readAll(harness)
  await harness.kill()
  await load.sendTheRest()
  expect((await season.judge()).complaints).toEqual([])
})
