/**
 * The data directory and the log of a shop: what the rest of it needs, whichever kind they are.
 *
 * Two steps, because they open at different times: first the directory, which makes this process the only one there;
 * then HTTP, whose address a log of several processes tells the others; then the log.
 */
import type { HealthCheck } from '../../api/index.ts'
import type { Config } from '../../config/index.ts'
import type { StateReader } from '../../state/index.ts'
import type { Log, StreamsOptions, TaskId } from '../../streams/index.ts'
import type { LogFacts, Telemetry } from '../../telemetry/index.ts'
import type { DirectoryMode } from './recorded.ts'
import type { Sealing } from './user-port.ts'

export interface DirectoryOptions {
  readonly config: Config
  readonly telemetry: Telemetry
  /** Of the program. */
  readonly version: string
  /** What the directory must be, or becomes when it is new; absent: whatever it is, `live` when it is new. */
  readonly mode?: DirectoryMode | undefined
  /** Gives up waiting, for brokers for example. */
  readonly signal: AbortSignal
}

export interface ShopDirectory {
  readonly mode: DirectoryMode
  /** Seals cursors: the same over restarts, and wherever a cursor may come back to. */
  readonly cursorSecret: Buffer
  /** What personal data is sealed with, and how it is erased. */
  readonly sealing: Sealing
  /** @param url where this process answers */
  openLog(url: string): Promise<ShopLog>
  /** Copies log and state into an empty directory. Rejects where they are not in this one. */
  backup(directory: string): Promise<void>
  /** Closes the log too. Idempotent. */
  close(): Promise<void>
}

export interface ShopLog {
  readonly log: Log
  /** How the engine runs on it. */
  readonly engine: Pick<
    StreamsOptions,
    'commitIntervalMs' | 'commitBytes' | 'commitWhenIdle' | 'stateDirectory'
  >
  /**
   * Other processes may be on it too. Tasks come and go then, and are restored while the shop serves; else all of them
   * open at the start, and one that does not ends it.
   */
  readonly isShared: boolean
  /** Committed rows of a task that runs here. */
  rows(task: TaskId): Promise<StateReader | undefined>
  /** What the readiness of this process depends on besides its tasks. */
  checks(): readonly HealthCheck[]
  /** Nothing where the log is not in this process. */
  facts(): LogFacts | undefined
}
