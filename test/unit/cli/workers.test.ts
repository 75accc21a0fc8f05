import { describe, expect, test } from 'vitest'
import { type WorkerExit, WorkerFailure, WorkerPool } from '../../../cli/workers/worker-pool.ts'
import { argumentsOf, workerCommand, type WorkerSettings } from '../../../cli/workers/worker-settings.ts'
import { loadConfig } from '../../../config/index.ts'

interface FakeWorker {
  readonly index: number
  readonly signals: NodeJS.Signals[]
  exit(code: number): void
}

/** A pool whose workers end when the test says so, and whose waits are over at once. */
function fakePool(workers: number) {
  const started: FakeWorker[] = []
  const waits: number[] = []
  const time = { now: 0 }
  const listeners = new Set<() => void>()
  const pool = new WorkerPool({
    workers,
    monotonic: () => time.now,
    wait: (ms) => {
      waits.push(ms)
      return Promise.resolve()
    },
    onRestart: () => {},
    start(index) {
      const { promise, resolve } = Promise.withResolvers<WorkerExit>()
      const signals: NodeJS.Signals[] = []
      started.push({ index, signals, exit: (code) => resolve({ code }) })
      listeners.forEach((listener) => listener())
      return { pid: started.length, exited: promise, signal: (signal) => void signals.push(signal) }
    },
  })
  /** The `count`th start, when it has come. */
  const nth = async (count: number): Promise<FakeWorker> => {
    while (started.length < count) await new Promise<void>((resolve) => listeners.add(resolve))
    return started[count - 1] as FakeWorker
  }
  return { pool, nth, waits, time, started }
}

describe('a pool of workers', () => {
  test('starts each once, passes the signal on, and ends when all have', async () => {
    const { pool, nth, started } = fakePool(2)
    const run = pool.run()
    const [one, two] = [await nth(1), await nth(2)]
    pool.end('SIGINT')
    pool.end('SIGTERM')
    expect([one.signals, two.signals]).toEqual([['SIGINT'], ['SIGINT']])
    one.exit(0)
    // Still starting when it was asked to end.
    two.exit(130)
    await run
    expect(started.map(({ index }) => index)).toEqual([0, 1])
  })

  test('starts one that died again, later each time, and sooner again once it has lasted', async () => {
    const { pool, nth, waits, time } = fakePool(1)
    const run = pool.run()
    for (const count of [1, 2, 3]) (await nth(count)).exit(137)
    const lasting = await nth(4)
    expect(waits).toEqual([1_000, 2_000, 4_000])
    time.now += 60_000
    lasting.exit(0)
    const last = await nth(5)
    expect(waits.at(-1)).toBe(1_000)
    pool.end('SIGTERM')
    last.exit(0)
    await run
  })

  test('gives up on one that never lasts, and ends the others', async () => {
    const { pool, nth } = fakePool(2)
    const run = pool.run()
    const [dying, other] = [await nth(1), await nth(2)]
    dying.exit(1)
    for (let count = 3; count <= 8; count++) (await nth(count)).exit(1)
    await expect.poll(() => other.signals).toEqual(['SIGTERM'])
    other.exit(0)
    await expect(run).rejects.toMatchObject({ exitCode: 1, inVain: false })
  })

  test.each([2, 4])('ends at once with one that says %i: trying again is in vain', async (code) => {
    const { pool, nth, started } = fakePool(2)
    const run = pool.run()
    const [wrong, other] = [await nth(1), await nth(2)]
    wrong.exit(code)
    await expect.poll(() => other.signals).toEqual(['SIGTERM'])
    other.exit(1)
    const failure = await run.catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(WorkerFailure)
    expect(failure).toMatchObject({ message: `worker 0 ended with exit code ${code}`, inVain: true })
    expect(started).toHaveLength(2)
  })

  test('tells of one that did not end in order when it was asked to', async () => {
    const { pool, nth } = fakePool(1)
    const run = pool.run()
    const worker = await nth(1)
    pool.end('SIGTERM')
    worker.exit(1)
    await expect(run).rejects.toThrow('worker 0 ended with exit code 1')
  })
})

function settings(flags: WorkerSettings['flags'], keys: Readonly<Record<string, string>>): WorkerSettings {
  const given = Object.entries({ 'kafka.brokers': 'localhost:9092', dataDir: '/d', ...keys })
  const all = Object.fromEntries(given.map(([key, text]) => [key, { text, flag: '--set' }]))
  const { config } = loadConfig({ env: {}, cwd: '/', flags: all })
  const ports = [9_000, 9_001, 9_002]
  return { config, flags, env: { PATH: '/bin' }, secret: 'a-secret-for-all-of-them', ports }
}

describe('a worker is told', () => {
  test('its own directory and port, and else what its parent was told', () => {
    const flags = { kafka: 'localhost:9092', json: true, set: ['ranking.graceMs=0'], port: '0' } as const
    const { args, env } = workerCommand(settings(flags, { 'http.port': '0' }), 2)
    expect(args.join(' ')).toBe(
      'start --kafka localhost:9092 --json --set ranking.graceMs=0 --port 9002 --data-dir /d/worker-2 --workers 1 --with-parent',
    )
    expect(env).toEqual({ PATH: '/bin', MILLRACE_PEERS_SECRET: 'a-secret-for-all-of-them' })
  })

  test('a slot and an address of its own where they are given', () => {
    const keys = { 'kafka.slot': 'eu-1', 'peers.address': 'http://shop-1:8080' }
    const line = workerCommand(settings({}, keys), 1).args.join(' ')
    expect(line).toContain('--set kafka.slot=eu-1-1')
    expect(line).toContain('--set peers.address=http://shop-1:8081')
  })

  test('flags as they are typed', () => {
    expect(argumentsOf({ logLevel: 'warn', dataDir: '/a b', set: ['a=1', 'b=2'], json: true })).toEqual([
      '--log-level',
      'warn',
      '--data-dir',
      '/a b',
      '--set',
      'a=1',
      '--set',
      'b=2',
      '--json',
    ])
  })
})

test('a secret that all processes share is not replaced', () => {
  const env = { MILLRACE_PEERS_SECRET: 'the-one-of-the-deployment' }
  const { config } = loadConfig({
    env,
    cwd: '/',
    flags: { 'kafka.brokers': { text: 'localhost:9092', flag: '--kafka' } },
  })
  expect(workerCommand({ config, flags: {}, env, secret: 'another', ports: [0] }, 0).env).toBe(env)
})
