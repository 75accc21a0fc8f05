/** Keeps the data keys of users, wrapped as they come, until the person is erased. Nothing here opens them. */
import type { PrivacyKey, PrivacyKeys, WrappedDataKey } from '../../schemas/index.ts'
import type { KeyValueStore } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { idFault, keyFault } from '../ids.ts'

export interface KeyContext {
  readonly stores: { readonly keys: KeyValueStore<string, PrivacyKeys> }
  deadLetter(reason: string, message: string): void
}

/**
 * A key is added to those of the user: where two processes made the first one at the same time, both have sealed
 * something. A null takes all of them.
 */
export function keepKey(
  { key: userId, value }: StreamRecord<string, PrivacyKey | null>,
  context: KeyContext,
): void {
  const store = context.stores.keys
  const fault = value === null ? idFault('userId', userId) : keyFault(userId, 'userId', value.userId)
  if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
  if (value === null) return store.delete(userId)
  store.put(userId, { keys: withKey(store.get(userId)?.keys ?? [], value) })
}

/** The user's keys with this one as the last, in place of what it was before, where it was wrapped anew. */
export function withKey(
  known: readonly WrappedDataKey[],
  { keyId, masterKeyId, key }: WrappedDataKey,
): WrappedDataKey[] {
  return [...known.filter((other) => other.keyId !== keyId), { keyId, masterKeyId, key }]
}
