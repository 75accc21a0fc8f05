/**
 * One hot coupon on Kafka, drained exactly once with a commit each 100 ms, by ours and by Kafka Streams in turns: the
 * same topic with the same records, full before each process starts. The time runs from the first record that the
 * process handles to the last committed result that a reader of committed records sees; warming up is part of it.
 *
 * The program on Kafka Streams runs twice: with the same rows as ours, and with fewer, that is without the verdicts by
 * request id, so that it cannot tell a request that comes again.
 *
 * First argument: share of the requests that the quota covers, in percent.
 */
import { rm } from 'node:fs/promises'
import { rival, type StartApp, startOurs } from '../coupon-apps.ts'
import { issueRequest } from '../coupon-load.ts'
import { fill, report, round, smoke } from '../harness.ts'
import { couponApp, openCouponTopics } from '../kafka-coupon-load.ts'
import {
  type Bench,
  brokerPid,
  cpuSecondsOf,
  deleteTopics,
  followTopics,
  openBenchLog,
  residentMiBOf,
  withBroker,
} from '../kafka-harness.ts'

const REQUESTS = smoke ? 20_000 : 1_000_000
const TURNS = smoke ? 1 : 3
const COMMIT_INTERVAL_MS = 100
const issuedPercent = Number(process.argv[2])
const quota = (REQUESTS * issuedPercent) / 100

await withBroker(async (bench) => {
  const log = await openCouponTopics(bench, quota)
  await fill(log, REQUESTS, (index) => issueRequest(index, REQUESTS))
  await log.close()
  const startStreams = await rival(bench.cluster.java, bench.directory)
  const apps: readonly (readonly [what: string, start: StartApp])[] = [
    ['millrace', startOurs],
    ['streams', startStreams(true)],
    ['streams-fewer-rows', startStreams(false)],
  ]
  const rates = new Map<string, number[]>()
  for (let turn = 1; turn <= TURNS; turn++) {
    for (const [what, start] of apps) {
      const figures = await drained(bench, start, `${what}-${turn}`)
      rates.set(what, [...(rates.get(what) ?? []), figures['decisions/s']])
      report({ what, turn, ...figures })
    }
  }
  const ours = median(rates.get('millrace') ?? [])
  for (const [what, theirs] of rates) {
    if (what !== 'millrace') report({ what: `millrace : ${what}`, ratio: round(ours / median(theirs)) })
  }
})

/** Runs a process until it has decided everything; nothing of it is left. */
async function drained(bench: Bench, start: StartApp, application: string) {
  const log = await openBenchLog(bench.cluster.bootstrap)
  const { app, results } = await couponApp(bench, log, application, COMMIT_INTERVAL_MS)
  const broker = brokerPid(bench)
  const process = start(app)
  try {
    let issued = 0
    let seen = 0
    let halfAt = 0
    const all = followTopics(log, Object.values(results), (topic, records) => {
      if (topic === results.issued) issued += records.length
      seen += records.length
      if (halfAt === 0 && seen >= REQUESTS / 2) halfAt = Date.now()
      return seen < REQUESTS
    })
    const first = await process.line('first')
    const before = { app: cpuSecondsOf(process.pid), broker: cpuSecondsOf(broker) }
    await Promise.race([all, process.ended()])
    const endedAt = Date.now()
    if (issued !== quota || seen !== REQUESTS)
      throw new Error(`${application}: ${issued} of ${seen} are issued`)
    const perMillion = (seconds: number): number => round((seconds / REQUESTS) * 1e6)
    return {
      'decisions/s': Math.round((REQUESTS * 1_000) / (endedAt - first.ms)),
      'second half/s': Math.round((REQUESTS * 500) / (endedAt - halfAt)),
      'CPU s per million': perMillion(cpuSecondsOf(process.pid) - before.app),
      'broker CPU s per million': perMillion(cpuSecondsOf(broker) - before.broker),
      'resident MiB': residentMiBOf(process.pid),
    }
  } finally {
    await process.kill()
    await log.close()
    await deleteTopics(bench, application)
    await rm(app.directory, { recursive: true, force: true })
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
