/**
 * Runs the benchmark: every case in a process of its own, one line of JSON each, a table at the end.
 *
 *   npm run bench                     every case, full size (minutes)
 *   npm run bench -- --smoke          small sizes, to see that every case works
 *   npm run bench -- --kafka          the cases on Kafka, each with a broker of its own; Java and Maven are needed
 *   npm run bench -- --only NAME,…    some cases
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'

interface Case {
  readonly name: string
  readonly script: string
  readonly args: readonly string[]
  /** Takes long: only when named. */
  readonly long?: true
  /** Starts a broker: only when those are asked for, or when named. */
  readonly kafka?: true
}

const cases: readonly Case[] = [
  { name: 'micro', script: 'micro.ts', args: [] },
  { name: 'log', script: 'log-throughput.ts', args: [] },
  { name: 'coupons-10%-issued', script: 'coupons-drain.ts', args: ['10'] },
  { name: 'coupons-all-issued', script: 'coupons-drain.ts', args: ['100'] },
  { name: 'coupons-10%-watched', script: 'coupons-drain.ts', args: ['10', 'watched'] },
  { name: 'coupons-all-watched', script: 'coupons-drain.ts', args: ['100', 'watched'] },
  { name: 'ranking', script: 'ranking-drain.ts', args: [] },
  { name: 'orders', script: 'orders-drain.ts', args: [] },
  { name: 'orders-latency', script: 'orders-latency.ts', args: [] },
  { name: 'orders-100k-stored', script: 'orders-stored.ts', args: ['100000'], long: true },
  { name: 'orders-1M-stored', script: 'orders-stored.ts', args: ['1000000'], long: true },
  { name: 'http', script: 'http-open-loop.ts', args: [] },
  { name: 'claims-1M', script: 'claims-scale.ts', args: ['1000000'] },
  { name: 'claims-10M', script: 'claims-scale.ts', args: ['10000000'], long: true },
  { name: 'kafka-produce', script: 'kafka-produce.ts', args: [], kafka: true },
  { name: 'kafka-consume', script: 'kafka-consume.ts', args: [], kafka: true },
  { name: 'kafka-coupons-10%-issued', script: 'kafka-coupons.ts', args: ['10'], kafka: true },
  { name: 'kafka-coupons-all-issued', script: 'kafka-coupons.ts', args: ['100'], kafka: true },
  { name: 'kafka-latency', script: 'kafka-latency.ts', args: [], kafka: true },
  { name: 'kafka-orders', script: 'kafka-orders.ts', args: [], kafka: true },
  { name: 'kafka-restart', script: 'kafka-restart.ts', args: [], kafka: true },
]

const smoke = process.argv.includes('--smoke')
const onlyAt = process.argv.indexOf('--only')
const only = onlyAt < 0 ? undefined : process.argv[onlyAt + 1]?.split(',')

const kafka = process.argv.includes('--kafka')
const chosen = cases.filter((one) =>
  only === undefined ? one.long !== true && (one.kafka === true) === kafka : only.includes(one.name),
)
if (chosen.length === 0) {
  process.stderr.write(`no such case; there are ${cases.map(({ name }) => name).join(', ')}\n`)
  process.exit(2)
}

let failed = 0
for (const { name, script, args } of chosen) {
  const begin = performance.now()
  const { code, lines } = await run(script, [...args, ...(smoke ? ['--smoke'] : [])])
  const seconds = Math.round((performance.now() - begin) / 100) / 10
  if (code !== 0) failed++
  process.stderr.write(`${name}: ${code === 0 ? 'done' : `failed with ${code}`} in ${seconds} s\n`)
  for (const line of lines)
    process.stdout.write(`${JSON.stringify({ case: name, ...(JSON.parse(line) as object) })}\n`)
}
process.stdout.write(`${chosen.length - failed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1

/** Runs a case; what it prints that is JSON are its results. */
async function run(script: string, args: readonly string[]): Promise<{ code: number; lines: string[] }> {
  const path = join(import.meta.dirname, 'cases', script)
  const child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  const code = await new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? 1)))
  return { code, lines: output.split('\n').filter((line) => line.startsWith('{')) }
}
