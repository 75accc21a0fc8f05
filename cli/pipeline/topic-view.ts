/**
 * The newest value of each key of a compacted topic, in memory, read along by this process for itself.
 *
 * Its job: reading every partition without a group, keeping bytes within a bound. Not its job: what the values mean
 * (`replica.ts`).
 *
 * Invariants:
 * 1. Nothing is answered from a partition before all was read that it held when it was opened: what came first may be
 *    older than what the same key got later.
 * 2. What cannot be read on is forgotten and read again from the start: a key that was deleted meanwhile must not stay.
 * 3. Beyond the bound the keys that were written longest ago go, so that what is not here may exist.
 */
import type { Serde } from '../../schemas/index.ts'
import type { Clock, Log, LogRecord, PartitionReader, Position, TopicPartition } from '../../streams/index.ts'

/** Records taken before everything else has its turn. */
const TURN_RECORDS = 64
/** After a fault. */
const RETRY_MS = 10_000
/** Added for each entry to the bytes of its key and value. */
const ENTRY_BYTES = 200

export interface TopicViewOptions<V> {
  readonly log: Pick<Log, 'partitions' | 'bounds' | 'openReader'>
  readonly topic: string
  readonly value: Serde<V>
  readonly clock: Pick<Clock, 'after' | 'yield'>
  /** Keys and values of all partitions together. */
  readonly maxBytes: number
  /** A partition cannot be read just now; it is tried again. */
  readonly onFault: (topic: string, fault: unknown) => void
  /** A key got a value after everything was read that there was; with the value before. */
  readonly onNews?: (value: Buffer, before: Buffer | undefined) => void
  /** Everything was read that there was; again each time after a partition had to be read anew: of that nothing is news. */
  readonly onReady?: () => void
}

export interface Viewed<V> {
  readonly value: V
  /** Up to which the value is the newest of its key. */
  readonly position: Position
}

export class TopicView<V> {
  readonly #options: TopicViewOptions<V>
  #partitions: readonly PartitionView[] = []
  #cancelRetry: (() => void) | undefined

  /** Begins to read. */
  constructor(options: TopicViewOptions<V>) {
    this.#options = options
    this.#open()
  }

  /** All partitions were read to where they ended when they were opened. */
  get ready(): boolean {
    return this.#partitions.length > 0 && this.#partitions.every((partition) => partition.ready)
  }

  /** Everything was read, and nothing went for want of room: a key that is not here is not there. */
  get complete(): boolean {
    return this.ready && this.#partitions.every((partition) => !partition.hasDropped)
  }

  /** Nothing for a key that is not known here; it may exist all the same. Throws what the serde throws. */
  get(key: string): Viewed<V> | undefined {
    for (const partition of this.#partitions) {
      const bytes = partition.get(key)
      if (bytes !== undefined) {
        return { value: this.#options.value.deserialize(bytes), position: partition.position }
      }
    }
    return undefined
  }

  /**
   * Every value that is known here, in no order; with `limit`, of each partition those that were written last, at most
   * so many (1 or more). Throws what the serde throws.
   */
  values(limit = Number.POSITIVE_INFINITY): V[] {
    return this.#partitions.flatMap((partition) =>
      partition.values(limit).map((bytes) => this.#options.value.deserialize(bytes)),
    )
  }

  /** Idempotent. */
  close(): void {
    this.#cancelRetry?.()
    for (const partition of this.#partitions) partition.close()
    this.#partitions = []
  }

  #open(): void {
    const { log, topic, clock, maxBytes, onFault, onNews, onReady } = this.#options
    try {
      const count = log.partitions(topic)
      const share = Math.floor(maxBytes / count)
      const options = {
        log,
        clock,
        maxBytes: share,
        onNews,
        onFault: (fault: unknown) => onFault(topic, fault),
        onReady: () => {
          if (this.ready) onReady?.()
        },
      }
      this.#partitions = Array.from({ length: count }, (_, partition) => {
        return new PartitionView({ topic, partition }, options)
      })
    } catch (fault) {
      onFault(topic, fault)
      this.#cancelRetry = clock.after(RETRY_MS, () => this.#open())
    }
  }
}

