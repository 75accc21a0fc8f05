/**
 * Data keys of users, for whoever seals and opens: those that the store has, those that this process has just made.
 *
 * A key is made by the process that first has something to seal for a user, and appended with what it sealed as one. So
 * that requests of one moment share a key, it is remembered until the store must have it. Processes that do not know of
 * each other's may make one each; the store keeps both.
 *
 * Invariants:
 * 1. A key's record is appended once, by whoever made it: nothing brings a key back after its deletion.
 * 2. What was made here is used by others only once the log has it.
 * 3. Keys in the clear are in memory only, and there for as long as it takes.
 */
import { masterKeyMissing, personalDataOff, type PrivacyPort, type Seal } from '../../../api/index.ts'
import {
  type DataKey,
  type MasterKeys,
  type PrivacyKeys,
  seal,
  sealedWith,
  UnknownMasterKey,
  unseal,
  type WrappedDataKey,
} from '../../../schemas/index.ts'
import { type Answer, type Clock, isStreamsError } from '../../../streams/index.ts'

/** How long a key is remembered that the store does not show yet. */
const FRESH_MS = 5_000

export interface KeyPortParts {
  /** Absent: nothing is sealed here. */
  readonly masterKeys: MasterKeys | undefined
  /** The user's keys as committed here. Throws `TASK_NOT_HERE`. */
  readonly kept: (userId: string) => Answer<PrivacyKeys | undefined>
  /** The user's newest key as read along; nothing where it is not known. */
  readonly copied: (userId: string) => WrappedDataKey | undefined
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  /** Of a log in the data directory. */
  readonly eraser?: Eraser | undefined
}

/** What an erasure means beyond the log's records. */
export interface Eraser {
  /** Written down where it outlives the log. */
  note(userId: string): Promise<void>
  /** Deleted keys leave the disk, some time soon. */
  sweep(): void
}

export function keyPort(parts: KeyPortParts): PrivacyPort {
  const { kept, eraser } = parts
  const fresh = new FreshKeys(parts)
  return {
    sealed: (userId, append) => fresh.sealed(userId, append),
    opener(userId) {
      const masterKeys = given(parts.masterKeys)
      const keys = keysOf(parts, userId)
      return (place, sealed) => {
        const keyId = sealedWith(sealed)
        const wrapped = keys.find((key) => key.keyId === keyId)
        if (wrapped === undefined) return undefined
        return unseal(unwrap(masterKeys, userId, wrapped), { ...place, userId }, sealed).toString()
      }
    },
    async erasing(userId) {
      fresh.forget(userId)
      await eraser?.note(userId)
    },
    hasKey: (userId) => kept(userId).value !== undefined,
    erased: () => eraser?.sweep(),
  }
}

interface Made {
  /** Nothing where the log did not take it. */
  readonly key: Promise<DataKey | undefined>
  /** Monotonic milliseconds. */
  readonly at: number
}

class FreshKeys {
  readonly #parts: KeyPortParts
  /** Those that are being appended, or just were; nothing comes of one that the log does not take. */
  readonly #made = new Map<string, Made>()

  constructor(parts: KeyPortParts) {
    this.#parts = parts
  }

  sealed: PrivacyPort['sealed'] = async (userId, append) => {
    const masterKeys = given(this.#parts.masterKeys)
    for (;;) {
      const kept = this.#kept(masterKeys, userId)
      if (kept !== undefined) return append(sealFor(userId, kept), undefined)
      this.#dropOld()
      const making = this.#made.get(userId)
      if (making === undefined) break
      const made = await making.key
      if (made !== undefined) return append(sealFor(userId, made), undefined)
    }
    // Nothing is waited for from here to `#remember`: of requests that meet, one makes the key.
    const { dataKey, wrapped } = masterKeys.make(userId)
    const createdAt = this.#parts.clock.now()
    const done = append(sealFor(userId, dataKey), { userId, ...wrapped, createdAt })
    this.#remember(userId, done, dataKey)
    return done
  }

  forget(userId: string): void {
    this.#made.delete(userId)
  }

  #kept(masterKeys: MasterKeys, userId: string): DataKey | undefined {
    const wrapped = keysKnown(this.#parts, userId).at(-1)
    return wrapped === undefined ? undefined : unwrap(masterKeys, userId, wrapped)
  }

  #remember(userId: string, done: Promise<unknown>, dataKey: DataKey): void {
    const made: Made = {
      key: done.then(
        () => dataKey,
        () => {
          if (this.#made.get(userId) === made) this.#made.delete(userId)
          return undefined
        },
      ),
      at: this.#parts.clock.monotonic(),
    }
    this.#made.set(userId, made)
  }

  /** The oldest are first. */
  #dropOld(): void {
    const before = this.#parts.clock.monotonic() - FRESH_MS
    for (const [userId, { at }] of this.#made) {
      if (at > before) return
      this.#made.delete(userId)
    }
  }
}

function sealFor(userId: string, key: DataKey): Seal {
  return (place, text) => seal(key, { ...place, userId }, Buffer.from(text))
}

/** Nothing where it is another process that has them, and no copy is known. */
function keysKnown(parts: KeyPortParts, userId: string): readonly WrappedDataKey[] {
  try {
    return keysOf(parts, userId)
  } catch (error) {
    if (isStreamsError(error, 'TASK_NOT_HERE')) return []
    throw error
  }
}

/** All keys of the user that are known here, the one that seals last. Throws `TASK_NOT_HERE`. */
function keysOf({ kept, copied }: KeyPortParts, userId: string): readonly WrappedDataKey[] {
  try {
    return kept(userId).value?.keys ?? []
  } catch (error) {
    if (!isStreamsError(error, 'TASK_NOT_HERE')) throw error
    const copy = copied(userId)
    if (copy === undefined) throw error
    return [copy]
  }
}

function given(masterKeys: MasterKeys | undefined): MasterKeys {
  if (masterKeys !== undefined) return masterKeys
  throw personalDataOff()
}

function unwrap(masterKeys: MasterKeys, userId: string, wrapped: WrappedDataKey): DataKey {
  try {
    return masterKeys.unwrap(userId, wrapped)
  } catch (error) {
    if (!(error instanceof UnknownMasterKey)) throw error
    throw masterKeyMissing(error.masterKeyId)
  }
}
