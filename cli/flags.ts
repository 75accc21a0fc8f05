/** The flags of each command, as `program.ts` parses them. */
import type { TableName } from '../connectors/index.ts'

/** Flags that set configuration, as commander hands them over. */
export interface ConfigFlags {
  readonly config?: string
  readonly dataDir?: string
  readonly host?: string
  readonly port?: string
  readonly logLevel?: string
  readonly kafka?: string
  readonly registry?: string
  readonly topologies?: string
  readonly workers?: string
  readonly set?: readonly string[]
}

export interface StartFlags extends ConfigFlags {
  readonly json?: true
  /** A worker: ends when its parent is gone. */
  readonly withParent?: true
}

export interface ReplayFlags extends StartFlags {
  readonly asRecorded?: true
  readonly endNow?: true
  readonly speed?: number
  readonly exit?: true
}

export interface LoadFlags {
  readonly url?: string
  readonly rate: number
  readonly users: number
  readonly quota: number
  readonly duration?: number
  readonly seed: number
  readonly connections: number
  readonly follow: number
  readonly warmup: number
  readonly coupon?: string
  readonly verdicts: boolean
  readonly json?: true
}

export interface LoadOrdersFlags {
  readonly url?: string
  readonly orders: number
  readonly rate: number
  readonly seed: number
  readonly mix?: string
  readonly products: number
  readonly users: number
  readonly connections: number
  readonly json?: true
}

export interface DemoFlags {
  readonly exit?: true
  /** `true`: on brokers of its own. */
  readonly kafka?: string | true
  readonly registry?: string
  readonly port?: string
}

export interface TopologyFlags extends ConfigFlags {
  readonly format: 'describe' | 'mermaid' | 'json'
}

export type DirectoryFlags = StartFlags

export interface RestoreFlags extends StartFlags {
  readonly erasures?: string
}

export type SchemasFlags = StartFlags

export type TopicsFlags = StartFlags

export interface ResetFlags extends StartFlags {
  readonly yes?: true
  /** Kafka mode: only what this machine has. */
  readonly local?: true
}

export type StateFlags = StartFlags

export interface DumpFlags extends StartFlags {
  readonly prefix?: string
  readonly limit?: number
}

export interface RebuildFlags extends StartFlags {
  readonly to: string
}

export interface ExportFlags extends StartFlags {
  readonly format: 'parquet' | 'csv'
  readonly table: TableName
  readonly from?: string
  readonly to?: string
  readonly out: string
}

export type ReconcileFlags = StartFlags

export interface BackfillFlags extends StartFlags {
  readonly empty?: true
  readonly yes?: true
}

export interface RepartitionFlags extends StartFlags {
  readonly topic: readonly string[]
  readonly partitions: number
  readonly to: string
}

export interface MigrateFlags extends StartFlags {
  readonly to?: 'kafka'
  readonly dryRun?: true
  readonly abandon?: true
}

/** A shop that runs: the one on the data directory, unless `url` names it. */
export interface RunningShopFlags extends ConfigFlags {
  readonly url?: string
  readonly json?: true
}

export type DeadLetterFlags = RunningShopFlags

export interface SeedFlags extends RunningShopFlags {
  readonly products: number
  readonly users: number
  /** Units received of each product. */
  readonly stock: number
  /** Granted to each user. */
  readonly points: number
  readonly seed: number
}

export interface DeadLetterListFlags extends DeadLetterFlags {
  readonly topic?: string
  readonly error?: string
  readonly from?: string
  readonly to?: string
  readonly key?: string
  readonly state: 'waiting' | 'sent' | 'all'
  readonly causes?: true
  readonly limit: number
}

export interface DeadLetterShowFlags extends DeadLetterFlags {
  readonly typed?: true
  readonly raw?: true
}

export interface RedriveFlags extends DeadLetterFlags {
  readonly filter: readonly string[]
  readonly dryRun?: true
  readonly ignoreEarlier?: true
}

export interface BindingsFlags {
  readonly json?: true
}

export interface BindingsTryFlags extends BindingsFlags {
  readonly topic: string
  readonly samples?: string
  readonly views?: string
}

export interface MailPreviewFlags {
  readonly template?: string
  readonly locale?: 'en' | 'ko'
  readonly html?: true
  readonly to?: string
  readonly shop: string
}

export interface SuppressedMailFlags extends RunningShopFlags {
  readonly limit: number
  readonly release?: string
}
