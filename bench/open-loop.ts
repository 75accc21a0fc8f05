/** Requests for a coupon that come when they are due, and how long each waits for its acknowledgement and its verdict. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Log, LogRecord } from '../streams/index.ts'
import { issueRequest } from './coupon-load.ts'

/** In a result's value, after its schema id: the length of the request id, which is short, and the id. */
const REQUEST_ID_AT = 6
const REQUEST_ID_PREFIX = 'request-'

export interface OpenLoopOptions {
  readonly log: Log
  /** Number of the first request: so many are in the log already. */
  readonly first: number
  /** Requests a second. */
  readonly rate: number
  /** Seconds before anything counts. */
  readonly warmUpS: number
  readonly measureS: number
}

export class OpenLoop {
  /** From when a request was due until the log had it; milliseconds. */
  readonly appendMs: number[] = []
  /** From when a request was due until its verdict was read; milliseconds. */
  readonly decisionMs: number[] = []
  /** Every request that was in the log before has its verdict. */
  readonly caughtUp: Promise<void>
  readonly #options: OpenLoopOptions
  readonly #warmUp: number
  readonly #count: number
  /** By the request's number, from the first; milliseconds of the monotonic clock. */
  readonly #dueAt: number[] = []
  #verdicts = 0
  #resolveCaughtUp = (): void => {}

  constructor(options: OpenLoopOptions) {
    const { rate, warmUpS, measureS, first } = options
    this.#options = options
    this.#warmUp = rate * warmUpS
    this.#count = rate * (warmUpS + measureS)
    this.caughtUp =
      first === 0 ? Promise.resolve() : new Promise((resolve) => (this.#resolveCaughtUp = resolve))
  }

  /** Number of the request after the last. */
  get end(): number {
    return this.#options.first + this.#count
  }

  get missing(): number {
    return this.end - this.#verdicts
  }

  /** Resolves when all are acknowledged. */
  async run(): Promise<void> {
    const begin = performance.now()
    const appends: Promise<void>[] = []
    while (this.#dueAt.length < this.#count) {
      const now = performance.now()
      for (;;) {
        const number = this.#dueAt.length
        const dueAt = begin + (number * 1_000) / this.#options.rate
        if (dueAt > now || number === this.#count) break
        this.#dueAt.push(dueAt)
        appends.push(this.#append(number, dueAt))
      }
      await delay(1)
    }
    await Promise.all(appends)
  }

  async #append(number: number, dueAt: number): Promise<void> {
    const { log, first } = this.#options
    await log.append([issueRequest(first + number, Number.MAX_SAFE_INTEGER)])
    if (number >= this.#warmUp) this.appendMs.push(performance.now() - dueAt)
  }

  /** Takes verdicts; false: every request has its own. */
  decided(records: readonly LogRecord[]): boolean {
    const now = performance.now()
    const { first } = this.#options
    this.#verdicts += records.length
    if (this.#verdicts >= first) this.#resolveCaughtUp()
    for (const { value } of records) {
      const number = requestNumber(value) - first
      const dueAt = this.#dueAt[number]
      if (dueAt !== undefined && number >= this.#warmUp) this.decisionMs.push(now - dueAt)
    }
    return this.missing > 0
  }
}

function requestNumber(value: Buffer | null): number {
  if (value === null) return Number.NaN
  const length = (value[REQUEST_ID_AT - 1] ?? 0) / 2
  return Number(value.toString('latin1', REQUEST_ID_AT + REQUEST_ID_PREFIX.length, REQUEST_ID_AT + length))
}
