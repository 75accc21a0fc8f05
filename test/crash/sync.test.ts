/**
 * An acknowledgement leaves only after the disk has what it acknowledges: seen in the system calls of a process that
 * serves requests. kill -9 cannot show this, for what was written and not synced outlives the process.
 */
import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { isStreamsError } from '../../streams/index.ts'
import { seededRandom, seedOfRun } from '../support/random.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { type Call, hasStrace, readTrace, straced } from '../support/strace.ts'
import { type Fate, TracedDisk } from '../support/traced-disk.ts'
import { type Decoded, Engine } from '../support/engine.ts'
import { APPLICATION } from '../support/engine-shop.ts'
import { requestRecord } from './coupon-load.ts'
import { Harness } from './harness.ts'
import { Server } from './server.ts'
import { type Acknowledgement, acknowledgements, judgeSyncs } from './sync-judge.ts'

const WRITE_BUFFER_BYTES = 64 * 1024
const REQUESTS = 240
const CLIENTS = 4
/** Moments at which the power is cut. */
const CUTS = 24
const MARK = /mark-\d{6}/g

const seed = seedOfRun()

vi.setConfig({ testTimeout: 120_000 })
// In CI a missing strace fails the tests; elsewhere they are skipped, with the reason in their names.
const missing = !hasStrace() && process.env['CI'] !== 'true'
const needs = missing ? ' (needs strace: install it)' : ''

interface Traced {
  readonly directory: string
  readonly calls: readonly Call[]
  readonly acknowledged: readonly Acknowledgement[]
}

