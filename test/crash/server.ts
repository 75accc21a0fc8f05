/** `millrace start` in a process of its own, and a client of its API. */
import { join } from 'node:path'
import { Pool } from 'undici'
import { type Child, type ChildOptions, startChild } from '../support/child.ts'

export interface Answer {
  readonly status: number
  // What the API says in JSON; each caller knows what it asked for.
  readonly body: Readonly<Record<string, unknown>>
}

export interface ServerOptions {
  readonly dataDir: string
  /** Configuration as `--set` takes it. */
  readonly set?: readonly string[]
}

const script = join(import.meta.dirname, '../../bin/millrace.js')
/** Connections of the client, each with one request under way. */
const CONNECTIONS = 8

export class Server {
  readonly child: Child
  #pool: Pool | undefined

  constructor({ dataDir, set = [] }: ServerOptions, options: ChildOptions = {}) {
    const settings = set.flatMap((setting) => ['--set', setting])
    const args = ['start', '--json', '--port', '0', '--data-dir', dataDir, '--log-level', 'warn', ...settings]
    this.child = startChild(script, args, options)
  }

  static async ready(options: ServerOptions, childOptions: ChildOptions = {}): Promise<Server> {
    const server = new Server(options, childOptions)
    await server.ready()
    return server
  }

  /** Rejects when the process ends before it is ready, and when it is another one than was started. */
  async ready(): Promise<void> {
    const line = await this.child.line((said) => said.startsWith('{"url"'))
    const { url, pid } = JSON.parse(line) as { readonly url: string; readonly pid: number }
    if (pid !== this.child.pid) throw new Error(`the server is ${pid}, not ${this.child.pid}: who is killed?`)
    this.#pool = new Pool(url, {
      connections: CONNECTIONS,
      headersTimeout: 60_000,
      bodyTimeout: 60_000,
    })
  }

  get(path: string): Promise<Answer> {
    return this.#call('GET', path)
  }

  post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#call('POST', path, JSON.stringify(body), headers)
  }

  put(path: string, body: unknown): Promise<Answer> {
    return this.#call('PUT', path, JSON.stringify(body))
  }

  /** NDJSON: all of the lines or none. */
  postLines(path: string, lines: readonly unknown[]): Promise<Answer> {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
    return this.#call('POST', path, text, { 'content-type': 'application/x-ndjson' })
  }

  async #call(
    method: 'GET' | 'POST' | 'PUT',
    path: string,
    body: string | null = null,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    if (this.#pool === undefined) throw new Error('the server is not ready')
    const type = body === null ? {} : { 'content-type': 'application/json' }
    const answer = await this.#pool.request({ method, path, body, headers: { ...type, ...headers } })
    return { status: answer.statusCode, body: (await answer.body.json()) as Answer['body'] }
  }

  async kill(): Promise<void> {
    await this.child.kill()
    await this.#pool?.destroy()
  }

  /** Ends as an operator would have it end. */
  async stop(): Promise<number | null> {
    await this.#pool?.destroy()
    this.child.signal('SIGTERM')
    return (await this.child.exited).code
  }
}
