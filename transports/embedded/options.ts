/** What an embedded log can be told; every limit with its unit. */
import { StreamsError } from '../../streams/index.ts'

const KIBIBYTE = 1024
const MEBIBYTE = 1024 * KIBIBYTE

/** What became of one batch. */
export interface BatchEvent {
  readonly records: number
  /** Bytes of all keys and values written. */
  readonly bytes: number
  /** From taking the waiting calls to the disk's answer. */
  readonly ms: number
  readonly appends: number
  readonly commits: number
}

export interface EmbeddedLogHooks {
  /** After every batch that is durable. */
  onBatch?(event: BatchEvent): void
  /** A batch failed, the database could not be opened again, or housekeeping failed. */
  onFault?(error: Error): void
}

export interface EmbeddedLogLimits {
  /** Key, value and headers of one record together; more is `RECORD_TOO_LARGE`. 1 MiB. */
  readonly maxRecordBytes: number
  /** Appends that wait for the disk; beyond is `LOG_BUSY`. 32 MiB. */
  readonly maxWaitingBytes: number
  /** The same in records. 100,000. */
  readonly maxWaitingRecords: number
  /** One batch of the database takes no further waiting call beyond this. 8 MiB. */
  readonly maxBatchBytes: number
  /** Size of the data directory beyond which appends are `LOG_FULL`; commits still go through. 20 GiB. */
  readonly maxDiskBytes: number
  /** Newest records of all partitions in memory. 16 MiB. */
  readonly tailCacheBytes: number
  /** A reader's page; it holds two at most. 1 MiB. */
  readonly readAheadBytes: number
  /** LevelDB's write buffer; up to two are held. A large one merges less, a small one keeps appends waiting for less long (bench/README.md). 8 MiB. */
  readonly writeBufferBytes: number
  /** LevelDB's blocks in memory. 16 MiB. */
  readonly blockCacheBytes: number
  /** Files that LevelDB holds open at most. 256. */
  readonly maxOpenFiles: number
  /** Milliseconds between rounds of housekeeping; 0: only when `housekeep` is called. 10 s. */
  readonly housekeepingIntervalMs: number
  /** Bytes of log rows that one slice of housekeeping deletes or rewrites at most, or one row. 1 MiB. */
  readonly housekeepingSliceBytes: number
  /** Deletions in compacted topics are kept at least this long, so that every reader sees them. 24 h. */
  readonly tombstoneRetentionMs: number
}

export interface EmbeddedLogOptions extends Partial<EmbeddedLogLimits> {
  /** The data directory; made if it is not there. */
  readonly directory: string
  /** Whose log it is: the directory of another application is refused. */
  readonly application: string
  /** The system clock, epoch milliseconds. */
  readonly clock?: { now(): number }
  /** Whether every block of every table is checked at open, at about 1 GB/s; on unless told. */
  readonly checkTables?: boolean
  /** False exists for the test that proves that syncing matters: a power cut then loses what was acknowledged. */
  readonly sync?: boolean
  readonly hooks?: EmbeddedLogHooks
}

export const defaultLimits: EmbeddedLogLimits = Object.freeze({
  maxRecordBytes: MEBIBYTE,
  maxWaitingBytes: 32 * MEBIBYTE,
  maxWaitingRecords: 100_000,
  maxBatchBytes: 8 * MEBIBYTE,
  maxDiskBytes: 20 * 1024 * MEBIBYTE,
  tailCacheBytes: 16 * MEBIBYTE,
  readAheadBytes: MEBIBYTE,
  writeBufferBytes: 8 * MEBIBYTE,
  blockCacheBytes: 16 * MEBIBYTE,
  maxOpenFiles: 256,
  housekeepingIntervalMs: 10_000,
  housekeepingSliceBytes: MEBIBYTE,
  tombstoneRetentionMs: 24 * 60 * 60 * 1000,
})

/** The limits with what was told in place of the defaults. Throws a `RangeError` naming the limit that makes no sense. */
export function limitsOf(options: EmbeddedLogOptions): EmbeddedLogLimits {
  const limits: Record<string, number> = { ...defaultLimits }
  for (const name of Object.keys(defaultLimits) as (keyof EmbeddedLogLimits)[]) {
    const value = options[name] ?? defaultLimits[name]
    const least = name === 'housekeepingIntervalMs' || name === 'tombstoneRetentionMs' ? 0 : 1
    if (!(value >= least)) throw new RangeError(`${name} must be at least ${least}, not ${value}`)
    limits[name] = value
  }
  return limits as unknown as EmbeddedLogLimits
}

export function closedError(): StreamsError {
  return new StreamsError('LOG_CLOSED', 'it takes nothing any more')
}
