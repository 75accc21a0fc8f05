/**
 * A small file in the data directory of a running process: who it is, where it listens, how to talk to it. It is a
 * signpost, not a lock: the lock of the database says who holds the directory.
 */
import { createHash } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const RUN_FILE = 'millrace.run.json'
const SOCKET_FILE = 'millrace.sock'
/** Bytes that a socket's address may have; Linux takes 107, macOS 103. */
const MAX_ADDRESS_BYTES = 100

export interface RunFile {
  readonly pid: number
  /** Address of the control socket. */
  readonly control: string
  readonly url: string
  /** ISO 8601. */
  readonly startedAt: string
}

/** Where the control socket of a data directory goes: into it, or, where that is too long an address, beside others. */
export function controlAddress(dataDir: string): string {
  const inside = join(dataDir, SOCKET_FILE)
  if (Buffer.byteLength(inside) <= MAX_ADDRESS_BYTES) return inside
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 24)
  return join(tmpdir(), `millrace-${name}.sock`)
}

/** Replaces the file in one step. */
export function writeRunFile(dataDir: string, run: RunFile): void {
  const path = join(dataDir, RUN_FILE)
  writeFileSync(`${path}.new`, `${JSON.stringify(run)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

export function removeRunFile(dataDir: string): void {
  rmSync(join(dataDir, RUN_FILE), { force: true })
}

/** What a process wrote that may still run; nothing where there is no such file, or no sense in it. */
export function readRunFile(dataDir: string): RunFile | undefined {
  try {
    const run = JSON.parse(readFileSync(join(dataDir, RUN_FILE), 'utf8')) as Partial<RunFile> | null
    if (typeof run?.pid !== 'number' || typeof run.control !== 'string' || typeof run.url !== 'string')
      return undefined
    return { pid: run.pid, control: run.control, url: run.url, startedAt: String(run.startedAt) }
  } catch {
    return undefined
  }
}
