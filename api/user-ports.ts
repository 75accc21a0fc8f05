/**
 * What the HTTP API needs of the running pipeline about users, their carts, and what is sealed of them. The rules of
 * `ports.ts` hold. Nothing of it is asked where the shop takes no orders.
 */
import type { CartChanged, PrivacyKey, SealedPlace, UserProfile } from '../schemas/index.ts'
import type { Answer } from '../streams/index.ts'

export interface UserPort {
  /** As the log has it, sealed. */
  profile(userId: string): Answer<UserProfile | undefined>
  /** Nothing where it is empty. */
  cart(userId: string): Answer<CartChanged | undefined>
}

/** What a value is sealed for; the user is given otherwise. */
export type SealedFor = Omit<SealedPlace, 'userId'>

/** @param text goes nowhere but into what comes back */
export type Seal = (place: SealedFor, text: string) => Buffer

/** Nothing where the key is gone. Throws a `SealingError` for what was not sealed for this place. */
export type Open = (place: SealedFor, sealed: Buffer) => string | undefined

/** Throws `personalDataOff` where this process has no master key, `masterKeyMissing` where it has not the right one. */
export interface PrivacyPort {
  /**
   * Seals what belongs to a user, and appends it.
   * @param append gets what seals, and the key where it is a new one: its record must be in the log before what it
   *   sealed, which nobody could open without it. Resolves once the log has both
   */
  sealed<T>(userId: string, append: (seal: Seal, fresh: PrivacyKey | undefined) => Promise<T>): Promise<T>
  /** What opens the user's data, with the keys that the user has now. A read as rule 2 has it. */
  opener(userId: string): Open
  /** Before the key is deleted in the log: what must outlive a backup is written down. */
  erasing(userId: string): Promise<void>
  /** Whether the user has a key, as far as it is committed here. A read as rule 2 has it. */
  hasKey(userId: string): boolean
  /** The key is gone from the stores: nothing of it may stay on this machine's disk either. */
  erased(): void
}