/** Serves requests under strace until it is killed. A tiny write buffer: the log goes through many files. */
async function serve(start: (directory: string, trace: string) => Promise<Served>): Promise<Traced> {
  const scratch = await realpath(await scratchDirectory('sync'))
  const trace = join(scratch, 'trace')
  const directory = join(scratch, 'data')
  const served = await start(directory, trace)
  let sent = 0
  const client = async (): Promise<void> => {
    while (sent < REQUESTS) await served.ask(`mark-${String(sent++).padStart(6, '0')}`)
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  // The tracer sees a call's end only if the process lives on: nothing that was answered is at the very end.
  await served.ask('not-marked')
  await served.kill()
  const calls = await readTrace(trace)
  return { directory, calls, acknowledged: acknowledgements(calls, MARK) }
}

interface Served {
  /** Resolves with the 202. */
  ask(requestId: string): Promise<unknown>
  kill(): Promise<void>
}

/** The server as it is. */
async function startServer(dataDir: string, trace: string): Promise<Served> {
  const set = [`application=${APPLICATION}`, `log.writeBufferBytes=${WRITE_BUFFER_BYTES}`]
  const server = await Server.ready({ dataDir, set }, { under: straced(trace) })
  const window = { opensAt: '2020-01-01T00:00:00Z', closesAt: '2200-01-01T00:00:00Z' }
  const definition = { quota: 100, ...window, discount: { kind: 'AMOUNT', value: 1 }, status: 'ACTIVE' }
  const put = await server.put('/v1/coupons/hot', definition)
  expect(put.status).toBe(200)
  return {
    async ask(requestId) {
      const { status } = await server.post('/v1/coupons/hot/requests', { userId: requestId, requestId })
      expect(status).toBe(202)
    },
    kill: () => server.kill(),
  }
}

/** The same log without the sync, behind the harness: no flag of the server takes it away. */
async function startUnsynced(directory: string, trace: string): Promise<Served> {
  const log = { directory, sync: false, writeBufferBytes: WRITE_BUFFER_BYTES }
  const harness = await Harness.ready({ log }, { under: straced(trace) })
  return {
    ask: (requestId) => harness.append([requestRecord({ couponId: 'hot', userId: requestId, requestId })]),
    kill: () => harness.kill(),
  }
}

/** Marks of the requests that can be read from what a power cut right before the line leaves. */
async function readableAfterCut(disk: TracedDisk, line: number, fate: () => Fate): Promise<Set<string>> {
  disk.goTo(line)
  const directory = await scratchDirectory('cut')
  await mkdir(directory, { recursive: true })
  for (const [name, bytes] of disk.afterPowerCut(fate)) await writeFile(join(directory, name), bytes)
  const engine = await Engine.open(directory)
  try {
    const records = await engine.records('coupon.issue.requested')
    await engine.drain()
    const verdicts = [
      ...(await engine.records('coupon.issued')),
      ...(await engine.records('coupon.issue.rejected')),
    ]
    // What a power cut leaves goes on: each request that is there has one verdict.
    expect(verdicts.map(idOf).toSorted()).toEqual(records.map(idOf).toSorted())
    return new Set(records.map(idOf))
  } finally {
    await engine.close()
  }
}

function idOf({ value }: Decoded): string {
  return (value as { readonly requestId: string }).requestId
}

function lostAt(
  acknowledged: readonly Acknowledgement[],
  line: number,
  readable: ReadonlySet<string>,
): string[] {
  return acknowledged.filter((one) => one.line <= line && !readable.has(one.mark)).map(({ mark }) => mark)
}

interface Cut {
  readonly line: number
  readonly fate: () => Fate
}

/** Cuts the power at each line in turn; answers acknowledged requests that are not there afterwards. */
async function lostInCuts(
  { directory, calls, acknowledged }: Traced,
  cuts: readonly Cut[],
): Promise<string[]> {
  const disk = new TracedDisk(directory, calls)
  const lost: string[] = []
  for (const { line, fate } of cuts.toSorted((a, b) => a.line - b.line)) {
    const readable = await readableAfterCut(disk, line, fate)
    lost.push(...lostAt(acknowledged, line, readable).map((mark) => `${mark} in a cut at line ${line}`))
  }
  return lost
}

test.skipIf(missing)(
  `every 202 stands behind a sync of what it acknowledges, and outlives a power cut (CRASH_SEED=${seed})${needs}`,
  async () => {
    const traced = await serve(startServer)
    const { directory, calls, acknowledged } = traced
    expect(acknowledged).toHaveLength(REQUESTS)
    expect(judgeSyncs(calls, directory, acknowledged)).toEqual([])

    const random = seededRandom(seed)
    const lines = (calls.at(-1)?.to ?? 0) + 1
    const cuts = Array.from({ length: CUTS }, (_, i) => ({
      // Right before an acknowledgement leaves, or anywhere, also while the log is made.
      line: i % 3 === 0 ? random.below(lines) : random.pick(acknowledged).line,
      fate: (): Fate => (i % 2 === 0 ? 'lost' : { share: random.next() }),
    }))
    expect(await lostInCuts(traced, cuts)).toEqual([])
  },
)

test.skipIf(missing)(
  `a power cut while the log is made, right before any call that changes its files, keeps it from nothing${needs}`,
  async () => {
    const traced = await serve(startServer)
    const first = traced.acknowledged[0] as Acknowledgement
    const made = traced.calls.filter(({ from, path, strings }) => {
      const paths = [path, ...strings.map(String)]
      return from < first.line && paths.some((one) => one.startsWith(`${traced.directory}/`))
    })
    expect(made.length).toBeGreaterThan(CUTS)
    const cuts = made.map(({ from }) => ({ line: from, fate: (): Fate => 'lost' }))
    expect(await lostInCuts(traced, cuts)).toEqual([])
  },
)

test.skipIf(missing)(
  `a file that is as long as it was, with zeros for what was not synced, does not keep the log from opening${needs}`,
  async () => {
    const traced = await serve(startServer)
    const random = seededRandom(seed)
    const cuts = Array.from({ length: CUTS / 4 }, () => ({
      line: random.pick(traced.acknowledged).line,
      fate: (): Fate => 'zeros',
    }))
    expect(await lostInCuts(traced, cuts)).toEqual([])
  },
)

test.skipIf(missing)(
  `a log that does not sync is found out: by the order of the calls, and by a power cut${needs}`,
  async () => {
    const { directory, calls, acknowledged } = await serve(startUnsynced)
    expect(acknowledged).toHaveLength(REQUESTS)
    expect(judgeSyncs(calls, directory, acknowledged).length).toBeGreaterThan(REQUESTS / 2)

    const { line } = acknowledged[Math.floor(REQUESTS / 2)] as Acknowledgement
    const disk = new TracedDisk(directory, calls)
    const readable = await readableAfterCut(disk, line, () => 'lost').catch((error: unknown) => {
      if (isStreamsError(error, 'LOG_CORRUPT')) return new Set<string>()
      throw error
    })
    expect(lostAt(acknowledged, line, readable)).not.toEqual([])
  },
)
