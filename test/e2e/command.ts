/** Runs the real command in processes of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach } from 'vitest'

export const ROOT = join(import.meta.dirname, '../..')
export const DECEMBER = join(ROOT, 'samples/online-retail/2010-12.csv.gz')

const COMMAND = join(ROOT, 'bin/millrace.js')
const running = new Set<ChildProcess>()
const directories: string[] = []

afterEach(async () => {
  const left = [...running]
  for (const child of left) child.kill('SIGKILL')
  await Promise.all(
    left
      .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
      .map((child) => once(child, 'exit')),
  )
})

afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-e2e-'))
  directories.push(directory)
  return directory
}

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly pid: number
  readonly finished: Promise<Finished>
  /** Resolves with all of stdout once stdout or stderr has said something. Rejects when it ends without. */
  said(pattern: RegExp): Promise<string>
  kill(signal: NodeJS.Signals): void
}

/** Starts `millrace` with these arguments; nothing of this process's settings gets to it. */
export function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  const clean = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('MILLRACE_') && name !== 'FORCE_COLOR',
  )
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd: ROOT,
    env: { ...Object.fromEntries(clean), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let stdout = ''
  let stderr = ''
  const listeners = new Set<() => void>()
  const heard = (): void => listeners.forEach((listener) => listener())
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    heard()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
    heard()
  })
  const finished = once(child, 'close').then(() => {
    running.delete(child)
    return { code: child.exitCode, stdout, stderr }
  })
  const ended = finished.then(({ code }) =>
    Promise.reject(new Error(`ended with ${String(code)}: ${stderr}`)),
  )
  ended.catch(() => undefined)
  return {
    pid: child.pid as number,
    finished,
    kill: (signal) => void child.kill(signal),
    said(pattern) {
      const found = new Promise<string>((resolve) => {
        const look = (): void => {
          if (!pattern.test(stdout) && !pattern.test(stderr)) return
          listeners.delete(look)
          resolve(stdout)
        }
        listeners.add(look)
        look()
      })
      return Promise.race([found, ended])
    },
  }
}

export function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
  return start(args, env).finished
}

export interface Shop extends Running {
  readonly url: string
}

/** A shop that listens. */
export async function startShop(dataDir: string, ...more: readonly string[]): Promise<Shop> {
  return startShopWith({}, dataDir, ...more)
}

/** As `startShop`, with variables. */
export async function startShopWith(
  env: Readonly<Record<string, string>>,
  dataDir: string,
  ...more: readonly string[]
): Promise<Shop> {
  const shop = start(['start', '--json', '--port', '0', '--data-dir', dataDir, ...more], env)
  const { url } = JSON.parse(await shop.said(/"pid":\d+\}\n/)) as { url: string }
  return { ...shop, url }
}

/** Ends it as a supervisor does. */
export function stop(shop: Running): Promise<Finished> {
  shop.kill('SIGTERM')
  return shop.finished
}

export async function getJson(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(url)
  return (await response.json()) as Record<string, unknown>
}

export async function sendJson(
  method: 'POST' | 'PUT',
  url: string,
  body: object,
): Promise<Record<string, unknown>> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method, headers, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`)
  return (await response.json()) as Record<string, unknown>
}
