/**
 * `npm run sim -- --seeds N [--from S] [--app NAME]` runs N seeds on all cores; `npm run sim -- --seed S` runs one and
 * prints its event log. A failing seed prints itself, the fewest faults with which it fails, and the end of its event log.
 */
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { shrink, simulate, type SimulationResult } from '../../testing/index.ts'
import type { Fault } from '../../transports/simulated/index.ts'
import { appNameOf, appOf } from './apps.ts'

const LOG_LINES = 80
const FAILURES_SHOWN = 5

const { values: given } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    app: { type: 'string' },
    faults: { type: 'string' },
    /** Of a process among others: its number, and how many there are. */
    share: { type: 'string' },
  },
})

// A message of a failed run needs no stack, and makes none.
Error.stackTraceLimit = 0

if (given.seed !== undefined) process.exitCode = await runOne(Number(given.seed))
else if (given.share !== undefined) await runShare(given.share)
else process.exitCode = await runAll(Number(given.seeds ?? '500'))

async function runOne(seed: number): Promise<number> {
  const faults = given.faults?.split(',').filter((name) => name !== '') as Fault[] | undefined
  const options = faults === undefined ? {} : { faults }
  const result = await simulate({
    app: appOf(seed, given.app),
    seed,
    note: (line) => console.log(line),
    ...options,
  })
  console.log(describe(result))
  return result.complaints.length === 0 ? 0 : 1
}

/** Every n-th seed; tells the parent of each. */
async function runShare(share: string): Promise<void> {
  const [number = 0, of = 1] = share.split('/').map(Number)
  const from = Number(given.from)
  for (let seed = from + number; seed < from + Number(given.seeds); seed += of) {
    const { complaints, events, lives, accepted, virtualMs } = await simulate({
      app: appOf(seed, given.app),
      seed,
    })
    process.send?.({ seed, failed: complaints.length > 0, events, lives, accepted, virtualMs })
  }
  process.disconnect?.()
}

interface Told {
  readonly seed: number
  readonly failed: boolean
  readonly events: number
  readonly lives: number
  readonly accepted: number
  readonly virtualMs: number
}

async function runAll(seeds: number): Promise<number> {
  const start = performance.now()
  const told: Told[] = []
  const processes = Math.min(availableParallelism(), seeds)
  await Promise.all(
    Array.from({ length: processes }, (_, number) => {
      const own = ['--share', `${number}/${processes}`, '--seeds', String(seeds), '--from', given.from]
      const child = fork(
        fileURLToPath(import.meta.url),
        given.app === undefined ? own : [...own, '--app', given.app],
      )
      child.on('message', (message) => told.push(message as Told))
      return new Promise<void>((resolve, reject) => {
        child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a share ended with ${code}`))))
      })
    }),
  )
  const seconds = (performance.now() - start) / 1_000
  const sum = (of: (one: Told) => number): number => told.reduce((all, one) => all + of(one), 0)
  const failed = told.filter((one) => one.failed).toSorted((a, b) => a.seed - b.seed)
  console.log(
    `${told.length} seeds in ${seconds.toFixed(1)} s (${(told.length / seconds).toFixed(1)}/s), ` +
      `${sum(({ events }) => events)} events, ${sum(({ lives }) => lives)} processes, ` +
      `${sum(({ accepted }) => accepted)} records, ${Math.round(sum(({ virtualMs }) => virtualMs) / 60_000)} virtual minutes; ` +
      `${failed.length} failed`,
  )
  for (const { seed } of failed.slice(0, FAILURES_SHOWN)) await explain(seed)
  if (failed.length > FAILURES_SHOWN)
    console.log(
      `and ${failed
        .slice(FAILURES_SHOWN)
        .map(({ seed }) => seed)
        .join(', ')}`,
    )
  return failed.length === 0 && told.length === seeds ? 0 : 1
}

async function explain(seed: number): Promise<void> {
  const result = await simulate({ app: appOf(seed, given.app), seed })
  const smallest = await shrink(result, () => appOf(seed, given.app))
  const lines: string[] = []
  await simulate({
    app: appOf(seed, given.app),
    seed,
    faults: smallest.plan.faults,
    note: (line) => lines.push(line),
  })
  console.log(`\n${describe(smallest)}`)
  console.log(`replay: npm run sim -- --seed ${seed} --faults ${smallest.plan.faults.join(',')}`)
  console.log(lines.slice(-LOG_LINES).join('\n'))
}

function describe({ seed, plan, complaints }: SimulationResult): string {
  const { faults, processes, brokers, commitIntervalMs } = plan
  const shape = `${given.app ?? appNameOf(seed)}, ${processes} processes, ${brokers} brokers, commits every ${commitIntervalMs} ms`
  const verdict = complaints.length === 0 ? 'all is well' : complaints.slice(0, 10).join('\n  ')
  return `seed ${seed} (${shape}) with ${faults.join(', ') || 'no faults'}:\n  ${verdict}`
}
