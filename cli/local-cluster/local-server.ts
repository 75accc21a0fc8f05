/**
 * A server in a process of its own, which may be killed and started again.
 *
 * 1. One process at a time; its output goes to the end of one file.
 * 2. `start` resolves when the server answers, and rejects, with the end of that file, when it ends before or is late.
 * 3. It does not outlive this process, however this process ends: a shell that waits for the other end of a pipe
 *    kills it. It is the leader of a session of its own, so a Ctrl-C meant for this process does not reach it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { LocalClusterError } from './errors.ts'

const START_TIMEOUT_MS = 90_000
const POLL_INTERVAL_MS = 50
/** After SIGTERM; brokers that have lost their quorum would wait for minutes. */
const STOP_TIMEOUT_MS = 10_000
/** As much of the log as an error repeats. */
const TAIL_BYTES = 3_000

export interface ServerSetup {
  /** For messages: `broker 1`. */
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly logFile: string
  /** Resolves when the server does its work; rejections count as "not yet". */
  readonly answers: () => Promise<boolean>
}

export type KillSignal = 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'

/** Told which server ended, and what its log says. */
export type DeathWatcher = (server: LocalServer, error: LocalClusterError) => void

export class LocalServer {
  readonly name: string
  readonly logFile: string
  readonly #setup: ServerSetup
  #child: ChildProcess | undefined
  #asked = false
  readonly #watchers = new Set<DeathWatcher>()

  constructor(setup: ServerSetup) {
    this.#setup = setup
    this.name = setup.name
    this.logFile = setup.logFile
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.running ? this.#child?.pid : undefined
  }

  get running(): boolean {
    const child = this.#child
    return child !== undefined && child.exitCode === null && child.signalCode === null
  }

  /** Resolves when it answers. Nothing happens where it runs already. Aborting kills it. */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.running) return
    this.#spawn()
    try {
      await this.#answering(signal)
    } catch (error) {
      await this.kill('SIGKILL')
      throw error
    }
  }

  /** Ends it in order, and by force where that takes too long. Idempotent. */
  async stop(): Promise<void> {
    if (!this.running) return
    const late = new AbortController()
    const forced = delay(STOP_TIMEOUT_MS, undefined, { signal: late.signal }).then(
      () => this.kill('SIGKILL'),
      () => undefined,
    )
    // A process that was halted gets the SIGTERM once it goes on.
    this.#signal('SIGTERM')
    this.#signal('SIGCONT')
    await this.#gone()
    late.abort()
    await forced
  }

  /** Sends the signal; resolves, where it ends the process, when that is gone. */
  async kill(signal: KillSignal = 'SIGKILL'): Promise<void> {
    this.#signal(signal)
    if (signal === 'SIGKILL' || signal === 'SIGTERM') await this.#gone()
  }

  /** Calls back each time that the process ends without having been asked to. */
  onDeath(watcher: DeathWatcher): void {
    this.#watchers.add(watcher)
  }

  #spawn(): void {
    const { program, args, cwd } = this.#setup
    const log = openSync(this.logFile, 'a', 0o600)
    this.#asked = false
    const child = spawn(program, args, { cwd, detached: true, stdio: ['ignore', log, log] })
    closeSync(log)
    this.#child = child
    // `exit` does not follow where there is no such program; `pid` tells.
    child.once('error', () => undefined)
    if (child.pid === undefined) throw new LocalClusterError(`${this.name}: ${program} does not run`)
    const guard = guardOf(child.pid)
    child.once('exit', (code, signal) => {
      guard.kill('SIGKILL')
      if (this.#asked) return
      for (const watcher of this.#watchers) watcher(this, this.#died(code, signal))
    })
  }

  async #answering(signal: AbortSignal | undefined): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS
    for (;;) {
      signal?.throwIfAborted()
      const { exitCode, signalCode } = this.#child as ChildProcess
      if (!this.running) throw this.#died(exitCode, signalCode)
      if (await this.#setup.answers().catch(() => false)) return
      if (performance.now() > deadline) {
        throw new LocalClusterError(
          `${this.name} does not answer after ${START_TIMEOUT_MS} ms${this.#tail()}`,
        )
      }
      await delay(POLL_INTERVAL_MS)
    }
  }

  #signal(signal: KillSignal): void {
    if (signal === 'SIGKILL' || signal === 'SIGTERM') this.#asked = true
    if (this.running) this.#child?.kill(signal)
  }

  async #gone(): Promise<void> {
    const child = this.#child
    if (child === undefined || !this.running) return
    await once(child, 'exit')
  }

  #died(code: number | null, signal: string | null): LocalClusterError {
    return new LocalClusterError(`${this.name} ended with ${code ?? signal}${this.#tail()}`)
  }

  #tail(): string {
    const text = endOf(this.logFile).trim()
    return text === '' ? `; its log is ${this.logFile}` : `. The end of ${this.logFile}:\n${text}`
  }
}

/** Kills the process once this one is gone, which closes the pipe. */
function guardOf(pid: number): ChildProcess {
  const guard = spawn('sh', ['-c', 'read -r _; kill -9 "$1"', 'sh', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard.once('error', () => undefined)
  guard.unref()
  const pipe = guard.stdin as Socket
  pipe.unref()
  return guard
}

function endOf(file: string): string {
  const handle = openSync(file, 'r')
  try {
    const { size } = fstatSync(handle)
    const tail = Buffer.alloc(Math.min(size, TAIL_BYTES))
    readSync(handle, tail, 0, tail.length, size - tail.length)
    return tail.toString('utf8')
  } finally {
    closeSync(handle)
  }
}
