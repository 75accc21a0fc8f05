/** What a log on a cluster is told. */
import type { Codec } from './batches/compression.ts'
import type { FetchLimits } from './fetcher.ts'
import type { TopicsOptions } from './topics.ts'

export interface KafkaHooks {
  /** Open transactions of producers that are gone were ended. */
  onFenced(topology: string, transactionalIds: readonly string[]): void
  /** A member of a group gets no tasks: its metadata cannot be read. */
  onUnreadableMember(topology: string, member: string, reason: string): void
  /** No broker answered the start for half a minute; it goes on waiting. */
  onUnavailable(error: Error): void
}

export interface KafkaLogOptions {
  readonly application: string
  /** This process's place in its groups, the same over restarts: letters, digits, underscores and hyphens. */
  readonly slot: string
  /** Tells this process from others and from its own next start; drawn unless told. */
  readonly processId?: string
  /** Where this process answers queries: `http://host:port`. */
  readonly address?: string
  /** Of the program, for people who look at the groups. */
  readonly version: string
  readonly guarantee?: 'exactly-once' | 'at-least-once'
  /** A process that is silent for so long is dead. Milliseconds; 10 s. */
  readonly sessionTimeoutMs?: number
  /** A commit that takes longer is aborted by the brokers. Milliseconds; 30 s. */
  readonly transactionTimeoutMs?: number
  /** Whether the groups are left at the end, or a restart within the session timeout is waited for; false unless told. */
  readonly leaves?: boolean
  /** Other processes that keep the state of each task up, so that it can run there at once; 0 unless told, at most 8. */
  readonly standbys?: number
  readonly topics?: TopicsOptions
  readonly compression?: Codec
  /** Bytes of one record with all its framing; what brokers take by default unless told. */
  readonly maxRecordBytes?: number
  readonly fetch?: Partial<FetchLimits>
  readonly hooks?: Partial<KafkaHooks>
}
