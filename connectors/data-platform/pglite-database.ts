/**
 * PGlite: a PostgreSQL inside this process, in a thread and a directory of its own. It has one connection, so whoever
 * asks waits for the one before.
 *
 * What is committed outlives the process, also a killed one. PGlite asks the system for no sync: after a power failure
 * the directory may be torn, and is made anew from the log.
 */
import { mkdir } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import type { Database, QueryResult, Row, Session } from './database.ts'

export interface PgliteRequest {
  readonly id: number
  /** Absent: close. */
  readonly sql?: string | undefined
  readonly parameters: readonly unknown[]
}

export type PgliteAnswer =
  | { readonly id: number; readonly rows: readonly Row[]; readonly count: number; readonly error?: never }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string | undefined } }

/** The program of the thread: beside this one, in the sources and in what is published. */
const THREAD = new URL(`./pglite-thread${import.meta.url.slice(-3)}`, import.meta.url)

/** @param directory made where it is missing; no other process may have it open */
export function pgliteDatabase(directory: string): Database {
  let thread: PgliteThread | undefined
  let turn: Promise<void> = Promise.resolve()
  let closed = false

  async function running(): Promise<PgliteThread> {
    if (closed) throw new Error('the database was closed')
    if (thread?.alive === true) return thread
    await mkdir(directory, { recursive: true })
    thread = new PgliteThread(directory)
    return thread
  }

  return {
    async session(): Promise<Session> {
      const before = turn
      const { promise, resolve } = Promise.withResolvers<void>()
      turn = promise
      await before
      try {
        const current = await running()
        return { query: (sql, parameters = []) => current.ask(sql, parameters), release: () => resolve() }
      } catch (error) {
        resolve()
        throw error
      }
    },
    async close() {
      if (closed) return
      closed = true
      await turn
      await thread?.close()
    },
  }
}

class PgliteThread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, PromiseWithResolvers<QueryResult>>()
  readonly #ended: Promise<void>
  #lastId = 0
  alive = true

  constructor(directory: string) {
    this.#worker = new Worker(THREAD, { workerData: { directory } })
    this.#worker.on('message', (answer: PgliteAnswer) => this.#answered(answer))
    let failure: unknown
    this.#worker.on('error', (error) => (failure = error))
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.alive = false
        const error = new Error('the thread of PGlite ended', { cause: failure })
        for (const { reject } of this.#waiting.values()) reject(error)
        this.#waiting.clear()
        resolve()
      })
    })
  }

  ask(sql: string | undefined, parameters: readonly unknown[]): Promise<QueryResult> {
    if (!this.alive) return Promise.reject(new Error('the thread of PGlite ended'))
    const id = ++this.#lastId
    const answer = Promise.withResolvers<QueryResult>()
    this.#waiting.set(id, answer)
    this.#worker.postMessage({ id, sql, parameters } satisfies PgliteRequest)
    return answer.promise
  }

  async close(): Promise<void> {
    try {
      if (this.alive) await this.ask(undefined, [])
    } finally {
      await this.#worker.terminate()
      await this.#ended
    }
  }

  #answered(answer: PgliteAnswer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if (answer.error === undefined) waiting?.resolve(answer)
    else waiting?.reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }))
  }
}
