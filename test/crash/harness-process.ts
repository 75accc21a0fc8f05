/**
 * The engine on an embedded log, without the API: what the crash tests start, kill, trace and fill.
 *
 * It talks HTTP on a port of its own and tells its stages as JSON lines on stdout: `opening`, `opened`, `ready`.
 * It ends when its stdin does, so that none outlives its test.
 */
import { writeSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { WriteOp } from '../../state/index.ts'
import { isStreamsError, type Position, Streams } from '../../streams/index.ts'
import { couponIssuance, requestStore } from '../../topologies/index.ts'
import { openDatabase } from '../../transports/embedded/open-database.ts'
import { openWith } from '../../transports/embedded/open.ts'
import type { LogDatabase } from '../../transports/embedded/storage.ts'
import {
  APPLICATION,
  appendRecord,
  type PlainRecord,
  topicSpec,
  topologies as couponShop,
} from '../support/engine-shop.ts'
import { orderShop } from '../support/orders/shop.ts'
import type { HarnessOptions } from './harness.ts'

const options = JSON.parse(process.argv[2] as string) as HarnessOptions

process.stdin.on('end', () => process.exit(0)).resume()

tell({ at: 'opening' })
const log = await openWith({ application: APPLICATION, ...options.log }, async () => {
  return meddled(await openDatabase({ application: APPLICATION, ...options.log }))
})
tell({ at: 'opened' })
const { commitIntervalMs = 10, orders } = options
const topologies = orders === undefined ? couponShop : orderShop(orders).topologies
const streams = new Streams({ application: APPLICATION, topologies, log, topicSpec, commitIntervalMs })
await streams.open()
await streams.ready()
if (options.paused !== true) streams.run()

let appended = 0
const server = createServer((request, response) => {
  void answer(request, response).catch((error: unknown) => {
    const retry = isStreamsError(error) && error.code !== 'UNKNOWN_TOPIC'
    reply(response, retry ? 503 : 500, { code: isStreamsError(error) ? error.code : String(error) })
  })
})
server.listen(0, '127.0.0.1', () => tell({ at: 'ready', port: (server.address() as AddressInfo).port }))

process.on('SIGTERM', () => {
  server.close()
  server.closeAllConnections()
  void streams
    .close()
    .then(() => log.close())
    .then(() => process.exit(0))
})

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body: unknown =
    chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString(), revived)
  switch (request.url) {
    case '/append': {
      const now = Date.now()
      const records = (body as PlainRecord[]).map((record) => appendRecord(record, now, appended++))
      const ids = (body as { value: { requestId?: string } }[]).map(({ value }) => value.requestId)
      const positions = await log.append(records)
      return reply(response, 202, { positions, ids })
    }
    case '/verdicts': {
      const { couponId, requestIds } = body as { couponId: string; requestIds: string[] }
      const queries = streams.queries(couponIssuance.name, requestStore)
      return reply(
        response,
        200,
        requestIds.map((id) => queries.get([couponId, id], couponId).value ?? null),
      )
    }
    case '/reached': {
      const { topic, partition, offset } = body as Position
      const runners = streams.runners.filter(({ topology }) => reads(topology, topic))
      const all = runners.map(({ progress }) => progress.reached(topic, partition, offset, 20_000))
      return reply(response, 200, (await Promise.all(all)).every(Boolean))
    }
    case '/drained': {
      for (const { topic, partition, end } of log.stats().partitions) {
        const runners = streams.runners.filter(({ topology }) => reads(topology, topic))
        for (const { progress } of runners) await progress.reached(topic, partition, end - 1, 60_000)
      }
      return reply(response, 200, true)
    }
    case '/health': {
      const states = streams.runners.map(({ topology, state, failure, tasks }) => ({
        topology: topology.name,
        state,
        failures: [failure, ...tasks.map((task) => task.failure)].filter(Boolean).map(String),
      }))
      return reply(response, 200, states)
    }
    default:
      return reply(response, 404, { code: 'NOT_FOUND' })
  }
}

/** Bytes, as JSON has them. */
function revived(_name: string, value: unknown): unknown {
  const bytes = value as { readonly type?: string; readonly data?: readonly number[] } | null
  return bytes?.type === 'Buffer' && bytes.data !== undefined ? Buffer.from(bytes.data) : value
}

function reads(topology: (typeof topologies)[number], topic: string): boolean {
  return topology.subTopologies.some(({ sources }) => sources.some((source) => source.topic.name === topic))
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** At once and not when the stream has time: who waits for the line acts while the next statement runs. */
function tell(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

// --- faults, for showing that the tests would see them

const CHECKPOINT_ROW = 0x70
const STATE_ROW = 0x73
/** Rows of the store of verdicts: a commit that has some decided requests. */
const VERDICTS = Buffer.from(requestStore.name)

function meddled(db: LogDatabase): LogDatabase {
  const { announceOverBytes = Number.POSITIVE_INFINITY, tearing } = options
  let commits = 0
  return new Proxy(db, {
    get(target, name) {
      if (name === 'write') return write
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

  async function write(ops: readonly WriteOp[], how?: { readonly sync?: boolean }): Promise<void> {
    const bytes = ops.reduce((sum, op) => sum + op.key.length + (op.type === 'put' ? op.value.length : 0), 0)
    if (bytes > announceOverBytes) tell({ at: 'writing', bytes })
    if (tearing === undefined || !ops.some(isVerdict) || ++commits < tearing.atCommit)
      return db.write(ops, how)
    const kept = tearing.lost === 'state' ? without(ops, STATE_ROW) : without(ops, CHECKPOINT_ROW)
    await db.write(kept, how)
    process.kill(process.pid, 'SIGKILL')
  }
}

function isVerdict({ key }: WriteOp): boolean {
  return key[0] === STATE_ROW && key.includes(VERDICTS)
}

function without(ops: readonly WriteOp[], space: number): WriteOp[] {
  return ops.filter(({ key }) => key[0] !== space)
}
