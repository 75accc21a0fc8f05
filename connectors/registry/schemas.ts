/**
 * The schemas of a registry, for the codec: ids to write with, known before the first record, and the schemas of
 * whatever ids arrive.
 *
 * Its job: asking once, remembering within bounds, and leaving a registry alone that gives no answer. Not its job: HTTP
 * (`client.ts`), compiling and resolving schemas (the codec, one path for every source).
 *
 * Invariants:
 * 1. One call per id at a time; an id that does not exist is asked for again after `ABSENT_MS` at the soonest, one that
 *    exists never, as long as it is remembered.
 * 2. `load` never rejects: it ends when `byId` has an answer, or when it is worth asking for one again.
 * 3. No answer is never taken for "there is none".
 */
import { type AvroSchema, SchemaError, type SchemaSource, topics } from '../../schemas/index.ts'
import { type Clock, systemClock } from '../../streams/index.ts'
import { Backoff } from './backoff.ts'
import type { RegistryAddress } from './address.ts'
import { RegistryClient } from './client.ts'
import { isRegistryError, RegistryError } from './errors.ts'
import { registerSchema } from './register.ts'
import { type Subject, subjectsOf, type WrittenTopic } from './subjects.ts'
import { writerSchema } from './writer-schema.ts'

/** Milliseconds for which an id that does not exist is not asked for again: it may be registered late. */
const ABSENT_MS = 30_000
/** Ids that do not exist which are remembered; bytes that are no messages can name any. */
const MAX_ABSENT = 10_000
/** Foreign schemas remembered. The codec keeps what it has compiled; this only saves a call. */
const MAX_SCHEMAS = 1_000

export interface RegistrySchemasOptions {
  readonly registry: RegistryAddress
  /** Registers what is not registered, instead of refusing to open. Default false. */
  readonly register?: boolean | undefined
  /** The topics that are written; default all of the catalogue. */
  readonly topics?: readonly WrittenTopic[] | undefined
  readonly clock?: Clock | undefined
  /** Gives up opening, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** The registry gave no answer, or denied one; it is asked again in so many milliseconds if anyone still waits. */
  readonly onUnavailable?: ((error: RegistryError, retryInMs: number) => void) | undefined
}

/**
 * Finds the ids to write with. Waits for a registry that gives no answer; throws `SCHEMA_UNREGISTERED`,
 * `REGISTRY_DENIED`, `REGISTRY_ADDRESS` and, where it registers, `SCHEMA_INCOMPATIBLE` and `SCHEMA_REJECTED`.
 */
export async function openRegistrySchemas(options: RegistrySchemasOptions): Promise<RegistrySchemas> {
  const clock = options.clock ?? systemClock
  const client = new RegistryClient({ ...options.registry, clock })
  const subjects = subjectsOf(options.topics ?? Object.values(topics))
  const backoff = new Backoff(clock)
  const signal = options.signal ?? new AbortController().signal
  try {
    for (;;) {
      signal.throwIfAborted()
      try {
        const ids = await writingIds(client, subjects, options.register === true)
        return new RegistrySchemas(client, subjects, ids, options)
      } catch (error) {
        if (!isRegistryError(error, 'REGISTRY_UNAVAILABLE')) throw error
        backoff.failed()
        options.onUnavailable?.(error, backoff.left)
        await backoff.wait(signal)
      }
    }
  } catch (error) {
    await client.close()
    throw error
  }
}

/** The ids by subject. */
async function writingIds(
  client: RegistryClient,
  subjects: readonly Subject[],
  register: boolean,
): Promise<ReadonlyMap<string, number>> {
  const found = await Promise.all(subjects.map(({ name, text }) => client.find(name, text)))
  const ids = new Map<string, number>()
  const missing: string[] = []
  for (const [index, subject] of subjects.entries()) {
    const id = found[index] ?? (register ? await registerSchema(client, subject) : undefined)
    if (id === undefined) missing.push(subject.name)
    else ids.set(subject.name, id)
  }
  if (missing.length === 0) return ids
  throw new RegistryError('SCHEMA_UNREGISTERED', `${missing.join(', ')}; run: millrace schemas register`)
}

export class RegistrySchemas implements SchemaSource {
  readonly #client: RegistryClient
  readonly #clock: Clock
  readonly #backoff: Backoff
  readonly #onUnavailable: RegistrySchemasOptions['onUnavailable']
  readonly #closing = new AbortController()
  /** Id to write with, by record. */
  readonly #writing = new Map<string, number>()
  /** What we write ourselves; never forgotten. */
  readonly #own = new Map<number, AvroSchema>()
  readonly #foreign = new Map<number, AvroSchema | SchemaError>()
  /** Monotonic time until which an id is taken not to exist. */
  readonly #absent = new Map<number, number>()
  readonly #loading = new Map<number, Promise<void>>()

  /** Use {@link openRegistrySchemas}. */
  constructor(
    client: RegistryClient,
    subjects: readonly Subject[],
    ids: ReadonlyMap<string, number>,
    { clock = systemClock, onUnavailable }: RegistrySchemasOptions,
  ) {
    this.#client = client
    this.#clock = clock
    this.#backoff = new Backoff(clock)
    this.#onUnavailable = onUnavailable
    for (const { name, record, definition } of subjects) {
      const id = ids.get(name) as number
      this.#own.set(id, definition)
      // A record on two topics has one id, or two of which either tells the same.
      if (!this.#writing.has(record)) this.#writing.set(record, id)
    }
  }

  idOf(record: string): number | undefined {
    return this.#writing.get(record)
  }

  byId(id: number): AvroSchema | null | undefined {
    const known = this.#own.get(id) ?? this.#foreign.get(id)
    if (known instanceof SchemaError) throw known
    if (known !== undefined) return known
    const until = this.#absent.get(id)
    return until !== undefined && this.#clock.monotonic() < until ? null : undefined
  }

  load(id: number): Promise<void> {
    const loading = this.#loading.get(id)
    if (loading !== undefined) return loading
    const load = this.#load(id).finally(() => this.#loading.delete(id))
    this.#loading.set(id, load)
    return load
  }

  async #load(id: number): Promise<void> {
    const { signal } = this.#closing
    await this.#backoff.wait(signal)
    if (signal.aborted) return
    try {
      const found = await this.#client.schemaById(id)
      this.#backoff.answered()
      if (found === undefined) remember(this.#absent, MAX_ABSENT, id, this.#clock.monotonic() + ABSENT_MS)
      else remember(this.#foreign, MAX_SCHEMAS, id, writerSchema(id, found))
    } catch (error) {
      if (signal.aborted) return
      this.#backoff.failed()
      this.#onUnavailable?.(error as RegistryError, this.#backoff.left)
      await this.#backoff.wait(signal)
    }
  }

  /** Ends every `load`. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#client.close()
  }
}

/** Sets an entry of a map that forgets the oldest. */
function remember<V>(map: Map<number, V>, limit: number, id: number, value: V): void {
  map.delete(id)
  map.set(id, value)
  if (map.size <= limit) return
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return
  }
}
