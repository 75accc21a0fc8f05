/** A shop that runs, asked over its HTTP: whoever holds the log is the one to ask. */
import { configure } from './configure.ts'
import type { Context } from './context.ts'
import { readRunFile } from './control/run-file.ts'
import { DirectoryError, UsageError } from './errors.ts'
import type { RunningShopFlags } from './flags.ts'
import { checkedUrl, type ClientOptions, type Reply, ShopClient } from './load/client.ts'

type Body = Readonly<Record<string, unknown>>

/** Bodies of answers that are no problems. Others: a `UsageError` for what was asked wrongly, or of what is not there. */
export interface RunningShop {
  get(path: string): Promise<Body>
  post(path: string, body?: object): Promise<Body>
}

/**
 * A client of the one at `--url`, or of the one that runs on the data directory, with the admin's token if there is one.
 * To be closed. Throws a `DirectoryError` where no shop runs.
 */
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

/** Throws as `clientOfRunning`. */
export async function withRunningShop(
  context: Context,
  flags: RunningShopFlags,
  work: (shop: RunningShop) => Promise<void>,
): Promise<void> {
  const client = clientOfRunning(context, flags, { connections: 1, pipelining: 1 })
  try {
    await work({
      get: async (path) => bodyOf(await client.get(path)),
      post: async (path, body = {}) => bodyOf(await client.post(path, body)),
    })
  } finally {
    await client.close()
  }
}

function urlOf(dataDir: string): string {
  const run = readRunFile(dataDir)
  if (run !== undefined) return run.url
  throw new DirectoryError(`no shop runs on ${dataDir}; start it, or give --data-dir or --url`)
}

function bodyOf({ status, body }: Reply): Body {
  if (status < 300) return body
  const { code = '', detail = '', errors = [] } = body
  const fields = (errors as { path: string; message: string }[]).map(
    ({ path, message }) => `${path} ${message}`,
  )
  const text = `${status} ${String(code)}: ${[String(detail), ...fields].join(' ')}`
  throw status === 400 || status === 404 ? new UsageError(text) : new Error(text)
}

/** What somebody else wrote must not move the cursor. */
export function harmless(text: string): string {
  return text.replaceAll(
    /[\x00-\x1f\x7f-\x9f]/g,
    (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
