/** Ends what was opened, in reverse, whatever fails on the way. */

interface Step {
  readonly name: string
  readonly close: () => Promise<void> | void
}

export class Closing {
  readonly #steps: Step[] = []
  #closed: Promise<void> | undefined

  /** Call right after the thing was opened: steps run last in, first out. */
  add(name: string, close: () => Promise<void> | void): void {
    this.#steps.push({ name, close })
  }

  /** Runs every step once; rejects with an `AggregateError` of what failed. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const failures: Error[] = []
    for (const { name, close } of this.#steps.toReversed()) {
      try {
        await close()
      } catch (cause) {
        failures.push(
          new Error(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause }),
        )
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'not everything closed cleanly')
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
