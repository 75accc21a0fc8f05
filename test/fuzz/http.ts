/**
 * HTTP requests made from the API's own description, and spoilt, to a real server in a process of its own: every answer
 * is one that the description allows, and at the end the shop still does its work.
 *
 * Not its job: sockets that are slow or many (`test/api/reliability.test.ts`).
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { Pool } from 'undici'
import { startShop } from '../../cli/load/own-shop.ts'
import { apiErrorTable } from '../../api/index.ts'
import { type Random, seededRandom } from '../support/random.ts'
import { mutateBytes, oddValue, spoilt } from './mutate.ts'
import { avroTargets } from './avro-targets.ts'

const AT_ONCE = 32
const BATCH = 500
/** Out of this many requests, one is bytes on a socket that are no HTTP any more. */
const RAW_ONE_IN = 20
const RAW_TIMEOUT_MS = 2_000
const HEADER_BYTES = 5
const METHODS = ['GET', 'POST', 'PUT'] as const

type Schema = { readonly [name: string]: unknown }
interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly schema: Schema
}
interface Operation {
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: {
    readonly content: Readonly<
      Record<
        string,
        {
          readonly schema?: Schema
          readonly example?: unknown
          readonly examples?: Readonly<Record<string, { readonly value: unknown }>>
        }
      >
    >
  }
}
interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}
interface Request {
  readonly method: (typeof METHODS)[number]
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: Buffer | null
}

export interface HttpRun {
  readonly seed: number
  readonly requests: number
  /** How many answers of each status. */
  readonly statuses: ReadonlyMap<number, number>
  /** Resident memory of the server after each batch, bytes. */
  readonly rss: readonly number[]
}

/** Throws at an answer that should not be, and where the shop does not do its work any more. */
export async function fuzzHttp(seed: number, requests: number): Promise<HttpRun> {
  const shop = await startShop({ stop: new AbortController().signal })
  const pool = new Pool(shop.url, { connections: AT_ONCE })
  try {
    const random = seededRandom(seed)
    const maker = new RequestMaker((await getJson(pool, '/openapi.json')) as Description, random)
    const statuses = new Map<number, number>()
    const rss: number[] = []
    for (let done = 0; done < requests; done += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, requests - done) }, () => maker.next())
      for (let i = 0; i < batch.length; i += AT_ONCE) {
        const some = batch.slice(i, i + AT_ONCE)
        const raw = some.map(() => random.below(RAW_ONE_IN) === 0)
        const answers = some.map((request, at) =>
          raw[at] === true ? rawStatus(shop.url, rawBytes(request, random)) : status(pool, request),
        )
        for (const code of await Promise.all(answers)) statuses.set(code, (statuses.get(code) ?? 0) + 1)
      }
      rss.push(await residentBytes(pool))
    }
    await expectWork(pool)
    return { seed, requests, statuses, rss }
  } finally {
    await pool.destroy()
    await shop.end()
  }
}

/** The status of an answer that may be. 0: the server ended the connection without one. */
async function status(pool: Pool, request: Request): Promise<number> {
  const { statusCode, headers, body } = await pool.request(request)
  const text = await body.text()
  const fault = faultOf(statusCode, String(headers['content-type']), text)
  if (fault !== undefined)
    throw new Error(
      `${fault}: ${statusCode} ${text.slice(0, 500)} to ${JSON.stringify({ ...request, body: request.body?.toString('latin1') })}`,
    )
  return statusCode
}

function faultOf(statusCode: number, type: string, text: string): string | undefined {
  if (statusCode < 400) return undefined
  if (!type.startsWith('application/problem+json')) return 'no problem document'
  const { code, status: said } = JSON.parse(text) as { code: keyof typeof apiErrorTable; status: number }
  if (apiErrorTable[code]?.status !== statusCode || said !== statusCode)
    return 'another status than its code has'
  if (statusCode >= 500 && statusCode !== 503) return 'a fault of the server'
  return /\.ts:\d|node_modules|    at /.test(text) ? 'it shows the inside' : undefined
}

/** Sends bytes and waits for an answer or the end. */
async function rawStatus(url: string, bytes: Buffer): Promise<number> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  const timer = setTimeout(() => socket.destroy(), RAW_TIMEOUT_MS)
  let answer = ''
  socket.on('data', (data: Buffer) => {
    answer += data.toString('latin1')
    socket.end()
  })
  socket.end(bytes)
  await once(socket, 'close')
  clearTimeout(timer)
  const code = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0)
  if (code >= 500 && code !== 503) throw new Error(`${answer.slice(0, 500)} to ${bytes.toString('latin1')}`)
  return code
}

function rawBytes({ method, path, headers, body }: Request, random: Random): Buffer {
  const lines = Object.entries({
    host: 'localhost',
    connection: 'close',
    'content-length': String(body?.length ?? 0),
    ...headers,
  })
  const head = [`${method} ${path} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`), '', '']
  const bytes = Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), body ?? Buffer.alloc(0)])
  return mutateBytes(bytes, random, bytes)
}

async function residentBytes(pool: Pool): Promise<number> {
  const { body } = await pool.request({ method: 'GET', path: '/metrics' })
  return Number(/^process_resident_memory_bytes ([\d.e+]+)$/m.exec(await body.text())?.[1])
}

