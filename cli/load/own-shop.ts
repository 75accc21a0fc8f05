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
  /** Ends it gracefully and removes its directory. Idempotent. */
  end(): Promise<void>
}

/** No client is held back: the generator is one client and stands for many. */
const SETTINGS = ['http.clientRequestsPerSecond=1000000', 'http.clientBurst=1000000']

/** Rejects when it ends before it listens. */
export async function startShop({ stop }: Pick<Context, 'stop'>): Promise<OwnShop> {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-load-'))
  const flags = ['start', '--json', '--port', '0', '--data-dir', dataDir, '--log-level', 'warn']
  const settings = SETTINGS.flatMap((setting) => ['--set', setting])
  // Of its surroundings it gets nothing: a setting of the caller's would change what is measured.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('MILLRACE_')),
  )
  const child = spawn(process.execPath, [commandFile(), ...flags, ...settings], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  let ending: Promise<void> | undefined
  const end = (): Promise<void> => (ending ??= endChild())

  try {
    const url = await Promise.race([firstUrl(), failed(), aborted()])
    return { url, end }
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
      const abort = (): void => reject(stop.reason as Error)
      if (stop.aborted) abort()
      else stop.addEventListener('abort', abort, { once: true })
    })
  }

  async function endChild(): Promise<void> {
    child.kill('SIGTERM')
    await exited
    await rm(dataDir, { recursive: true, force: true })
  }
}
