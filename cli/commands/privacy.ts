import { UnknownMasterKey } from '../../schemas/index.ts'
import { closeAfter } from '../closing.ts'
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { UsageError } from '../errors.ts'
import type { DirectoryFlags } from '../flags.ts'
import { count } from '../output.ts'
import { openOfflineLog } from '../pipeline/embedded-shop-log.ts'
import { embeddedMasterKeys } from '../pipeline/privacy/master-key.ts'
import { rewrap } from '../pipeline/privacy/rewrap.ts'

/** Wraps the data keys of all users anew by the first master key of the configuration. */
export async function rewrapKeys(context: Context, flags: DirectoryFlags): Promise<void> {
  const { config: given } = configure(context, flags)
  if (given.kafka.brokers.length > 0)
    throw new UsageError('a shop on Kafka goes on while this runs, and might erase what is wrapped anew')
  const { log, config } = await openOfflineLog(given)
  const work = async () => {
    const masterKeys = await embeddedMasterKeys(config)
    if (masterKeys === undefined) throw new UsageError('there is no master key: privacy.masterKeys')
    return rewrap(log, masterKeys)
  }
  const done = await closeAfter(work, () => log.close()).catch((error: unknown) => {
    if (error instanceof UnknownMasterKey) throw new UsageError(error.message, { cause: error })
    throw error
  })
  const { output } = context
  if (flags.json === true) return output.data(JSON.stringify(done))
  const { keys, users, already } = done
  output.say(
    `Wrapped anew: ${count(keys)} keys of ${count(users)} users. As they should be: ${count(already)}.`,
  )
}
