/** What every command gets: the streams it writes to, its surroundings, and when it has to stop. */
import type { Output } from './output.ts'

export interface Context {
  readonly output: Output
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Fires at the first SIGINT or SIGTERM; its reason is an `Interrupted`. */
  readonly stop: AbortSignal
  readonly version: string
}

/** The user, or a supervisor, asked the process to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly signal: 'SIGINT' | 'SIGTERM'

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`ended by ${signal}`)
    this.signal = signal
  }
}

/** Resolves when the process is asked to end. */
export function stopped(stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) resolve()
    else stop.addEventListener('abort', () => resolve(), { once: true })
  })
}
