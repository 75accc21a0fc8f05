/**
 * Latency on Kafka, open loop: requests come when they are due, one append each, whether or not the ones before were
 * answered. The clock of a request starts when it is due; it stops when the append is acknowledged, and when a reader
 * of committed records has its verdict. Verdicts by ours and by Kafka Streams, exactly once, with commits each 100 ms
 * and each 20 ms.
 */
import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaLog } from '../../transports/kafka/index.ts'
import { rival, type StartApp, startOurs } from '../coupon-apps.ts'
import { report, round, smoke } from '../harness.ts'
import { couponApp, openCouponTopics } from '../kafka-coupon-load.ts'
import { type Bench, cpuSecondsOf, deleteTopics, followTopics, withBroker } from '../kafka-harness.ts'
import { OpenLoop } from '../open-loop.ts'

const RATES = smoke ? [200] : [1_000, 5_000]
const COMMIT_INTERVALS_MS = smoke ? [100] : [100, 20]
const WARM_UP_S = smoke ? 2 : 10
const MEASURE_S = smoke ? 3 : 20
/** Before the verdicts that are still missing count as lost. */
const PATIENCE_MS = 60_000

/** Requests in the topic: a process that is new decides all of them. */
let requested = 0

await withBroker(async (bench) => {
  const log = await openCouponTopics(bench, Number.MAX_SAFE_INTEGER)
  const startStreams = await rival(bench.cluster.java, bench.directory)
  const apps: readonly (readonly [what: string, start: StartApp])[] = [
    ['millrace', startOurs],
    ['streams', startStreams(true)],
  ]
  for (const rate of RATES) {
    for (const commitIntervalMs of COMMIT_INTERVALS_MS) {
      for (const [what, start] of apps) {
        const figures = await measure(
          bench,
          log,
          `${what}-${rate}-${commitIntervalMs}`,
          start,
          rate,
          commitIntervalMs,
        )
        report({ what, 'requests/s': rate, 'commit interval ms': commitIntervalMs, ...figures })
      }
    }
  }
  await log.close()
})

async function measure(
  bench: Bench,
  log: KafkaLog,
  application: string,
  start: StartApp,
  rate: number,
  commitIntervalMs: number,
): Promise<Record<string, number>> {
  const { app, results } = await couponApp(bench, log, application, commitIntervalMs)
  const process = start(app)
  try {
    const load = new OpenLoop({ log, first: requested, rate, warmUpS: WARM_UP_S, measureS: MEASURE_S })
    const verdicts = followTopics(log, Object.values(results), (_topic, records) => load.decided(records))
    await Promise.race([Promise.all([process.line('running'), load.caughtUp]), process.ended()])
    const cpu = cpuSecondsOf(process.pid)
    await Promise.race([load.run(), process.ended()])
    requested = load.end
    const isLate = delay(PATIENCE_MS, undefined, { ref: false }).then(() => {
      throw new Error(`${load.missing} verdicts are missing`)
    })
    await Promise.race([verdicts, process.ended(), isLate])
    const seconds = WARM_UP_S + MEASURE_S
    return {
      ...percentiles('append', load.appendMs),
      ...percentiles('decision', load.decisionMs),
      'CPU %': round(((cpuSecondsOf(process.pid) - cpu) / seconds) * 100),
    }
  } finally {
    await process.kill()
    await deleteTopics(bench, application)
    await rm(app.directory, { recursive: true, force: true })
  }
}

function percentiles(what: string, values: readonly number[]): Record<string, number> {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN)
  return { [`${what} p50 ms`]: at(0.5), [`${what} p99 ms`]: at(0.99), [`${what} p99.9 ms`]: at(0.999) }
}
