/**
 * How long until a process answers again on Kafka, with a million claims and as many verdicts in its stores: killed while
 * it works and started again in its place, and the same with its disk lost. The time runs from the kill, upon which the
 * new process starts, to its answer for a user who has a coupon. Beside it Kafka Streams with the same rows, as a static
 * member.
 */
import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaLog } from '../../transports/kafka/index.ts'
import { type AppProcess, rival, type StartApp, startOurs } from '../coupon-apps.ts'
import { COUPON, issueRequest } from '../coupon-load.ts'
import { fill, report, smoke } from '../harness.ts'
import { couponApp, openCouponTopics } from '../kafka-coupon-load.ts'
import { type Bench, deleteTopics, followTopics, residentMiBOf, withBroker } from '../kafka-harness.ts'

const REQUESTS = smoke ? 20_000 : 1_000_000
const TURNS = smoke ? 1 : 3
const COMMIT_INTERVAL_MS = 100
/** Requests before a kill, so that the process dies at work: one each so many milliseconds. */
const REQUEST_EVERY_MS = 5
const REQUESTS_BEFORE_KILL = 400
/** The first of all requests is his. */
const known = { couponId: COUPON, userId: 'user-0' }

let requested = 0

await withBroker(async (bench) => {
  const log = await openCouponTopics(bench, REQUESTS * 2)
  await fill(log, REQUESTS, (index) => issueRequest(index, REQUESTS))
  requested = REQUESTS
  const startStreams = await rival(bench.cluster.java, bench.directory)
  await restarts(bench, log, 'millrace', startOurs)
  await restarts(bench, log, 'streams', startStreams(true))
  await log.close()
})

/** Lets a process fill its stores, then kills it again and again. */
async function restarts(bench: Bench, log: KafkaLog, what: string, start: StartApp): Promise<void> {
  const { app, results } = await couponApp(bench, log, what, COMMIT_INTERVAL_MS)
  let running = start(app)
  try {
    let left = requested
    const all = followTopics(log, Object.values(results), (_topic, { length }) => (left -= length) > 0)
    await Promise.race([all, running.ended()])
    for (const how of ['kill -9', 'disk lost']) {
      for (let turn = 1; turn <= TURNS; turn++) {
        await work(log)
        await running.kill()
        if (how === 'disk lost') await rm(app.directory, { recursive: true, force: true })
        running = start({ ...app, known })
        await running.line('answered')
        report({ what, how, turn, ...figuresOf(running) })
      }
    }
  } finally {
    await running.kill()
    await deleteTopics(bench, what)
    await rm(app.directory, { recursive: true, force: true })
  }
}

async function work(log: KafkaLog): Promise<void> {
  for (let i = 0; i < REQUESTS_BEFORE_KILL; i++) {
    await log.append([issueRequest(requested++, REQUESTS * 2)])
    await delay(REQUEST_EVERY_MS)
  }
}

/** What a process told of its start. */
function figuresOf(app: AppProcess): Record<string, number> {
  const restored = app.told.filter(({ at }) => at === 'restored')
  const records = restored.reduce((sum, told) => sum + (told.records ?? 0), 0)
  const since = Math.min(...restored.map((told) => told.since ?? told.ms))
  const until = Math.max(...restored.map(({ ms }) => ms))
  const answered = app.told.find(({ at }) => at === 'answered')?.ms ?? Number.NaN
  return {
    'ms to the answer': Math.round(answered - app.startedAt),
    'restored rows': records,
    'ms of restoring': Math.round(until - since),
    'restored rows/s': until > since ? Math.round((records * 1_000) / (until - since)) : 0,
    'resident MiB': residentMiBOf(app.pid),
  }
}
