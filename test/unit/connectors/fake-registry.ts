/**
 * A schema registry in this process, over real HTTP: enough of Confluent's REST API to register, find and fetch, and a
 * place to make it answer anything else. It writes down every call.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type AvroSchema, checkCompatibility } from '../../../schemas/index.ts'

/** What else to answer; false leaves the call to the registry. */
export type Trouble = (call: string, response: ServerResponse) => boolean

interface Version {
  readonly id: number
  readonly text: string
}

interface Reply {
  readonly status: number
  readonly body: unknown
}

const ok = (body: unknown): Reply => ({ status: 200, body })
const none = (code: number): Reply => ({ status: 404, body: { error_code: code, message: 'not found' } })

export class FakeRegistry {
  /** Every call as `METHOD /path`. */
  readonly calls: string[] = []
  /** Authorization headers that came. */
  readonly credentials = new Set<string | undefined>()
  trouble: Trouble = () => false
  readonly levels = new Map<string, string>()
  readonly #subjects = new Map<string, Version[]>()
  readonly #answers = new Map<number, object>()
  readonly #server: Server
  readonly #port: number
  #lastId = 100

  private constructor(server: Server, port: number) {
    this.#server = server
    this.#port = port
  }

  static async open(port = 0): Promise<FakeRegistry> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    const fake = new FakeRegistry(server, (server.address() as AddressInfo).port)
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void text(request).then((body) => fake.#serve(request, body, response))
    })
    return fake
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/root`
  }

  /** The calls that asked for a schema. */
  get lookups(): readonly string[] {
    return this.calls.filter((call) => call.startsWith('GET /schemas/ids/'))
  }

  /** Puts a schema under an id of no subject. */
  add(schema: AvroSchema | string, id = ++this.#lastId): number {
    return this.answer(id, { schema: typeof schema === 'string' ? schema : JSON.stringify(schema) })
  }

  /** What the registry says of an id, as it is. */
  answer(id: number, body: object): number {
    this.#answers.set(id, body)
    return id
  }

  /** Registers a subject's first schema under an id of the test's choice. */
  put(subject: string, schema: string, id: number): void {
    this.#subjects.set(subject, [{ id: this.add(schema, id), text: schema }])
  }

  texts(subject: string): readonly string[] {
    return (this.#subjects.get(subject) ?? []).map((version) => version.text)
  }

  forget(subject: string): void {
    this.#subjects.delete(subject)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #serve(request: IncomingMessage, body: string, response: ServerResponse): void {
    const call = `${request.method} ${request.url?.replace('/root', '')}`
    this.calls.push(call)
    this.credentials.add(request.headers.authorization)
    if (this.trouble(call, response)) return
    const { schema = '', compatibility = '' } =
      body === '' ? {} : (JSON.parse(body) as Record<string, string>)
    const reply = this.#reply(call, schema, compatibility)
    response.writeHead(reply.status, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
    response.end(JSON.stringify(reply.body))
  }

  #reply(call: string, schema: string, compatibility: string): Reply {
    const [method, path = ''] = call.replace(/\?.*/, '').split(' ')
    const [, room, name = '', action] =
      /^\/(schemas|config|subjects|compatibility)(?:\/ids|\/subjects)?\/([^/]+)(\/versions)?/.exec(path) ?? []
    const versions = this.#subjects.get(name) ?? []
    switch (`${method} ${room}${action ?? ''}`) {
      case 'GET schemas': {
        const answer = this.#answers.get(Number(name))
        return answer === undefined ? none(40403) : ok(answer)
      }
      case 'GET config': {
        const level = this.levels.get(name)
        return level === undefined ? none(40408) : ok({ compatibilityLevel: level })
      }
      case 'PUT config':
        this.levels.set(name, compatibility)
        return ok({ compatibility })
      case 'POST subjects': {
        const found = versions.find((version) => version.text === schema)
        return found === undefined
          ? none(versions.length === 0 ? 40401 : 40403)
          : ok({ id: found.id, schema })
      }
      case 'POST compatibility/versions': {
        const latest = versions.at(-1)
        if (latest === undefined) return none(40402)
        const problems = problemsOf(schema, [latest])
        return ok({ is_compatible: problems.length === 0, messages: problems })
      }
      case 'POST subjects/versions':
        return this.#register(name, versions, schema)
      default:
        return { status: 405, body: { error_code: 405, message: call } }
    }
  }

  #register(name: string, versions: readonly Version[], schema: string): Reply {
    const known = versions.find((version) => version.text === schema)
    if (known !== undefined) return ok({ id: known.id })
    const problems = problemsOf(schema, versions)
    if (problems.length > 0) return { status: 409, body: { error_code: 409, message: problems.join('; ') } }
    const twin = [...this.#subjects.values()].flat().find((version) => version.text === schema)
    const id = twin?.id ?? this.add(schema)
    this.#subjects.set(name, [...versions, { id, text: schema }])
    return ok({ id })
  }
}

function problemsOf(schema: string, versions: readonly Version[]): string[] {
  const newer = JSON.parse(schema) as AvroSchema
  return versions.flatMap(({ text: older }) =>
    checkCompatibility(newer, JSON.parse(older) as AvroSchema).map(String),
  )
}
