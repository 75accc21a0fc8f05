/** Two processes that issue coupons from the same topics: ours, and one on Kafka Streams with RocksDB. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { pomJars } from '../cli/local-cluster/artifacts.ts'
import { runProgram } from '../cli/local-cluster/run-program.ts'

const COMPILE_TIMEOUT_MS = 120_000
const RIVAL = join(import.meta.dirname, 'rivals', 'kafka-streams')
const OURS = join(import.meta.dirname, 'apps', 'coupon-issuer.ts')
const RIVAL_HEAP_MB = 1024

export interface CouponApp {
  readonly bootstrap: string
  /** Prefix of all that belongs to the run. */
  readonly application: string
  /** Of the tasks' databases. */
  readonly directory: string
  /** Prefix of the topics with the results: `issued` and `rejected`. */
  readonly output: string
  readonly commitIntervalMs: number
  /** A claim that must be there, to be asked for as soon as may be. */
  readonly known?: { readonly couponId: string; readonly userId: string }
}

export interface Told {
  readonly at: string
  /** Epoch milliseconds. */
  readonly ms: number
  readonly records?: number
  /** When it began, epoch milliseconds. */
  readonly since?: number
}

export type StartApp = (app: CouponApp) => AppProcess

export const startOurs: StartApp = (app) => new AppProcess(process.execPath, [OURS, JSON.stringify(app)])

/**
 * Compiles the program on Kafka Streams. `requests`: whether it keeps every verdict under its request's id, as ours
 * does, so that a request that comes again is told the same.
 */
export async function rival(java: string, directory: string): Promise<(requests: boolean) => StartApp> {
  const jars = await pomJars(join(RIVAL, 'pom.xml'), 'Kafka Streams', { env: process.env })
  const classes = join(directory, 'rival')
  const sources = globSync('*.java', { cwd: join(RIVAL, 'java') }).map((file) => join(RIVAL, 'java', file))
  const javac = ['-d', classes, '-cp', join(jars, '*'), ...sources]
  await runProgram(java.replace(/java$/, 'javac'), javac, { timeoutMs: COMPILE_TIMEOUT_MS })
  const path = [classes, join(jars, '*')].join(delimiter)
  return (requests) =>
    ({ known, ...app }) => {
      const properties = { ...app, ...known, requests, instance: `${app.application}-a` }
      const settings = Object.entries(properties).map(([name, value]) => `-D${name}=${value}`)
      const options = [`-Xmx${RIVAL_HEAP_MB}m`, '-Dorg.slf4j.simpleLogger.defaultLogLevel=error']
      return new AppProcess(java, [...options, ...settings, '-cp', path, 'Coupons'])
    }
}

/** A process that tells what happens to it, and ends with this one. */
export class AppProcess {
  readonly told: Told[] = []
  /** Epoch milliseconds. */
  readonly startedAt = Date.now()
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #waiters = new Map<string, (told: Told) => void>()

  constructor(program: string, args: readonly string[]) {
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#exited = once(this.#child, 'exit')
    this.#exited.catch(() => undefined)
    process.once('exit', this.#end)
    if (this.#child.stdout === null) throw new Error('its output is not ours to read')
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      if (line.startsWith('{"at":')) this.#heard(JSON.parse(line) as Told)
    })
  }

  get pid(): number {
    if (this.#child.pid === undefined || this.#child.exitCode !== null)
      throw new Error('the process has ended')
    return this.#child.pid
  }

  /** The first line of this name, told already or to come. Rejects when the process ends before. */
  async line(at: string): Promise<Told> {
    const known = this.told.find((told) => told.at === at)
    if (known !== undefined) return known
    const heard = new Promise<Told>((resolve) => this.#waiters.set(at, resolve))
    return Promise.race([heard, this.ended()])
  }

  /** Rejects when the process ends. */
  async ended(): Promise<never> {
    await this.#exited
    throw new Error('the process ended by itself')
  }

  /** `kill -9`; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#end()
    await this.#exited
    process.off('exit', this.#end)
  }

  readonly #end = (): void => void this.#child.kill('SIGKILL')

  #heard(told: Told): void {
    this.told.push(told)
    this.#waiters.get(told.at)?.(told)
    this.#waiters.delete(told.at)
  }
}
