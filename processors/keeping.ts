/** How long a service knows what it did: deduplication is bounded, and a command from before it is refused. */
import type { Fault } from './ids.ts'

export interface Keeping {
  /** Of what has ended or came to nothing, milliseconds after its last change; longer than commands are kept. */
  readonly keepMs: number
  /** Of what was done and may be taken back by a return, milliseconds after its last change; not below `keepMs`. */
  readonly keepDoneMs: number
}

const DAY_MS = 86_400_000

/** Throws a `RangeError` for durations that cannot be; 30 and 400 days unless told. */
export function keepingOf({ keepMs = 30 * DAY_MS, keepDoneMs = 400 * DAY_MS }: Partial<Keeping>): Keeping {
  if (!Number.isSafeInteger(keepMs) || keepMs < 1) throw new RangeError(`keepMs ${keepMs} is no duration`)
  if (!Number.isSafeInteger(keepDoneMs) || keepDoneMs < keepMs) {
    throw new RangeError(`keepDoneMs ${keepDoneMs} is no duration of ${keepMs} or more`)
  }
  return Object.freeze({ keepMs, keepDoneMs })
}

/** The fault of a command that the log took so long ago that nobody knows any more whether it was done. */
export function tooOld({ keepMs }: Keeping, appendTime: number, wallTime: number): Fault | undefined {
  const age = wallTime - appendTime
  if (age < keepMs) return undefined
  return { reason: 'TooOld', message: `${age} ms old, and what was done is known for ${keepMs} ms` }
}

/** Key of a timer of a row that has two ids. */
export function pairKey([first, second]: readonly [string, string]): string {
  return JSON.stringify([first, second])
}

export function parsePair(key: string): [string, string] {
  return JSON.parse(key) as [string, string]
}
