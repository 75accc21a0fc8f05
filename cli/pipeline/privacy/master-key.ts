/** Where the master keys come from: the configuration, or a file beside an embedded log that only this machine reaches. */
import { randomBytes } from 'node:crypto'
import { isLoopback } from '../../../api/index.ts'
import type { Config } from '../../../config/index.ts'
import { MasterKeys } from '../../../schemas/index.ts'
import { type KeptValue, keptValue } from '../kept-file.ts'

/** In the data directory, with mode 0600. It is in no backup. */
export const MASTER_KEY_FILE = 'master-key'

const MASTER_KEY: KeptValue = {
  name: MASTER_KEY_FILE,
  pattern: /^[0-9a-f]{64}$/,
  draw: () => randomBytes(32).toString('hex'),
}

/** Those of the configuration; nothing where it has none. */
export function configuredMasterKeys({ privacy }: Config): MasterKeys | undefined {
  return privacy.masterKeys === undefined ? undefined : MasterKeys.parse(privacy.masterKeys.reveal())
}

/**
 * Call only while holding the directory. Nothing where the shop takes no orders, or can be reached from elsewhere and
 * was given no key. Throws a `DirectoryError`.
 */
export async function embeddedMasterKeys(config: Config): Promise<MasterKeys | undefined> {
  const given = configuredMasterKeys(config)
  if (given !== undefined) return given
  if (!config.orders.enabled || !isLoopback(config.http.host)) return undefined
  return MasterKeys.parse(await keptValue(config.dataDir, MASTER_KEY))
}
