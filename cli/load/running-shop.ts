/** A client of a shop that runs: the one that is named, or else the one on the data directory. */
import { configure } from '../configure.ts'
import type { Context } from '../context.ts'
import { readRunFile } from '../control/run-file.ts'
import { DirectoryError } from '../errors.ts'
import type { RunningShopFlags } from '../flags.ts'
import { checkedUrl, type ClientOptions, ShopClient } from './client.ts'

/** With the admin's token, if the configuration has one. Throws a `DirectoryError` where no shop runs. */
export function clientOfRunning(
  context: Context,
  flags: RunningShopFlags,
  { connections, pipelining }: Pick<ClientOptions, 'connections' | 'pipelining'>,
): ShopClient {
  const { config } = configure(context, flags)
  const url = flags.url === undefined ? urlOf(config.dataDir) : checkedUrl(flags.url)
  const token = config.auth.tokens.find(({ role }) => role === 'admin')?.token.reveal()
  return new ShopClient({ url, connections, pipelining, token })
}

function urlOf(dataDir: string): string {
  const run = readRunFile(dataDir)
  if (run !== undefined) return run.url
  throw new DirectoryError(`no shop runs on ${dataDir}; start it, or give --data-dir or --url`)
}
