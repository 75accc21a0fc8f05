/**
 * The engine in one process: every topology given, on one log.
 *
 * Opening makes the topics, starting joins the groups; closing stops in order and is idempotent.
 */
import { type AnyStoreSpec, CacheBudget } from '../state/index.ts'
import type { Clock } from './clock.ts'
import { StreamsError } from './errors.ts'
import type { Topology, TopicUse } from './graph.ts'
import { noHooks, type StreamsHooks } from './hooks.ts'
import type { Log, TopicSpec } from './log.ts'
import { type BreakerPolicy, defaultBreaker } from './policies.ts'
import { storeQueries } from './queries.ts'
import { TopologyRunner } from './runner.ts'
import type { StateDirectory } from './state-directory.ts'
import { systemClock } from './system-clock.ts'
import { topicSpecsOf } from './topic-specs.ts'

const CACHE_BYTES = 32 * 1024 * 1024

export interface StreamsOptions {
  /** Prefix of everything that belongs to this deployment: groups, transactional ids, changelogs. */
  readonly application: string
  readonly topologies: readonly Topology[]
  readonly log: Log
  /** Partitions, retention and so on of a topic that a topology names. */
  readonly topicSpec: (use: TopicUse) => TopicSpec
  readonly clock?: Clock
  readonly hooks?: Partial<StreamsHooks>
  /** When dead letters are a flood that pauses a task; `defaultBreaker` unless told. */
  readonly breaker?: BreakerPolicy | 'off'
  /** Milliseconds between commits while work waits; 200 unless told. */
  readonly commitIntervalMs?: number
  /** Decoded rows that a task keeps at hand; 20,000 unless told. */
  readonly cacheEntries?: number
  /** Bytes of the rows that all tasks keep at hand together; 32 MiB unless told. */
  readonly cacheBytes?: number
  /** Uncommitted bytes of a topology at which a commit begins; 1 MiB unless told. */
  readonly commitBytes?: number
  /** Whether a commit begins at once when no work waits; true unless told. */
  readonly commitWhenIdle?: boolean
  /** The tasks' own databases; only for logs that keep no state. */
  readonly stateDirectory?: StateDirectory
}

export class Streams {
  readonly #options: StreamsOptions
  readonly #runners: ReadonlyMap<string, TopologyRunner>

  constructor(options: StreamsOptions) {
    this.#options = options
    const shared = {
      application: options.application,
      log: options.log,
      clock: options.clock ?? systemClock,
      hooks: { ...noHooks, ...options.hooks },
      breaker: options.breaker ?? defaultBreaker,
      commitIntervalMs: options.commitIntervalMs ?? 200,
      commitBytes: options.commitBytes ?? 1024 * 1024,
      commitWhenIdle: options.commitWhenIdle ?? true,
      cacheEntries: options.cacheEntries ?? 20_000,
      cacheBudget: new CacheBudget(options.cacheBytes ?? CACHE_BYTES),
      stateDirectory: options.stateDirectory,
    }
    const runners = options.topologies.map((topology) => {
      return [topology.name, new TopologyRunner({ topology, ...shared })] as const
    })
    this.#runners = new Map(runners)
  }

  get runners(): readonly TopologyRunner[] {
    return [...this.#runners.values()]
  }

  /** Makes the topics and joins the groups; tasks open behind it, and nothing runs before `run`. */
  async open(): Promise<void> {
    const { log } = this.#options
    await log.ensureTopics(topicSpecsOf({ ...this.#options, changelogs: log.stateHome === 'task' }))
    await allOf(this.runners.map((runner) => runner.start()))
  }

  /** Resolves once every assigned task runs; rejects where one cannot be opened. */
  async ready(): Promise<void> {
    await allOf(this.runners.map((runner) => runner.ready()))
  }

  /** Runs every topology until `close`. */
  run(): void {
    for (const runner of this.#runners.values()) runner.run()
  }

  runner(topology: string): TopologyRunner {
    const runner = this.#runners.get(topology)
    if (runner === undefined) throw new StreamsError('UNKNOWN_STORE', `no topology ${topology} runs here`)
    return runner
  }

  /** Queries on the store of a spec. Throws `UNKNOWN_STORE`. */
  queries<S extends AnyStoreSpec>(topology: string, spec: S) {
    const runner = this.runner(topology)
    runner.stores.here(spec.name)
    return storeQueries(runner, spec)
  }

  /** Commits what is complete and closes every topology; the log stays open. Idempotent. */
  async close(): Promise<void> {
    const results = await Promise.allSettled(this.runners.map((runner) => runner.stop()))
    const failures = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as unknown] : [],
    )
    if (failures.length > 0) throw new AggregateError(failures, 'some topologies did not close cleanly')
  }
}

/** Waits for all, also where one fails, so that nothing goes on behind the error. */
async function allOf(promises: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) {
    if (result.status === 'rejected') throw result.reason
  }
}
