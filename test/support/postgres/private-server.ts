/**
 * A PostgreSQL server of its own on a free port, in a temporary directory: it can be stopped, killed and started again.
 *
 * It keeps no socket but the one on the loopback address, trusts whoever asks, and syncs nothing: what a killed process
 * wrote the system still has.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { freePort } from '../../../cli/local-cluster/ports.ts'
import { runProgram } from '../../../cli/local-cluster/run-program.ts'
import { postgresBinaries, postgresRunner } from './binaries.ts'

const INIT_TIMEOUT_MS = 60_000
const START_TIMEOUT_MS = 60_000
/** The processes of a killed server need a moment to notice; until then the next one does not start. */
const TRY_AGAIN_MS = 100
const TAIL_LINES = 20

export class PrivatePostgres {
  readonly port: number
  readonly #directory: string
  #server: Server | undefined

  private constructor(directory: string, port: number) {
    this.#directory = directory
    this.port = port
  }

  static async start(): Promise<PrivatePostgres> {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-postgres-'))
    const runner = postgresRunner()
    if (runner !== undefined) await chown(directory, runner.uid, runner.gid)
    const postgres = new PrivatePostgres(directory, await freePort())
    try {
      await postgres.#initialize()
      await postgres.restart()
      return postgres
    } catch (error) {
      await postgres.close()
      throw error
    }
  }

  /** `postgres://postgres@127.0.0.1:<port>`, to which a database's name is added. */
  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}`
  }

  /** Makes an empty database and answers its address. */
  database(name: string): Promise<string> {
    return makeDatabase(this.url, name)
  }

  /** Resolves once it takes connections. Nothing happens where it runs. */
  async restart(): Promise<void> {
    const until = Date.now() + START_TIMEOUT_MS
    while (this.#server?.running !== true) {
      const server = new Server(this.#directory, this.port)
      if (await server.ready()) {
        this.#server = server
        return
      }
      if (Date.now() > until) throw new Error(`PostgreSQL does not start:\n${server.said}`)
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS))
    }
  }

  /** As an operator stops it: sessions are ended, what is committed is kept. */
  async stop(): Promise<void> {
    await this.#server?.end('SIGINT')
  }

  /** `kill -9` of the whole server. */
  async kill(): Promise<void> {
    await this.#server?.end('SIGKILL')
  }

  /** Nothing is left of it. Idempotent. */
  async close(): Promise<void> {
    await this.#server?.end('SIGQUIT')
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5, retryDelay: TRY_AGAIN_MS })
  }

  async #initialize(): Promise<void> {
    const flags = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync']
    const program = [join(postgresBinaries(), 'initdb'), ...flags, '-D', join(this.#directory, 'data')]
    const [first, ...rest] = [...asRunner(), ...program] as [string, ...string[]]
    await runProgram(first, rest, { cwd: this.#directory, timeoutMs: INIT_TIMEOUT_MS })
  }
}

/** Makes an empty database on the server at `url` and answers its address. */
export async function makeDatabase(url: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: `${url}/postgres` })
  await client.connect()
  try {
    await client.query(`CREATE DATABASE "${name}"`)
  } finally {
    await client.end()
  }
  return `${url}/${name}`
}

/** In front of a program: `setpriv` keeps its place in the tree of processes, as `su` does not. */
function asRunner(): string[] {
  const runner = postgresRunner()
  if (runner === undefined) return []
  return ['setpriv', `--reuid=${runner.uid}`, `--regid=${runner.gid}`, '--clear-groups']
}

/** One life of the server. */
class Server {
  readonly #process: ChildProcess
  readonly #ended: Promise<void>
  readonly #ready: Promise<boolean>
  readonly #lines: string[] = []
  running = true

  constructor(directory: string, port: number) {
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off']
    const flags = settings.flatMap((setting) => ['-c', setting])
    const program = [join(postgresBinaries(), 'postgres'), '-D', join(directory, 'data')]
    const [first, ...rest] = [...asRunner(), ...program, '-p', `${port}`, ...flags] as [string, ...string[]]
    this.#process = spawn(first, rest, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
    this.#ended = new Promise((resolve) => {
      const ended = (): void => {
        this.running = false
        resolve()
      }
      this.#process.once('exit', ended)
      this.#process.once('error', ended)
    })
    const listening = new Promise<boolean>((resolve) => {
      const stderr = this.#process.stderr as NodeJS.ReadableStream
      createInterface({ input: stderr }).on('line', (line) => {
        this.#lines.push(line)
        this.#lines.splice(0, this.#lines.length - TAIL_LINES)
        if (line.includes('database system is ready to accept connections')) resolve(true)
      })
    })
    this.#ready = Promise.race([listening, this.#ended.then(() => false)])
  }

  get said(): string {
    return this.#lines.join('\n')
  }

  /** False where it ended instead. */
  ready(): Promise<boolean> {
    return this.#ready
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.running) this.#process.kill(signal)
    await this.#ended
  }
}
