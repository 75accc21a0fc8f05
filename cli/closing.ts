/** Ends what was opened, in reverse, whatever fails on the way. */

interface Step {
  readonly name: string
  readonly close: () => Promise<void> | void
}

export class Closing {
  readonly #steps: Step[] = []
  readonly #failures: Error[] = []
  #closed: Promise<void> | undefined

  /** Call right after the thing was opened: steps run last in, first out. */
  add(name: string, close: () => Promise<void> | void): void {
    this.#steps.push({ name, close })
    if (this.#closed === undefined) return
    // Opened while the rest was being closed: it does not stay open either.
    this.#closed = this.#closed.catch(() => undefined).then(() => this.#close())
    this.#closed.catch(() => undefined)
  }

  /** Runs every step once; rejects with an `AggregateError` of what failed. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.close()
      } catch (cause) {
        const message = `${step.name}: ${cause instanceof Error ? cause.message : String(cause)}`
        this.#failures.push(new Error(message, { cause }))
      }
    }
    if (this.#failures.length > 0) throw new AggregateError(this.#failures, 'not everything closed cleanly')
  }
}

/** Works, then closes, whatever came of the work; rejects with what failed, the work's failure first. */
export async function closeAfter<T>(work: () => Promise<T>, close: () => Promise<void>): Promise<T> {
  let result: T
  try {
    result = await work()
  } catch (error) {
    await close().catch((closing: unknown) => {
      throw new AggregateError([error, closing], 'it failed, and did not close cleanly')
    })
    throw error
  }
  await close()
  return result
}
