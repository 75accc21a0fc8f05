/** One process of the engine, seen from the test: its life, and what it tells. */
import { join } from 'node:path'
import { onTestFailed } from 'vitest'
import type { StandbyPhase } from '../../../streams/index.ts'
import type { KafkaLogOptions } from '../../../transports/kafka/index.ts'
import { type Child, type Exit, startChild } from '../../support/child.ts'
import type { ReleaseOptions } from './releases.ts'
import type { Pipeline } from './shop-topics.ts'

export interface EngineOptions {
  readonly brokers: readonly string[]
  readonly application: string
  readonly slot: string
  /** Of the tasks' databases. */
  readonly directory: string
  readonly pipelines: readonly Pipeline[]
  /** With schemas of a registry; else with the ids of this program, and any pipelines. */
  readonly release?: ReleaseOptions
  /** Else 100. */
  readonly commitIntervalMs?: number
  /** Of each task's database. */
  readonly writeBufferBytes?: number
  /** Of each task's database, where `writeBufferBytes` is told. */
  readonly cacheBytes?: number
  /** For a flood of dead letters that is not to stop a task; else as the engine does. */
  readonly breaker?: 'off'
  /** Decoded rows that each task keeps at hand; else as many as the engine does. */
  readonly cacheEntries?: number
  readonly log?: Partial<
    Pick<
      KafkaLogOptions,
      | 'sessionTimeoutMs'
      | 'transactionTimeoutMs'
      | 'leaves'
      | 'standbys'
      | 'fetch'
      | 'guarantee'
      | 'compression'
    >
  >
  /** A fault: kill -9 after its nth transaction that changes state ended, before the databases have it. Counted over all topologies. */
  readonly diesAfterCommit?: number
  /** Schemas come from there; else they are this program's. */
  readonly registryUrl?: string
  /** A fault: its system clock is so much ahead from the start. */
  readonly clockAheadMs?: number
}

/** What it is told to do to itself (`engine-inside.ts`). Milliseconds. */
export type Command =
  | { readonly do: 'block' | 'jump' | 'pass'; readonly ms: number }
  | { readonly do: 'collect' }

interface Cause {
  readonly code?: string
  readonly why?: string
}

export type Told =
  | { readonly at: 'opening' | 'opened' | 'ready' }
  | { readonly at: 'unready'; readonly code: string }
  | ({ readonly at: 'unavailable' } & Cause)
  | { readonly at: 'blocked'; readonly forMs: number }
  | { readonly at: 'obeyed' }
  /** After garbage was collected. */
  | { readonly at: 'alive'; readonly heapMiB: number; readonly externalMiB: number }
  | { readonly at: 'clock'; readonly topology: string; readonly kind: string; readonly gapMs: number }
  | ({ readonly at: 'task'; readonly task: string; readonly to: string } & Cause)
  | ({ readonly at: 'runner'; readonly topology: string; readonly to: string } & Cause)
  | { readonly at: 'restoring'; readonly task: string; readonly records: number }
  | { readonly at: 'restored'; readonly task: string; readonly records: number }
  | ({ readonly at: 'standby'; readonly task: string; readonly to: StandbyPhase } & Cause)
  | { readonly at: 'followed'; readonly task: string; readonly records: number; readonly remaining: number }
  | ({ readonly at: 'refused'; readonly task: string } & Cause)
  | ({ readonly at: 'revoked'; readonly topology: string } & Cause)
  | { readonly at: 'committed'; readonly topology: string; readonly tasks: number; readonly records: number }
  | { readonly at: 'fenced'; readonly topology: string; readonly ids: readonly string[] }

/** What it tells, and when: epoch milliseconds. */
export type EngineLine = Told & { readonly ms: number }
export type Stage = EngineLine['at']
type LineAt<S extends Stage> = Extract<EngineLine, { readonly at: S }>

