/** One database for all who need it at a time: opened for the first of them, closed after the last. */
import type { Database } from './database.ts'

export class SharedDatabase {
  readonly #open: () => Database
  #database: Database | undefined
  #users = 0

  constructor(open: () => Database) {
    this.#open = open
  }

  /** A share, which its user closes. */
  share(): Database {
    const database = (this.#database ??= this.#open())
    this.#users++
    let closed = false
    return {
      session: () => database.session(),
      close: async () => {
        if (closed) return
        closed = true
        if (--this.#users > 0) return
        this.#database = undefined
        await database.close()
      },
    }
  }
}
