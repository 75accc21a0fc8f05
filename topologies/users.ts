/** Users by id, as `user.profile` last described them; sealed. */
import { keepProfile } from '../processors/index.ts'
import { stateSerde, topics, type UserProfile, userProfileSchema } from '../schemas/index.ts'
import { keyValueStore } from '../state/index.ts'
import { processor, shape, topology } from '../streams/index.ts'

/** Profiles by userId. */
export const profileStore = keyValueStore<UserProfile>({
  name: 'profiles',
  value: stateSerde(userProfileSchema),
  version: userProfileSchema.version,
})

const keeper = processor({
  name: 'profile-keeper',
  input: shape<string, UserProfile | null>(),
  stores: { profiles: profileStore },
  process: keepProfile,
})

export const users = topology('users', (t) => {
  t.stream(topics.userProfile, { onNullKey: 'dead-letter', onNullValue: 'pass' }).process(keeper)
})
