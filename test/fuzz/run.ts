/**
 * Runs the fuzzers.
 *
 *   npm run fuzz                                 all of them, full size (minutes)
 *   npm run fuzz -- avro | http | config         one
 *   npm run fuzz -- guided [avro | batches | json | texts]
 *   npm run fuzz -- … --count N --seed N         so many inputs; the same ones again
 *
 * One line of JSON each on stdout. Ends with 1 at the first fault, which names its seed and its input.
 */
import { parseArgs } from 'node:util'
import { fuzzGuided, type Target } from './guided.ts'

const MIB = 1024 * 1024
const FULL = { avro: 1_000_000, http: 20_000, config: 20_000, guided: 1_000_000 }
/**
 * What resident memory may grow by in the second half of a run. Bytes. A server still fills its caches then: of the
 * newest records, and of rows, for each of its tasks.
 */
const GROWTH_MAX = { avro: 64 * MIB, http: 128 * MIB }

// A trace for each refused message would take most of the time; that of a fault is made by its cause's message.
Error.stackTraceLimit = 2

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, count: { type: 'string' } },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
const count = (full: number): number => Number(values.count ?? full)
const [what, only] = positionals

const fuzzers: Readonly<Record<keyof typeof FULL, () => Promise<object>>> = {
  avro: async () => {
    const { fuzzAvro } = await import('./avro.ts')
    const { refused, rss, ...run } = await fuzzAvro(seed, count(FULL.avro))
    checkGrowth(rss, GROWTH_MAX.avro)
    return { ...run, refused: Object.fromEntries(refused), ...inMib(rss) }
  },
  http: async () => {
    const { fuzzHttp } = await import('./http.ts')
    const { statuses, rss, ...run } = await fuzzHttp(seed, count(FULL.http))
    checkGrowth(rss, GROWTH_MAX.http)
    return { ...run, statuses: Object.fromEntries(statuses), ...inMib(rss) }
  },
  config: async () => {
    const { fuzzConfig } = await import('./config.ts')
    return fuzzConfig(seed, count(FULL.config))
  },
  guided,
}

/** Only what is run is loaded: whatever else there is slows down reading the coverage. */
async function guided(): Promise<object> {
  const isSelfTest = only === 'planted' || only === 'blind'
  const all: Readonly<Record<string, () => Target>> = isSelfTest
    ? await import('./planted.ts')
    : (await import('./targets.ts')).guidedTargets
  const chosen = only === undefined ? Object.values(all) : [all[only]]
  const results = chosen.map((make) => {
    if (make === undefined)
      throw new RangeError(`no target ${only}; there are ${Object.keys(all).join(', ')}`)
    const target = make()
    return [target.name, fuzzGuided(target, seed, (runs) => runs < count(FULL.guided))] as const
  })
  return Object.fromEntries(results)
}

function checkGrowth(rss: readonly number[], most: number): void {
  const settled = rss[rss.length >> 1] ?? 0
  const last = rss.at(-1) ?? 0
  if (last - settled > most) throw new Error(`memory grew from ${settled} to ${last} bytes`)
}

function inMib(rss: readonly number[]): object {
  return {
    rssMib: [rss[0], rss[rss.length >> 1], rss.at(-1)].map((bytes = 0) => Math.round(bytes / MIB)),
  }
}

for (const [name, fuzz] of Object.entries(fuzzers)) {
  if (what !== undefined && what !== name) continue
  const begin = performance.now()
  process.stderr.write(`${name}: seed ${seed}\n`)
  const result = await fuzz()
  const seconds = Math.round((performance.now() - begin) / 100) / 10
  process.stdout.write(`${JSON.stringify({ fuzz: name, seed, seconds, ...result })}\n`)
}
