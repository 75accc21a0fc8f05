/**
 * Publishes the rows of an outbox: a table of a shop's own database, into which its transactions write what the log is to
 * have. So the shop writes one place only.
 *
 * One connection reads, listens and marks (`outbox-session.ts`). It holds an advisory lock, so of all processes one
 * publishes; the others wait for the lock. Here is what outlives a connection: the next one, the breaker, the pause.
 *
 * Invariants: a row is marked only once the log has its record, or will never have it; records of one key are appended
 * in the order of their rows' ids, of all that are committed by then; a row that is not committed is never seen.
 */
import { isStreamsError } from '../../streams/index.ts'
import { DeliveryBreaker } from '../frame/breaker.ts'
import type { ConnectorState, ConnectorView } from '../frame/connector-runner.ts'
import { asError } from '../frame/failures.ts'
import type { FailureKind } from '../frame/hooks.ts'
import { backoffMs, defaultDelivery } from '../frame/policy.ts'
import { rest } from '../frame/waiting.ts'
import { clientConfig, type PostgresAddress } from '../postgres/client-config.ts'
import { BACKOFF, OUTBOX, OutboxSession, type OutboxSettings } from './outbox-session.ts'
import { OutboxTable } from './table.ts'

export interface OutboxOptions extends PostgresAddress, OutboxSettings {}

/** As of a connector; what it reads is no topic, so its task has no inputs. */
export interface OutboxView extends ConnectorView {
  /** Rows that are not published, at the last look of this process; absent where another one publishes. */
  readonly waitingRows: number | undefined
}

export class OutboxReader {
  readonly name = OUTBOX
  readonly #options: OutboxOptions
  readonly #breaker: DeliveryBreaker
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined
  #session: OutboxSession | undefined
  #isPaused = false

  constructor(options: OutboxOptions) {
    const { clock, hooks } = options
    this.#options = options
    this.#breaker = new DeliveryBreaker({
      clock,
      failures: defaultDelivery.breakAfter,
      openMs: defaultDelivery.openMs,
      onChange: (from, to) => hooks.onBreaker(OUTBOX, from, to),
    })
  }

  /** Goes on until it is closed, whatever the database or the log say meanwhile. */
  start(): void {
    this.#running ??= this.#sessions()
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Nothing more is published until `resume`, but for an append that is under way. Idempotent. */
  pause(): void {
    this.#isPaused = true
  }

  /** Idempotent. */
  resume(): void {
    this.#isPaused = false
    this.#session?.notice()
  }

  view(): Promise<OutboxView> {
    const { holdsLock = false, waitingRows } = this.#session ?? {}
    const task = { name: OUTBOX, partition: 0, failure: undefined, inputs: [] }
    const tasks = holdsLock ? [task] : []
    return Promise.resolve({
      name: OUTBOX,
      state: this.#state,
      breaker: this.#breaker.state,
      tasks,
      waitingRows,
    })
  }

  get #state(): ConnectorState {
    if (this.#stopping.signal.aborted) return 'stopped'
    if (this.#session === undefined) return 'joining'
    return this.#isPaused ? 'paused' : 'running'
  }

  /** What is under way is appended and marked. Idempotent. */
  async close(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #sessions(): Promise<void> {
    const { signal } = this.#stopping
    const { clock, random, hooks } = this.#options
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await this.#breaker.permit(signal)
        await this.#connected(() => {
          failures = 0
          this.#breaker.answered()
        })
      } catch (error) {
        if (signal.aborted) return
        const kind = kindOf(error)
        hooks.onFailure(OUTBOX, kind, asError(error), false)
        if (kind === 'unavailable') this.#breaker.unavailable('deliver')
        else this.#breaker.answered()
        await rest(clock, backoffMs(BACKOFF, Math.max(1, failures), random()), signal)
      }
    }
  }

  /** One connection's life. Throws what ended it. */
  async #connected(onProgress: () => void): Promise<void> {
    const { default: driver } = await import('pg')
    const client = new driver.Client(await clientConfig(this.#options))
    const gone = new AbortController()
    client.on('error', (error) => gone.abort(error))
    client.on('end', () => gone.abort(new Error('the connection ended')))
    try {
      await client.connect()
      this.#session = new OutboxSession({
        settings: this.#options,
        table: new OutboxTable(client, this.#options.table),
        signal: AbortSignal.any([this.#stopping.signal, gone.signal]),
        isPaused: () => this.#isPaused,
        onProgress,
      })
      await this.#session.run()
      if (!this.#stopping.signal.aborted) throw asError(gone.signal.reason)
    } finally {
      this.#session = undefined
      // The lock goes with the connection.
      await client.end().catch(() => undefined)
    }
  }
}

/** SQLSTATE classes that waiting does not mend: the table is another one than the reader was told. */
const WRONG = /^(22|23|42)[0-9A-Z]{3}$/

function kindOf(error: unknown): FailureKind {
  if (isStreamsError(error)) return 'log'
  const { code } = error as { readonly code?: unknown }
  const isWrong = error instanceof RangeError || error instanceof TypeError
  return isWrong || (typeof code === 'string' && WRONG.test(code)) ? 'failed' : 'unavailable'
}
