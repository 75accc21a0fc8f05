/** A shop in a process of its own, on a fresh directory that is removed afterwards. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Context } from '../context.ts'
import { commandFile } from '../package-root.ts'

export interface OwnShop {
  readonly url: string
  readonly dataDir: string
  /** Ends it gracefully; what it has written stays. Idempotent. */
  stop(): Promise<void>
  /** Ends it and removes its directory. Idempotent. */
  end(): Promise<void>
}

/** No client is held back: the generator is one client and stands for many. Nobody is to be told anything. */
const SETTINGS = ['http.clientRequestsPerSecond=1000000', 'http.clientBurst=1000000', 'mail.transport=off']

/**
 * Rejects when it ends before it listens.
 * @param more settings, as `--set` takes them
 */
export async function startShop(
  { stop: signal }: Pick<Context, 'stop'>,
  more: readonly string[] = [],
): Promise<OwnShop> {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-load-'))
  const flags = ['start', '--json', '--port', '0', '--data-dir', dataDir, '--log-level', 'warn']
  const settings = [...SETTINGS, ...more].flatMap((setting) => ['--set', setting])
  // Of its surroundings it gets nothing: a setting of the caller's would change what is measured.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('MILLRACE_')),
  )
  const child = spawn(process.execPath, [commandFile(), ...flags, ...settings], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => (stopping ??= endChild())
  const end = async (): Promise<void> => {
    await stop()
    await rm(dataDir, { recursive: true, force: true })
  }

  try {
    const url = await Promise.race([firstUrl(), failed(), aborted()])
    return { url, dataDir, stop, end }
  } catch (error) {
    await end()
    throw error
  }

  async function firstUrl(): Promise<string> {
    for await (const line of createInterface({ input: child.stdout })) {
      return (JSON.parse(line) as { url: string }).url
    }
    return failed()
  }

  async function failed(): Promise<never> {
    const [code] = await exited
    throw new Error(`the shop for the load ended before it was ready (exit code ${String(code)})`)
  }

  function aborted(): Promise<never> {
    return new Promise((_, reject) => {
      const abort = (): void => reject(signal.reason as Error)
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    })
  }

  async function endChild(): Promise<void> {
    child.kill('SIGTERM')
    await exited
  }
}
