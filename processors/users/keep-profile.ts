/** Keeps users' profiles as they were last told. Personal fields are sealed, and stay so: nothing here opens them. */
import type { UserProfile } from '../../schemas/index.ts'
import type { KeyValueStore } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { idFault, keyFault } from '../ids.ts'

export interface ProfileContext {
  readonly stores: { readonly profiles: KeyValueStore<string, UserProfile> }
  deadLetter(reason: string, message: string): void
}

/** A value replaces the profile, null removes it. */
export function keepProfile(
  { key: userId, value: profile }: StreamRecord<string, UserProfile | null>,
  context: ProfileContext,
): void {
  const { profiles } = context.stores
  const fault = profile === null ? idFault('userId', userId) : keyFault(userId, 'userId', profile.userId)
  if (fault !== undefined) context.deadLetter(fault.reason, fault.message)
  else if (profile === null) profiles.delete(userId)
  else profiles.put(userId, profile)
}
