/** Starts the engine in a process of its own and talks to it. */
import { join } from 'node:path'
import { Pool } from 'undici'
import type { RequestState } from '../../schemas/index.ts'
import type { AppendResult } from '../../streams/index.ts'
import type { EmbeddedLogOptions } from '../../transports/embedded/index.ts'
import { type Child, type ChildOptions, startChild } from '../support/child.ts'
import type { PlainRecord } from '../support/engine-shop.ts'
import type { ShopOptions } from '../support/orders/shop.ts'

export interface HarnessOptions {
  /** A shop that takes orders, instead of one of coupons; see `orderShop`. */
  readonly orders?: ShopOptions
  readonly log: Omit<EmbeddedLogOptions, 'application' | 'hooks' | 'clock'>
  readonly commitIntervalMs?: number
  /** Takes appends and runs no topology. */
  readonly paused?: boolean
  /** Says `writing` right before a batch of more bytes is given to the database. */
  readonly announceOverBytes?: number
  /** A fault: this commit with state rows is written without its state, or without its positions; then kill -9. */
  readonly tearing?: { readonly atCommit: number; readonly lost: 'state' | 'positions' }
}

/** What the engine said no to; `code` is the engine's. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number
  readonly code: string

  constructor(status: number, code: string) {
    super(`${status} ${code}`)
    this.status = status
    this.code = code
  }
}

const script = join(import.meta.dirname, 'harness-process.ts')

export class Harness {
  readonly child: Child
  #pool: Pool | undefined

  constructor(options: HarnessOptions, childOptions: ChildOptions = {}) {
    this.child = startChild(script, [JSON.stringify(options)], childOptions)
  }

  static async ready(options: HarnessOptions, childOptions: ChildOptions = {}): Promise<Harness> {
    const harness = new Harness(options, childOptions)
    await harness.ready()
    return harness
  }

  /** Resolves when the process says where it is: `opening`, `opened`, `ready`, `writing` (the `time`th). Rejects when it ends before. */
  async stage(at: string, time = 1): Promise<Record<string, unknown>> {
    let times = 0
    const line = await this.child.line((said) => said.startsWith(`{"at":"${at}"`) && ++times === time)
    return JSON.parse(line) as Record<string, unknown>
  }

  async ready(): Promise<void> {
    if (this.#pool !== undefined) return
    const { port } = await this.stage('ready')
    this.#pool = new Pool(`http://127.0.0.1:${String(port)}`, {
      connections: 8,
      headersTimeout: 30_000,
      bodyTimeout: 30_000,
    })
  }

  /** Positions once the records are durable. Throws `Refused`, and what a broken connection throws. */
  async append(records: readonly PlainRecord[]): Promise<readonly AppendResult[]> {
    const { positions } = await this.#post<{ positions: AppendResult[] }>('/append', records)
    return positions
  }

  /** Committed verdicts, in the order of the ids; null where there is none. */
  verdicts(couponId: string, requestIds: readonly string[]): Promise<readonly (RequestState | null)[]> {
    return this.#post('/verdicts', { couponId, requestIds })
  }

  /** Whether everything that reads the topic has committed the record at this position, waiting for it a while. */
  reached(position: { topic: string; partition: number; offset: number }): Promise<boolean> {
    return this.#post('/reached', position)
  }

  /** Resolves, with nothing, when the process has nothing left to do. */
  async drained(): Promise<undefined> {
    await this.ready()
    await this.#post('/drained', {})
    return undefined
  }

  health(): Promise<readonly { topology: string; state: string; failures: string[] }[]> {
    return this.#post('/health', {})
  }

  async kill(): Promise<void> {
    await this.child.kill()
    await this.#pool?.destroy()
  }

  /** Ends as an operator would have it end. */
  async stop(): Promise<void> {
    this.child.signal('SIGTERM')
    await this.child.exited
    await this.#pool?.destroy()
  }

  async #post<T>(path: string, body: unknown): Promise<T> {
    if (this.#pool === undefined) throw new Error('the process is not ready')
    const response = await this.#pool.request({ method: 'POST', path, body: JSON.stringify(body) })
    const answer: unknown = await response.body.json()
    if (response.statusCode >= 300) throw new Refused(response.statusCode, (answer as { code: string }).code)
    return answer as T
  }
}
