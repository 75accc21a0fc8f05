/** Profiles, carts and data keys as the API needs them, over the stores of their topologies. */
import type { PrivacyPort, UserPort } from '../../api/index.ts'
import type { MasterKeys } from '../../schemas/index.ts'
import { carts, cartStore, privacy, privacyKeyStore, profileStore, users } from '../../topologies/index.ts'
import type { PortParts } from './port.ts'
import type { EmbeddedEraser } from './privacy/embedded-eraser.ts'
import { type Eraser, keyPort } from './privacy/key-port.ts'
import { queriesOf } from './queries.ts'

export function userPort({ streams }: PortParts): UserPort {
  const profiles = queriesOf(streams, users.name, profileStore)
  const cartRows = queriesOf(streams, carts.name, cartStore)
  return {
    profile: (userId) => profiles.get(userId),
    cart: (userId) => cartRows.get(userId),
  }
}

export interface Sealing {
  /** Absent: this process was given none. */
  readonly masterKeys: MasterKeys | undefined
  /** Absent where the log is not in the data directory. */
  readonly eraser: (Eraser & Pick<EmbeddedEraser, 'resume'>) | undefined
}

export function privacyPort({ streams, replica, clock }: PortParts, sealing: Sealing): PrivacyPort {
  const keys = queriesOf(streams, privacy.name, privacyKeyStore)
  return keyPort({
    ...sealing,
    kept: (userId) => keys.get(userId),
    copied: (userId) => replica?.privacyKey(userId),
    clock,
  })
}
