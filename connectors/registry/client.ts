/**
 * The questions that a schema registry with Confluent's REST API is asked.
 *
 * Its job: one bounded HTTP call per question, and telling a registry's "there is none" from everything else that has
 * status 404. Not its job: remembering answers (`schemas.ts`), trying again, registering (`register.ts`).
 *
 * Not the library that registers: it gives a refused connection the status 400 and hides the error code of a 404, so a
 * proxy that has lost its registry would look like one that knows no schema; it compiles a schema before anyone can
 * look at it; and it reads bodies of any size for any time.
 *
 * Invariants:
 * 1. Every call ends within its timeout, after one request and at most `MAX_BODY_BYTES` of body.
 * 2. "There is none" is only what a registry says in its own words: status 404 with an error code of its own.
 */
import { errors, Pool } from 'undici'
import { MAX_SCHEMA_ID } from '../../schemas/index.ts'
import { type Clock, systemClock } from '../../streams/index.ts'
import { parseAddress, type RegistryAddress } from './address.ts'
import { RegistryError } from './errors.ts'

/** Milliseconds for one call, connecting and reading included. */
const CALL_TIMEOUT_MS = 5_000
/** An answer that is longer is not read. JSON in JSON: a schema of `MAX_SCHEMA_BYTES` may take twice as much. */
const MAX_BODY_BYTES = 1024 * 1024
/** Connections to the registry at a time; more calls wait, within their timeout. */
const MAX_CONNECTIONS = 4
/** How much of a registry's own words an error repeats. */
const MAX_REASON_CHARS = 500
const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json'

export interface RegistryClientOptions extends RegistryAddress {
  readonly clock?: Clock | undefined
}

/** A schema as a registry gives it: text that nobody has looked at. */
export interface RegisteredText {
  readonly text: string
  /** `AVRO` unless it says otherwise. */
  readonly type: string
  /** It needs schemas of other subjects. */
  readonly hasReferences: boolean
}

export interface Compatibility {
  readonly compatible: boolean
  /** In the registry's words; empty when it has none. */
  readonly reason: string
}

type Json = Readonly<Record<string, unknown>>

interface Answer {
  readonly status: number
  readonly body: Json
}

export class RegistryClient {
  readonly #clock: Clock
  /** Private, so that nothing prints it. */
  readonly #address: RegistryAddress
  readonly #pool: Pool
  readonly #root: string
  readonly #headers: Readonly<Record<string, string>>

  /** Opens nothing yet. Throws `REGISTRY_ADDRESS`. */
  constructor({ url, auth, clock = systemClock }: RegistryClientOptions) {
    this.#address = { url: url.replace(/\/+$/, ''), auth }
    this.#clock = clock
    const { origin, pathname } = parseAddress(this.#address)
    this.#root = pathname.replace(/\/+$/, '')
    this.#pool = new Pool(origin, { connections: MAX_CONNECTIONS, maxResponseSize: MAX_BODY_BYTES })
    const credentials = auth === undefined ? undefined : `${auth.username}:${auth.password}`
    this.#headers = {
      accept: `${CONTENT_TYPE}, application/json`,
      'content-type': CONTENT_TYPE,
      ...(credentials && { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
    }
  }

  /** As given, without a slash at its end. */
  get address(): RegistryAddress {
    return this.#address
  }

  /** The schema of an id; undefined: there is none; `too-long`: more than `MAX_BODY_BYTES`. */
  async schemaById(id: number): Promise<RegisteredText | undefined | 'too-long'> {
    const path = `/schemas/ids/${id}`
    const answer = await this.#ask('GET', path)
    if (answer === 'too-long') return answer
    if (isNone(answer)) return undefined
    const { schema, schemaType = 'AVRO', references = [] } = this.#ok(answer, path).body
    if (typeof schema !== 'string') throw this.#strange(path, 'no schema')
    return {
      text: schema,
      type: String(schemaType),
      hasReferences: !Array.isArray(references) || references.length > 0,
    }
  }

  /** The id under which a subject has exactly this schema; undefined: the schema, or the subject, is not there. */
  async find(subject: string, text: string): Promise<number | undefined> {
    const path = `/subjects/${encodeURIComponent(subject)}`
    const answer = await this.#whole('POST', path, { schema: text })
    return isNone(answer) ? undefined : this.#id(this.#ok(answer, path), path)
  }

  /** Whether a schema may follow the newest one of its subject; undefined: the subject has none. */
  async compatibility(subject: string, text: string): Promise<Compatibility | undefined> {
    const path = `/compatibility/subjects/${encodeURIComponent(subject)}/versions/latest?verbose=true`
    const answer = await this.#whole('POST', path, { schema: text })
    if (isNone(answer)) return undefined
    const { is_compatible: compatible, reason, messages } = this.#ok(answer, path).body
    if (typeof compatible !== 'boolean') throw this.#strange(path, 'no verdict')
    return { compatible, reason: shorten(Array.isArray(messages) ? messages.join('; ') : reason) }
  }

  /** The compatibility level of a subject, e.g. `FULL_TRANSITIVE`; undefined: it has none of its own. */
  async level(subject: string): Promise<string | undefined> {
    const path = `/config/${encodeURIComponent(subject)}`
    const answer = await this.#whole('GET', path)
    if (isNone(answer)) return undefined
    const { compatibilityLevel: level } = this.#ok(answer, path).body
    if (typeof level !== 'string') throw this.#strange(path, 'no level')
    return level
  }

  /** Sets the level of a subject, which need not have a schema yet. */
  async setLevel(subject: string, level: string): Promise<void> {
    const path = `/config/${encodeURIComponent(subject)}`
    this.#ok(await this.#whole('PUT', path, { compatibility: level }), path)
  }

  /** Rejects when a call takes too long, whether or not it notices the signal. */
  async within<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController()
    const timeout = new Promise<never>((_, reject) => {
      late.signal.addEventListener('abort', () => reject(late.signal.reason as Error))
    })
    const cancel = this.#clock.after(CALL_TIMEOUT_MS, () =>
      late.abort(new Error(`no answer within ${CALL_TIMEOUT_MS} ms`)),
    )
    try {
      return await Promise.race([call(late.signal), timeout])
    } finally {
      cancel()
    }
  }

