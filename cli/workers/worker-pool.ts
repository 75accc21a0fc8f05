/**
 * Keeps workers running: starts each, starts it again when it ends, and ends all of them together.
 *
 * Not its job: what a worker is (`worker-process.ts`), and what it is told (`worker-settings.ts`).
 *
 * Invariants:
 * 1. At most one process runs for each worker.
 * 2. `run` ends only when none runs any more.
 * 3. A worker that ends again and again, or says that trying again is in vain, ends the others too.
 */
import { exitCodes } from '../errors.ts'

/** Milliseconds before a worker that ended is started again; twice that each time it does not last. */
const RESTART_AFTER_MS = 1_000
const RESTART_AFTER_MS_MAX = 30_000
/** Milliseconds after which a worker counts as one that lasts. */
const LASTING_MS = 60_000
/** Times in a row that a worker is started again without one that lasted. */
const RESTARTS_MAX = 6
/** How a worker ends that was asked to: it served, or was still starting (128 and the number of SIGINT or SIGTERM). */
const IN_ORDER: ReadonlySet<number> = new Set([exitCodes.ok, 130, 143])
/** What does not go away by trying again. */
const IN_VAIN: ReadonlySet<number> = new Set([exitCodes.usage, exitCodes.directory])

export interface WorkerExit {
  /** Of the process, or 128 and the signal's number. */
  readonly code: number
}

export interface Worker {
  readonly pid: number
  /** Never rejects. */
  readonly exited: Promise<WorkerExit>
  signal(signal: NodeJS.Signals): void
}

export interface WorkerPoolOptions {
  readonly workers: number
  readonly start: (index: number) => Worker
  /** Milliseconds, never going back. */
  readonly monotonic: () => number
  /** Resolves after so many milliseconds, or when the signal fires. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
  readonly onRestart: (index: number, exit: WorkerExit, afterMs: number) => void
}

/** A worker ended for good, and with it the pool. */
export class WorkerFailure extends Error {
  override readonly name = 'WorkerFailure'
  readonly exitCode: number

  constructor(index: number, { code }: WorkerExit) {
    super(`worker ${index} ended with exit code ${code}`)
    this.exitCode = code
  }

  /** Its configuration or its directory will not do. */
  get inVain(): boolean {
    return IN_VAIN.has(this.exitCode)
  }
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions
  readonly #running = new Map<number, Worker>()
  readonly #ending = new AbortController()
  #failure: WorkerFailure | undefined

  constructor(options: WorkerPoolOptions) {
    this.#options = options
  }

  /** Resolves when `end` was called and every worker ended in order. Rejects with the first `WorkerFailure`. */
  async run(): Promise<void> {
    const indexes = Array.from({ length: this.#options.workers }, (_, index) => index)
    await Promise.all(indexes.map((index) => this.#keep(index)))
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Sends the signal to every worker; none is started any more. */
  end(signal: NodeJS.Signals): void {
    if (this.#ending.signal.aborted) return
    this.#ending.abort()
    for (const worker of this.#running.values()) worker.signal(signal)
  }

  async #keep(index: number): Promise<void> {
    const { monotonic, wait, onRestart } = this.#options
    const { signal } = this.#ending
    for (let restarts = 0; !signal.aborted; restarts++) {
      const startedAt = monotonic()
      const exit = await this.#once(index)
      if (signal.aborted) {
        if (!IN_ORDER.has(exit.code)) this.#failure ??= new WorkerFailure(index, exit)
        return
      }
      if (monotonic() - startedAt >= LASTING_MS) restarts = 0
      const failure = new WorkerFailure(index, exit)
      if (failure.inVain || restarts >= RESTARTS_MAX) {
        this.#failure = failure
        this.end('SIGTERM')
        return
      }
      const afterMs = Math.min(RESTART_AFTER_MS * 2 ** restarts, RESTART_AFTER_MS_MAX)
      onRestart(index, exit, afterMs)
      await wait(afterMs, signal)
    }
  }

  async #once(index: number): Promise<WorkerExit> {
    const worker = this.#options.start(index)
    this.#running.set(index, worker)
    const exit = await worker.exited
    this.#running.delete(index)
    return exit
  }
}
