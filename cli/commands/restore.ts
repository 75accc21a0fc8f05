import { resolve } from 'node:path'
import { existsSync } from 'node:fs'
import { restoreBackup } from '../../transports/embedded/index.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { DirectoryError } from '../errors.ts'
import type { DirectoryFlags } from '../flags.ts'
import { count } from '../output.ts'
import { assertOwnLog } from './backup.ts'

/** Copies a backup into the data directory, which must be empty, and reads every record of the copy. */
export async function restore(context: Context, directory: string, flags: DirectoryFlags): Promise<void> {
  const { config } = configure(context, flags)
  assertOwnLog(config)
  const source = resolve(context.cwd, directory)
  if (!existsSync(source)) throw new DirectoryError(`there is no backup ${source}`)
  const { records, topics } = await restoreBackup(source, config.dataDir, { application: config.application })
  if (flags.json === true) context.output.data(JSON.stringify({ dataDir: config.dataDir, topics, records }))
  else {
    const what = `${count(records)} records of ${topics} topics, all checked`
    context.output.say(`Restored ${source} to ${config.dataDir}: ${what}.`)
  }
}
