import { resolve } from 'node:path'
import { existsSync } from 'node:fs'
import type { Config } from '../../config/index.ts'
import { restoreBackup } from '../../transports/embedded/index.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { DirectoryError } from '../errors.ts'
import type { RestoreFlags } from '../flags.ts'
import { count } from '../output.ts'
import { openOfflineLog } from '../pipeline/embedded-shop-log.ts'
import { SWEEP_DUE } from '../pipeline/privacy/embedded-eraser.ts'
import {
  appendErasures,
  type Erasure,
  eraseAgain,
  hasKeys,
  readErasures,
} from '../pipeline/privacy/erasures.ts'
import { assertOwnLog } from './backup.ts'

/** Copies a backup into the data directory, which must be empty, and reads every record of the copy. */
export async function restore(context: Context, directory: string, flags: RestoreFlags): Promise<void> {
  const { config } = configure(context, flags)
  assertOwnLog(config)
  const source = resolve(context.cwd, directory)
  if (!existsSync(source)) throw new DirectoryError(`there is no backup ${source}`)
  const list = flags.erasures === undefined ? undefined : resolve(context.cwd, flags.erasures)
  // Before anything is copied: a list that cannot be read is noticed while nothing is there.
  const erasures = list === undefined ? undefined : await readErasures(list)
  const { records, topics } = await restoreBackup(source, config.dataDir, { application: config.application })
  const erased = await repeatErasures(config, erasures)
  if (flags.json === true)
    context.output.data(JSON.stringify({ dataDir: config.dataDir, topics, records, erased }))
  else {
    const what = `${count(records)} records of ${topics} topics, all checked`
    context.output.say(`Restored ${source} to ${config.dataDir}: ${what}.`)
    if (erased === null)
      context.output.say('Whoever was erased since the backup was made is back; see --erasures.')
    else if (erasures !== undefined) context.output.say(`Erased again: ${count(erased)} users.`)
  }
}

/** How many users that were; null where there are keys of users and no list, 0 where there are none. */
async function repeatErasures(
  config: Config,
  erasures: readonly Erasure[] | undefined,
): Promise<number | null> {
  const { log } = await openOfflineLog(config, { checkTables: false })
  try {
    if (erasures === undefined) return (await hasKeys(log)) ? null : 0
    await appendErasures(config.dataDir, erasures)
    // The first start takes their bytes out as well.
    await log.putSetting(SWEEP_DUE, true)
    return await eraseAgain(log, erasures)
  } finally {
    await log.close()
  }
}