const FREQUENT: ReadonlySet<Stage> = new Set(['committed', 'restoring', 'followed'])
/** Of what it told, for a test that fails. */
const TAIL_LINES = 60

const script = join(import.meta.dirname, 'engine-process.ts')

export class Engine {
  readonly slot: string
  readonly pipelines: readonly Pipeline[]
  readonly child: Child
  /** Everything that it told, in order. */
  readonly lines: EngineLine[] = []
  readonly #running = new Set<string>()
  readonly #following = new Set<string>()
  readonly #watchers = new Set<(line: EngineLine) => void>()

  constructor(options: EngineOptions) {
    this.slot = options.slot
    this.pipelines = options.pipelines
    this.child = startChild(script, [JSON.stringify(options)])
    // Hears every line, and never has enough.
    this.child
      .line((line) => {
        if (line.startsWith('{"at":')) this.#heard(JSON.parse(line) as EngineLine)
        return false
      })
      .catch(() => {
        this.#running.clear()
        this.#following.clear()
      })
    onTestFailed(() => console.error(`${this.slot} told last:\n${this.#tail()}`))
  }

  /** Tasks that run here, as far as was told. */
  get running(): ReadonlySet<string> {
    return this.#running
  }

  /** Tasks whose standbys follow here, as far as was told. */
  get following(): ReadonlySet<string> {
    return this.#following
  }

  told<S extends Stage>(at: S): LineAt<S>[] {
    return this.lines.filter((line): line is LineAt<S> => line.at === at)
  }

  /** The first line of this kind, told already or to come, for which `wanted` holds. Rejects when the process ends before. */
  async stage<S extends Stage>(at: S, wanted: (line: LineAt<S>) => boolean = () => true): Promise<LineAt<S>> {
    const line = await this.child.line((said) => {
      return said.startsWith(`{"at":"${at}"`) && wanted(JSON.parse(said) as LineAt<S>)
    })
    return JSON.parse(line) as LineAt<S>
  }

  /** The first line of this kind to come. Rejects when the process ends before. */
  next<S extends Stage>(at: S, wanted: (line: LineAt<S>) => boolean = () => true): Promise<LineAt<S>> {
    return new Promise((resolve, reject) => {
      const watcher = (line: EngineLine): void => {
        if (line.at !== at || !wanted(line as LineAt<S>)) return
        this.#watchers.delete(watcher)
        resolve(line as LineAt<S>)
      }
      this.#watchers.add(watcher)
      void this.child.exited.then(() => reject(new Error(`${this.slot} ended; it said:\n${this.child.said}`)))
    })
  }

  /** How many tasks were restored and run, from the beginning. */
  get assignments(): number {
    return this.told('task').filter(({ to }) => to === 'running').length
  }

  kill(): Promise<Exit> {
    return this.child.kill()
  }

  /** Ends in order. */
  async stop(): Promise<Exit> {
    this.child.signal('SIGTERM')
    return this.child.exited
  }

  /** Resolves when it has done so: what it tells from then on, it does after that. */
  async order(command: Command): Promise<void> {
    const obeyed = this.next('obeyed')
    this.child.send(JSON.stringify(command))
    await obeyed
  }

  halt(): void {
    this.child.signal('SIGSTOP')
  }

  goOn(): void {
    this.child.signal('SIGCONT')
  }

  #tail(): string {
    const quiet = this.lines.filter(({ at }) => !FREQUENT.has(at))
    return [
      ...quiet.slice(-TAIL_LINES).map((line) => JSON.stringify(line)),
      this.child.said.slice(-500),
    ].join('\n')
  }

  #heard(line: EngineLine): void {
    this.lines.push(line)
    if (line.at === 'task') {
      if (line.to === 'running') this.#running.add(line.task)
      else this.#running.delete(line.task)
    }
    if (line.at === 'standby') {
      if (line.to === 'following') this.#following.add(line.task)
      else this.#following.delete(line.task)
    }
    for (const watcher of this.#watchers) watcher(line)
  }
}
