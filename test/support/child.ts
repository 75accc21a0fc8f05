/**
 * A program of ours in a process of its own, for tests that kill it.
 *
 * It runs on the Node of the test, without a shell or a launcher in between: the process killed is the one that works.
 * Every child is ended by its id when the test is over, whatever the test did.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'

/** The command's own: what Node made of a source is the same for every program. */
const COMPILE_CACHE = join(import.meta.dirname, '../../node_modules/.cache/compile')
/** Characters of what the child said that an error message repeats. */
const TAIL_CHARS = 4_000

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>
  /** What runs instead, with the Node binary and its arguments after its own (for example `strace`). */
  readonly under?: readonly [program: string, ...args: string[]]
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

interface Waiter {
  readonly wanted: (line: string) => boolean
  readonly resolve: (line: string) => void
  readonly reject: (error: Error) => void
}

export class Child {
  readonly exited: Promise<Exit>
  readonly #process: ChildProcess
  readonly #waiters = new Set<Waiter>()
  readonly #lines: string[] = []
  #said = ''
  #exit: Exit | undefined

  constructor(script: string, args: readonly string[], options: ChildOptions = {}) {
    const [program, ...before] = [...(options.under ?? []), process.execPath, script, ...args]
    this.#process = spawn(program as string, before, {
      env: {
        ...process.env,
        NODE_COMPILE_CACHE: COMPILE_CACHE,
        NODE_OPTIONS: '',
        NO_COLOR: '1',
        ...options.env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#process.stdin?.on('error', () => {})
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', (line) => this.#heard(line))
    }
    this.exited = new Promise((resolve) => {
      // `close`, not `exit`: what it said last has been read by then.
      this.#process.once('close', (code, signal) => {
        this.#exit = { code, signal }
        for (const waiter of this.#waiters) waiter.reject(this.#gone())
        this.#waiters.clear()
        resolve({ code, signal })
      })
      this.#process.once('error', (error) => this.#heard(String(error)))
    })
  }

  get pid(): number {
    return this.#process.pid as number
  }

  get running(): boolean {
    return this.#exit === undefined
  }

  /** What it said last, on both streams. */
  get said(): string {
    return this.#said
  }

  /** The first line, said already or to come, for which `wanted` holds. Rejects when the child ends before. */
  line(wanted: (line: string) => boolean): Promise<string> {
    const known = this.#lines.find(wanted)
    if (known !== undefined) return Promise.resolve(known)
    if (!this.running) return Promise.reject(this.#gone())
    return new Promise((resolve, reject) => this.#waiters.add({ wanted, resolve, reject }))
  }

  send(line: string): void {
    this.#process.stdin?.write(`${line}\n`)
  }

  /** Nothing happens when it has ended already. */
  signal(name: NodeJS.Signals): void {
    if (this.running) this.#process.kill(name)
  }

  /** `kill -9`; resolves when the process is gone. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL')
    return this.exited
  }

  #heard(line: string): void {
    this.#said = `${this.#said}${line}\n`.slice(-TAIL_CHARS)
    this.#lines.push(line)
    for (const waiter of this.#waiters) {
      if (!waiter.wanted(line)) continue
      this.#waiters.delete(waiter)
      waiter.resolve(line)
    }
  }

  #gone(): Error {
    const { code, signal } = this.#exit ?? { code: null, signal: null }
    return new Error(`the child ended with ${code ?? signal}; it said last:\n${this.#said}`)
  }
}

/** Starts a program that ends with the test at the latest. */
export function startChild(script: string, args: readonly string[], options: ChildOptions = {}): Child {
  const child = new Child(script, args, options)
  onTestFinished(async () => {
    await child.kill()
  })
  return child
}
