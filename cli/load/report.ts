/** What a rush came to: the numbers as data, and as a table. */
import type { Histogram } from 'hdr-histogram-js'
import { type Output, table } from '../output.ts'
import type { RushResult } from './rush.ts'
import { type Check, countVerdicts } from './verdicts.ts'

const MICROSECONDS_PER_MS = 1000

export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

export interface RushReport {
  readonly couponId: string
  readonly requests: number
  readonly accepted: number
  readonly refused: Readonly<Record<string, number>>
  readonly retries: number
  readonly seconds: number
  readonly requestsPerSecond: number
  /** Milliseconds from when a request was due. */
  readonly latencyMs: { readonly accepted: Percentiles; readonly decided: Percentiles }
  readonly verdicts: Readonly<Record<string, number>>
  readonly checks: readonly Check[]
}

export function reportOf(couponId: string, result: RushResult, checks: readonly Check[]): RushReport {
  const { tickets, refused, retries, seconds } = result
  const accepted = tickets.filter((ticket) => ticket !== undefined).length
  return {
    couponId,
    requests: tickets.length,
    accepted,
    refused: Object.fromEntries(refused),
    retries,
    seconds,
    requestsPerSecond: Math.round(tickets.length / seconds),
    latencyMs: { accepted: percentiles(result.accepted), decided: percentiles(result.decided) },
    verdicts: countVerdicts(result.verdicts.values()),
    checks,
  }
}

function percentiles(histogram: Histogram): Percentiles {
  const at = (percent: number): number => histogram.getValueAtPercentile(percent) / MICROSECONDS_PER_MS
  const { totalCount, maxValue } = histogram
  return { count: totalCount, p50: at(50), p99: at(99), p999: at(99.9), max: maxValue / MICROSECONDS_PER_MS }
}

/** For people: latencies, verdicts, checks. */
export function describeRush(report: RushReport, output: Output): string {
  const { latencyMs, verdicts, checks, refused, retries } = report
  const latencies = (['accepted', 'decided'] as const).map((name) => {
    const { count, p50, p99, p999, max } = latencyMs[name]
    return [name === 'accepted' ? '202 accepted' : 'decision', count, p50, p99, p999, max]
  })
  const counts = Object.entries(verdicts).toSorted((a, b) => b[1] - a[1])
  const troubles = [
    ...Object.entries(refused).map(([status, count]) => `  ${count} requests were not taken (${status})`),
    ...(retries === 0 ? [] : [`  ${retries} times a request was sent again`]),
  ]
  return [
    output.paint(
      'bold',
      `${report.requests} requests in ${report.seconds.toFixed(1)} s, ${report.requestsPerSecond}/s`,
    ),
    ...troubles,
    '',
    table(['latency in ms, from when it was due', 'count', 'p50', 'p99', 'p99.9', 'max'], latencies),
    '',
    table(['verdict', 'requests'], counts),
    '',
    describeChecks(checks, output),
  ].join('\n')
}

export function describeChecks(checks: readonly Check[], output: Output): string {
  return checks
    .map(({ name, ok, detail }) => {
      const mark = ok ? output.paint('green', 'ok  ') : output.paint('red', 'FAIL')
      return `  ${mark} ${name}: ${detail}`
    })
    .join('\n')
}
