/**
 * Fuzzing guided by coverage: an input that reaches code which none before it reached is kept, and mutated
 * further.
 *
 * V8 itself counts: precise coverage by blocks, read through the inspector, in this process. Reading it costs far more
 * than a run, so it is read once for a batch of runs, and again for its halves only where the batch reached something.
 *
 * Invariant: the same seed, target and number of runs give the same inputs, as long as the code is the same.
 */
import { Session } from 'node:inspector'
import { type Random, seededRandom } from '../support/random.ts'
import { mutateBytes } from './mutate.ts'

export interface Target {
  readonly name: string
  readonly seeds: readonly Buffer[]
  /** Scripts whose code counts. */
  readonly covers: RegExp
  /** Throws for an input that shows a fault. */
  readonly run: (input: Buffer) => void
}

export interface GuidedRun {
  readonly runs: number
  /** Characters of code that the seeds reached, and that were reached at the end. */
  readonly reachedBefore: number
  readonly reached: number
  /** Inputs that are mutated: seeds, and what reached something. */
  readonly corpus: number
}

/** A fault, with the input that shows it. */
export class Finding extends Error {
  override readonly name = 'Finding'
  readonly input: Buffer

  constructor(target: string, input: Buffer, cause: unknown) {
    super(`${target}: ${String(cause)}; the input in hex: ${input.toString('hex')}`, { cause })
    this.input = input
  }
}

const BATCH = 250
/** Runs from the newest inputs: they are nearest to what was not reached yet. */
const NEWEST = 8

/** Runs until `goOn` says no, asked once a batch. Throws a `Finding`. */
export function fuzzGuided(target: Target, seed: number, goOn: (runs: number) => boolean): GuidedRun {
  const random = seededRandom(seed)
  const coverage = new Coverage(target.covers)
  const corpus = [...target.seeds]
  try {
    for (const input of corpus) runOne(target, input)
    coverage.readNew()
    const reachedBefore = coverage.characters
    let runs = 0
    while (goOn(runs)) {
      const inputs = Array.from({ length: BATCH }, () => nextInput(corpus, random))
      corpus.push(...reaching(target, inputs, coverage))
      runs += BATCH
    }
    return { runs, reachedBefore, reached: coverage.characters, corpus: corpus.length }
  } finally {
    coverage.close()
  }
}

function nextInput(corpus: readonly Buffer[], random: Random): Buffer {
  const from = random.chance(1 / 2) ? corpus.slice(-NEWEST) : corpus
  return mutateBytes(random.pick(from), random, random.pick(corpus))
}

/** Those of the inputs that reach something new, found by halves. */
function reaching(target: Target, inputs: readonly Buffer[], coverage: Coverage): readonly Buffer[] {
  for (const input of inputs) runOne(target, input)
  const isOne = inputs.length === 1
  if (!coverage.readNew(isOne)) return []
  if (isOne) return inputs
  const half = inputs.length >> 1
  return [inputs.slice(0, half), inputs.slice(half)].flatMap((some) => reaching(target, some, coverage))
}

function runOne({ name, run }: Target, input: Buffer): void {
  try {
    run(input)
  } catch (error) {
    throw new Finding(name, input, error)
  }
}

interface ScriptCoverage {
  readonly scriptId: string
  readonly url: string
  readonly functions: readonly { readonly ranges: readonly BlockRange[] }[]
}
interface BlockRange {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

/** Which code ran, ever and since it was last asked, by the characters of its source. */
class Coverage {
  readonly #session = new Session()
  readonly #covers: RegExp
  /** By script: 1 for a character that ran. */
  readonly #ran = new Map<string, Uint8Array>()
  #characters = 0

  constructor(covers: RegExp) {
    this.#covers = covers
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  get characters(): number {
    return this.#characters
  }

  /** Whether code ran that had not; it has from now on, unless told otherwise. */
  readNew(learn = true): boolean {
    let found = false
    for (const { scriptId, functions } of this.#take()) {
      for (const { ranges } of functions) {
        if (this.#see(scriptId, ranges, learn)) found = true
      }
    }
    return found
  }

  /** Ranges are nested, the outer first; what a range does not say of its inside is as the range itself. */
  #see(script: string, ranges: readonly BlockRange[], learn: boolean): boolean {
    const whole = ranges[0]
    if (whole === undefined || whole.count === 0) return false
    const now = new Uint8Array(whole.endOffset - whole.startOffset)
    for (const { startOffset, endOffset, count } of ranges)
      now.fill(count > 0 ? 1 : 0, startOffset - whole.startOffset, endOffset - whole.startOffset)
    const ran = this.#ranOf(script, whole.endOffset)
    let found = false
    for (let i = 0; i < now.length; i++) {
      if (now[i] === 0 || ran[whole.startOffset + i] === 1) continue
      found = true
      if (!learn) return true
      ran[whole.startOffset + i] = 1
      this.#characters++
    }
    return found
  }

  #ranOf(script: string, length: number): Uint8Array {
    const known = this.#ran.get(script)
    if (known !== undefined && known.length >= length) return known
    const longer = new Uint8Array(length)
    longer.set(known ?? [])
    this.#ran.set(script, longer)
    return longer
  }

  #take(): readonly ScriptCoverage[] {
    let scripts: readonly ScriptCoverage[] = []
    // The answer comes before `post` returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error
      scripts = answer.result
    })
    return scripts.filter(({ url }) => this.#covers.test(url))
  }

  close(): void {
    this.#session.post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }
}
