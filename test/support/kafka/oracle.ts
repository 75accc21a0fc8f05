/**
 * What Kafka's own Java clients read and write: the judge of ours.
 *
 * Not its job: being quick to write many records; they go through JSON.
 */
import { ask } from './oracle-client.ts'
import { freshName } from './topics.ts'

const TIMEOUT_MS = 30_000

export interface OracleRecord {
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Epoch milliseconds. */
  readonly timestamp: number
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
}

export interface ReadOptions {
  /** Else `read_committed`. */
  readonly isolation?: 'read_committed' | 'read_uncommitted'
  readonly timeoutMs?: number
  /** Settings of the Java consumer, by Kafka's names. */
  readonly config?: Readonly<Record<string, string>>
}

/**
 * All records of a topic from its first up to the end as it is when it is called: the last stable offset, or, for
 * `read_uncommitted`, the high watermark. By partition, then by offset.
 */
export async function readCommitted(
  bootstrap: string,
  topic: string,
  { isolation = 'read_committed', timeoutMs = TIMEOUT_MS, config }: ReadOptions = {},
): Promise<OracleRecord[]> {
  const question = { bootstrap, topic, isolation, timeoutMs, config }
  const { records } = await ask('read', question, { keep: fromWire })
  return (records as OracleRecord[]).sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

export interface FollowedRecord extends OracleRecord {
  readonly topic: string
}

/** A `read_committed` consumer of Java that reads topics along from their first records, while something happens. */
export class JavaFollower {
  readonly #name: string
  readonly #read: Promise<{ records: unknown[] }>

  private constructor(name: string, read: Promise<{ records: unknown[] }>) {
    this.#name = name
    this.#read = read
    read.catch(() => undefined)
  }

  /** Resolves when it reads. */
  static async start(bootstrap: string, topics: readonly string[]): Promise<JavaFollower> {
    const name = freshName('follower')
    let told = (): void => undefined
    const reading = new Promise<void>((resolve) => (told = resolve))
    const content = { name, bootstrap, topics, timeoutMs: TIMEOUT_MS }
    const read = ask('follow', content, { onRecords: () => told() })
    await Promise.race([reading, read])
    return new JavaFollower(name, read)
  }

  /** Everything that it read, as it came, once it has what is committed by now. Rejects with what ended it before. */
  async end(): Promise<FollowedRecord[]> {
    await ask('endFollow', { name: this.#name, drop: false })
    const { records } = await this.#read
    return (records as (WireRecord & { topic: string })[]).map((record) => ({
      ...fromWire(record),
      topic: record.topic,
    }))
  }

  /** Ends it as it is. Idempotent; nothing happens when it has ended. */
  async drop(): Promise<void> {
    await ask('endFollow', { name: this.#name, drop: true })
    await this.#read.catch(() => undefined)
  }
}

function fromWire(record: WireRecord): OracleRecord {
  return {
    ...record,
    key: bytes(record.key),
    value: bytes(record.value),
    headers: record.headers.map(([name, value]) => [name, bytes(value)] as const),
  }
}

export interface RecordToProduce {
  readonly key?: Buffer | string | null
  readonly value?: Buffer | string | null
  /** Else Java's own partitioner chooses. */
  readonly partition?: number
  /** Epoch milliseconds; else now. */
  readonly timestamp?: number
  readonly headers?: readonly (readonly [name: string, value: Buffer | string | null])[]
}

export interface ProduceOptions {
  readonly compression?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  /** Settings of the Java producer, by Kafka's names. For a transactional one only those of its first call count. */
  readonly config?: Readonly<Record<string, string>>
}

export interface Produced {
  readonly partition: number
  readonly offset: number
}

/** Where each of the records went, in their order, once the brokers have acknowledged all. */
export async function produce(
  bootstrap: string,
  topic: string,
  records: readonly RecordToProduce[],
  options: ProduceOptions = {},
): Promise<Produced[]> {
  const { done } = await ask('produce', request(bootstrap, topic, records, options))
  return done as Produced[]
}

/**
 * A transactional Java producer, kept until it is abandoned. Calls go on in the open transaction, or begin one; the
 * brokers have acknowledged the records before it ends, also those that are then aborted.
 */
export class JavaTransactions {
  readonly #bootstrap: string
  readonly #transactionalId: string
  readonly #options: ProduceOptions

  constructor(bootstrap: string, transactionalId: string, options: ProduceOptions = {}) {
    this.#bootstrap = bootstrap
    this.#transactionalId = transactionalId
    this.#options = options
  }

  async produce(
    topic: string,
    records: readonly RecordToProduce[],
    end: 'commit' | 'abort' | 'open',
  ): Promise<Produced[]> {
    const content = request(this.#bootstrap, topic, records, this.#options)
    const { done } = await ask('produce', { ...content, transactionalId: this.#transactionalId, end })
    return done as Produced[]
  }

  async end(how: 'commit' | 'abort'): Promise<void> {
    await ask('endTransaction', { transactionalId: this.#transactionalId, end: how })
  }

  /** As if its process had been killed: what is open stays open until its timeout. */
  async abandon(): Promise<void> {
    await ask('abandon', { transactionalId: this.#transactionalId })
  }
}

interface WireRecord {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [name: string, value: string | null])[]
}

function request(
  bootstrap: string,
  topic: string,
  records: readonly RecordToProduce[],
  { compression, config }: ProduceOptions,
): Readonly<Record<string, unknown>> {
  const wire = records.map(({ key, value, partition, timestamp, headers = [] }) => ({
    key: base64(key),
    value: base64(value),
    partition,
    timestamp,
    headers: headers.map(([name, content]) => [name, base64(content)]),
  }))
  const codec = compression === undefined ? {} : { 'compression.type': compression }
  return { bootstrap, topic, records: wire, config: { ...codec, ...config } }
}

function base64(content: Buffer | string | null | undefined): string | null {
  return content === null || content === undefined ? null : Buffer.from(content as string).toString('base64')
}

function bytes(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text, 'base64')
}
