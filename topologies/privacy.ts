/** Data keys of users, as `privacy.key` has them: what personal data is sealed with, until the person is erased. */
import { keepKey } from '../processors/index.ts'
import { type PrivacyKey, type PrivacyKeys, privacyKeysSchema, stateSerde, topics } from '../schemas/index.ts'
import { keyValueStore } from '../state/index.ts'
import { processor, shape, topology } from '../streams/index.ts'

/** Wrapped data keys by userId. */
export const privacyKeyStore = keyValueStore<PrivacyKeys>({
  name: 'privacy-keys',
  value: stateSerde(privacyKeysSchema),
  version: privacyKeysSchema.version,
  erasable: true,
})

const keeper = processor({
  name: 'key-keeper',
  input: shape<string, PrivacyKey | null>(),
  stores: { keys: privacyKeyStore },
  process: keepKey,
})

export const privacy = topology('privacy', (t) => {
  t.stream(topics.privacyKey, { onNullKey: 'dead-letter', onNullValue: 'pass' }).process(keeper)
})
