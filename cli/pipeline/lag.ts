/** How far tasks are behind their inputs: for admission, metrics and the live graph. */
import { type Streams, type Topology, topicsOf } from '../../streams/index.ts'

/** Of what the pipeline runs on. */
type Runner = Streams['runners'][number]
type Task = Runner['tasks'][number]

export interface InputLag {
  readonly topology: string
  readonly task: string
  readonly topic: string
  readonly partition: number
  /** The next offset to be processed and committed. */
  readonly position: number
  readonly lagRecords: number
}

/** Every input of every task here. Reads memory only. */
export function inputLags(streams: Streams): InputLag[] {
  return streams.runners.flatMap((runner) => runner.tasks.flatMap((task) => lagsOf(runner, task)))
}

function lagsOf(runner: Runner, task: Task): InputLag[] {
  return task.inputs.map((input) => {
    const topic = input.source.topic.name
    return {
      topology: runner.topology.name,
      task: task.name,
      topic,
      partition: input.partition,
      position: runner.progress.position(topic, input.partition),
      lagRecords: input.lag,
    }
  })
}

/**
 * The topics whose records a write to `topic` ends up in, itself included: what a topology reads from it, it writes on.
 * A shop that takes orders faster than its boards can count them must slow down the orders.
 *
 * An answer is the burden of whoever asked: it counts for what makes its reader ask, and leads no further. Wallets take
 * coupons and answer orders, and orders that are behind hold no coupons up.
 */
export function downstreamTopics(topologies: readonly Topology[], topic: string): ReadonlySet<string> {
  const found = new Set([topic])
  const parts = topologies.flatMap(({ subTopologies }) => subTopologies)
  const reached = () => parts.filter(({ sources }) => sources.some((source) => found.has(source.topic.name)))
  for (let before = 0; before < found.size; ) {
    before = found.size
    for (const node of reached().flatMap(({ nodes }) => nodes)) {
      const written = node.kind === 'sink' ? node.topics : []
      for (const { name } of written) if (!isAnswer(name)) found.add(name)
    }
  }
  const read = reached().flatMap(({ sources }) => sources.map((source) => source.topic.name))
  return new Set([...found, ...read.filter(isAnswer)])
}

function isAnswer(topic: string): boolean {
  return topic.endsWith('.result')
}

export interface AdmissionOptions {
  readonly streams: Streams
  /** Those whose lag counts. */
  readonly topologies: readonly Topology[]
  readonly maxLagRecords: number
  /** Milliseconds, never going back. */
  readonly monotonic: () => number
}

/** What the client should do meanwhile. */
const RETRY_AFTER_MS = 1_000
/** Lags are looked at this often at most: admission is asked on every write. */
const LOOK_EVERY_MS = 10

/** Refuses writes while tasks that they end up in are too far behind. */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #downstream = new Map<string, ReadonlySet<string>>()
  readonly #counted: ReadonlySet<string>
  #worst: ReadonlyMap<string, InputLag> = new Map()
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(options: AdmissionOptions) {
    this.#options = options
    this.#counted = new Set(options.topologies.map(({ name }) => name))
    for (const { name } of options.topologies.flatMap(topicsOf)) {
      this.#downstream.set(name, downstreamTopics(options.topologies, name))
    }
  }

  /** The input that is too far behind for new records of this topic. */
  refusal(topic: string): { readonly retryAfterMs: number; readonly reason: string } | undefined {
    this.#look()
    if (this.#worst.size === 0) return undefined
    for (const name of this.#downstream.get(topic) ?? []) {
      const lag = this.#worst.get(name)
      if (lag === undefined) continue
      const reason = `${lag.task} is ${lag.lagRecords} records behind on ${name}; ${this.#options.maxLagRecords} are the limit`
      return { retryAfterMs: RETRY_AFTER_MS, reason }
    }
    return undefined
  }

  #look(): void {
    const { streams, maxLagRecords, monotonic } = this.#options
    const now = monotonic()
    if (now - this.#lookedAt < LOOK_EVERY_MS) return
    this.#lookedAt = now
    const worst = new Map<string, InputLag>()
    for (const lag of inputLags(streams)) {
      if (lag.lagRecords > maxLagRecords && this.#counted.has(lag.topology)) worst.set(lag.topic, lag)
    }
    this.#worst = worst
  }
}

/** Committed records per second of each input partition, lately. */
export class RateMeter {
  readonly #streams: Streams
  readonly #monotonic: () => number
  readonly #rates = new Map<string, { position: number; perSecond: number }>()
  #measuredAt: number

  constructor(streams: Streams, monotonic: () => number) {
    this.#streams = streams
    this.#monotonic = monotonic
    this.#measuredAt = monotonic()
  }

  /** Call about once a second. */
  measure(): void {
    const now = this.#monotonic()
    const seconds = (now - this.#measuredAt) / 1000
    if (seconds <= 0) return
    this.#measuredAt = now
    for (const { topic, partition, position } of inputLags(this.#streams)) {
      const key = `${topic}-${partition}`
      const last = this.#rates.get(key)
      const fresh = last === undefined ? 0 : Math.max(0, position - last.position) / seconds
      this.#rates.set(key, { position, perSecond: smooth(last?.perSecond ?? fresh, fresh) })
    }
  }

  perSecond(topic: string, partition: number): number {
    return this.#rates.get(`${topic}-${partition}`)?.perSecond ?? 0
  }
}

/** New work shows at once; a pause fades within a few seconds. */
function smooth(before: number, now: number): number {
  const mixed = Math.max(now, before * 0.6 + now * 0.4)
  return mixed < 0.1 ? 0 : mixed
}