/** Every task runs, and a coupon that is asked for is given. */
async function expectWork(pool: Pool): Promise<void> {
  await getJson(pool, '/readyz')
  const campaign = {
    name: 'after the storm',
    quota: 1,
    perUserLimit: 1,
    opensAt: 0,
    closesAt: 4_000_000_000_000,
    discount: { kind: 'PERCENT', value: 10 },
  }
  await getJson(pool, '/v1/coupons/after-the-storm', 'PUT', campaign)
  await getJson(pool, '/v1/coupons/after-the-storm/requests', 'POST', { userId: 'u', requestId: 'r' })
  const verdict = await getJson(pool, '/v1/coupons/after-the-storm/requests/r?wait=10s')
  if ((verdict as { status: string }).status !== 'ISSUED')
    throw new Error(`the verdict is ${JSON.stringify(verdict)}`)
}

async function getJson(
  pool: Pool,
  path: string,
  method: Request['method'] = 'GET',
  value?: object,
): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  const { statusCode, body } = await pool.request({
    method,
    path,
    headers,
    body: value === undefined ? null : JSON.stringify(value),
  })
  const text = await body.text()
  if (statusCode >= 300) throw new Error(`${method} ${path}: ${statusCode} ${text}`)
  return JSON.parse(text)
}

/** Makes requests that fit the description, and some that nearly do. */
class RequestMaker {
  readonly #random: Random
  readonly #schemas: Description['components']['schemas']
  readonly #operations: readonly { method: Request['method']; path: string; operation: Operation }[]
  readonly #messages = avroTargets().flatMap(({ messages }) => messages)

  constructor({ paths, components }: Description, random: Random) {
    this.#random = random
    this.#schemas = components.schemas
    this.#operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method: method.toUpperCase() as Request['method'],
        path,
        operation,
      })),
    )
  }

  next(): Request {
    const random = this.#random
    const { method, path, operation } = random.pick(this.#operations)
    const parameters = operation.parameters ?? []
    const headers: Record<string, string> = {}
    let filled = path
    const query = new URLSearchParams()
    for (const { name, in: place, required, schema } of parameters) {
      const value = this.#text(schema)
      if (place === 'path') filled = filled.replace(`{${name}}`, encodeURIComponent(value))
      else if (required !== true && random.chance(1 / 2)) continue
      // Long waits are for other tests.
      else if (place === 'query') query.set(name, name === 'wait' && /^\d+m?s$/.test(value) ? '1ms' : value)
      else headers[name] = inHeader(value)
    }
    const search = query.size === 0 ? '' : `?${query.toString()}`
    const body = this.#body(operation, headers)
    const spoilMethod = random.chance(1 / 50)
    const sent = spoilMethod ? random.pick(METHODS) : method
    return { method: sent, path: `${filled}${search}`, headers, body: sent === 'GET' ? null : body }
  }

  #body({ requestBody }: Operation, headers: Record<string, string>): Buffer | null {
    const random = this.#random
    if (requestBody === undefined) return null
    const [type, { schema, example, examples }] = random.pick(Object.entries(requestBody.content))
    headers['content-type'] = random.chance(1 / 50) ? 'text/plain' : type
    if (/avro|octet/.test(type)) {
      const message = random.pick(this.#messages)
      return random.chance(1 / 4)
        ? message
        : mutateBytes(message, random, random.pick(this.#messages), HEADER_BYTES)
    }
    const given = [example, ...Object.values(examples ?? {}).map(({ value }) => value)].filter(
      (one) => one !== undefined,
    )
    const value = given.length > 0 && random.chance(2 / 3) ? random.pick(given) : this.#value(schema ?? {}, 0)
    const text = asBody(random.chance(1 / 2) ? value : spoilt(value, random))
    return random.chance(1 / 10) ? mutateBytes(text, random, text) : text
  }

  #text(schema: Schema): string {
    const value = this.#random.chance(1 / 6) ? oddValue(this.#random) : this.#value(schema, 0)
    const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
    return text.toWellFormed().slice(0, 9_000)
  }

  /** A value that a JSON schema describes, as far as it is read here. */
  #value(schema: Schema, depth: number): unknown {
    const random = this.#random
    const { $ref: reference, enum: values, const: only, anyOf, oneOf, examples, type, pattern } = schema
    if (typeof reference === 'string')
      return this.#value(this.#schemas[reference.split('/').at(-1) ?? ''] ?? {}, depth)
    if (only !== undefined) return only
    if (Array.isArray(values)) return random.pick(values) as unknown
    const choices = (anyOf ?? oneOf) as readonly Schema[] | undefined
    if (choices !== undefined) return this.#value(random.pick(choices), depth)
    if (Array.isArray(examples) && examples.length > 0) return random.pick(examples) as unknown
    switch (type) {
      case 'object':
        return this.#object(schema, depth)
      case 'array':
        return Array.from({ length: depth > 3 ? 0 : random.below(3) }, () =>
          this.#value(schema['items'] as Schema, depth + 1),
        )
      case 'integer':
      case 'number':
        return Number(schema['minimum'] ?? 0) + random.below(1_000)
      case 'boolean':
        return random.chance(1 / 2)
      default:
        return pattern === undefined ? `t${random.below(20)}` : `id-${random.below(20)}`
    }
  }

  #object({ properties, required }: Schema, depth: number): unknown {
    const all = Object.entries((properties ?? {}) as Readonly<Record<string, Schema>>)
    const needed = new Set((required ?? []) as readonly string[])
    const some = all.filter(([name]) => needed.has(name) || this.#random.chance(1 / 2))
    return Object.fromEntries(some.map(([name, schema]) => [name, this.#value(schema, depth + 1)]))
  }
}

function asBody(value: unknown): Buffer {
  return Buffer.from(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))
}

/** What Node's client lets through. */
function inHeader(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 2_000)
}