  /** Ends what is under way. Idempotent. */
  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  #id({ body }: Answer, path: string): number {
    const { id } = body
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= MAX_SCHEMA_ID) return id
    throw this.#strange(path, 'no id')
  }

  #ok(answer: Answer, path: string): Answer {
    if (answer.status >= 200 && answer.status < 300) return answer
    throw refusal(answer.status, `${this.#place(path)} answers ${answer.status}`, answer.body['message'])
  }

  #strange(path: string, what: string): RegistryError {
    return new RegistryError('REGISTRY_UNAVAILABLE', `${this.#place(path)} is not a registry's: ${what}`)
  }

  #place(path: string): string {
    return `${this.#address.url}${path}`
  }

  async #whole(method: 'GET' | 'POST' | 'PUT', path: string, body?: Json): Promise<Answer> {
    const answer = await this.#ask(method, path, body)
    if (answer === 'too-long') throw this.#strange(path, `more than ${MAX_BODY_BYTES} bytes`)
    return answer
  }

  async #ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: Json): Promise<Answer | 'too-long'> {
    try {
      return await this.within(async (signal) => {
        const response = await this.#pool.request({
          method,
          path: `${this.#root}${path}`,
          headers: this.#headers,
          body: body === undefined ? null : JSON.stringify(body),
          signal,
        })
        return { status: response.statusCode, body: parse(await response.body.text()) }
      })
    } catch (cause) {
      if (cause instanceof errors.ResponseExceededMaxSizeError) return 'too-long'
      throw new RegistryError('REGISTRY_UNAVAILABLE', `${method} ${this.#place(path)}`, { cause })
    }
  }
}

/** What a status that is no success means. */
export function refusal(status: number, where: string, message: unknown): RegistryError {
  const reason = shorten(message)
  const detail = reason === '' ? where : `${where}: ${reason}`
  if (status === 401 || status === 403) return new RegistryError('REGISTRY_DENIED', detail)
  if (status === 409) return new RegistryError('SCHEMA_INCOMPATIBLE', detail)
  if (status === 422) return new RegistryError('SCHEMA_REJECTED', detail)
  return new RegistryError('REGISTRY_UNAVAILABLE', detail)
}

/** The registry's own codes for an unknown subject, version, schema or level are 404 and two digits. */
function isNone({ status, body }: Answer): boolean {
  const code = body['error_code']
  return status === 404 && typeof code === 'number' && Math.floor(code / 100) === 404
}

function parse(text: string): Json {
  try {
    const json: unknown = JSON.parse(text)
    return typeof json === 'object' && json !== null ? (json as Json) : {}
  } catch {
    return {}
  }
}

function shorten(reason: unknown): string {
  return typeof reason === 'string' ? reason.slice(0, MAX_REASON_CHARS) : ''
}