interface PartitionViewOptions extends Pick<TopicViewOptions<unknown>, 'log' | 'clock' | 'maxBytes'> {
  readonly onNews: TopicViewOptions<unknown>['onNews'] | undefined
  readonly onFault: (fault: unknown) => void
  readonly onReady: () => void
}

class PartitionView {
  readonly #at: TopicPartition
  readonly #options: PartitionViewOptions
  /** The key that was written longest ago is first. */
  readonly #values = new Map<string, Buffer>()
  #bytes = 0
  /** Whether a key went for want of room. */
  hasDropped = false
  #reader: PartitionReader | undefined
  /** Where the partition ended when it was opened. */
  #target = 0
  #ready = false
  #reading = false
  #readable = false
  #closed = false
  #cancelRetry: (() => void) | undefined

  constructor(at: TopicPartition, options: PartitionViewOptions) {
    this.#at = at
    this.#options = options
    void this.#open()
  }

  get ready(): boolean {
    return this.#ready
  }

  get position(): Position {
    const { topic, partition } = this.#at
    return { topic, partition, offset: this.#reader?.position ?? 0 }
  }

  get(key: string): Buffer | undefined {
    return this.#ready ? this.#values.get(key) : undefined
  }

  values(limit: number): Buffer[] {
    return this.#ready ? [...this.#values.values()].slice(-limit) : []
  }

  close(): void {
    this.#closed = true
    this.#cancelRetry?.()
    this.#forget()
  }

  async #open(): Promise<void> {
    try {
      const { log } = this.#options
      const { start, end } = await log.bounds(this.#at)
      if (this.#closed) return
      const reader = log.openReader(this.#at, start, () => this.#onReadable(reader))
      this.#reader = reader
      this.#target = end
      await this.#read(reader)
    } catch (fault) {
      this.#retry(fault)
    }
  }

  #onReadable(reader: PartitionReader): void {
    if (this.#reader !== reader) return
    this.#readable = true
    if (!this.#reading) this.#read(reader).catch((fault: unknown) => this.#retry(fault))
  }

  async #read(reader: PartitionReader): Promise<void> {
    this.#reading = true
    try {
      for (;;) {
        this.#readable = false
        const records = reader.take(TURN_RECORDS)
        for (const record of records) this.#put(record)
        if (reader.fault !== undefined) throw reader.fault
        if (!this.#ready && reader.position >= this.#target) this.#isReady()
        if (records.length > 0) await this.#options.clock.yield()
        else if (!this.#readable) return
        if (this.#reader !== reader) return
      }
    } finally {
      if (this.#reader === reader) this.#reading = false
    }
  }

  #isReady(): void {
    this.#ready = true
    this.#options.onReady()
  }

  #put({ key, value }: LogRecord): void {
    if (key === null) return
    const name = key.toString()
    const known = this.#values.get(name)
    if (known !== undefined) this.#delete(name, known)
    if (value === null) return
    // The record may be a part of something much larger.
    const bytes = Buffer.from(value)
    this.#values.set(name, bytes)
    this.#bytes += sizeOf(name, bytes)
    if (this.#ready) this.#options.onNews?.(bytes, known)
    for (const [oldest, its] of this.#values) {
      if (this.#bytes <= this.#options.maxBytes) return
      this.hasDropped = true
      this.#delete(oldest, its)
    }
  }

  #delete(name: string, bytes: Buffer): void {
    this.#values.delete(name)
    this.#bytes -= sizeOf(name, bytes)
  }

  #retry(fault: unknown): void {
    if (this.#closed) return
    this.#options.onFault(fault)
    this.#forget()
    this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => void this.#open())
  }

  #forget(): void {
    this.#reader?.close()
    this.#reader = undefined
    this.#reading = false
    this.#ready = false
    this.#values.clear()
    this.#bytes = 0
    this.hasDropped = false
  }
}

function sizeOf(name: string, bytes: Buffer): number {
  return ENTRY_BYTES + name.length + bytes.length
}
