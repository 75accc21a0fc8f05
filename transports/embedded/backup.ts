/** Copies of a whole log: made while it runs, put back while nothing runs on them, checked record by record. */
import { copyFile, mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { StateError } from '../../state/index.ts'
import { Acknowledged } from './acknowledged.ts'
import type { EmbeddedLogOptions } from './options.ts'
import type { Storage } from './storage.ts'
import { type Verified, verifyLog } from './verify.ts'

/** Throws `STATE_INCOMPATIBLE` when `directory` holds anything. */
export async function backupTo(storage: Storage, directory: string): Promise<void> {
  await refuseContents(directory)
  const db = await storage.ready()
  // Taken before the snapshot: the copy has at least this batch.
  const { sequence } = storage
  await db.copyTo(directory)
  const acknowledged = Acknowledged.open(directory)
  acknowledged.set(sequence)
  acknowledged.close()
}

/**
 * Copies the backup in `from` to `to` and checks every record of the copy. `to` must be empty or absent; the backup is
 * not changed. Throws `STATE_INCOMPATIBLE` (`to` holds anything, or the backup is another application's),
 * `STATE_MISSING` (`from` is no backup), `LOG_CORRUPT`; what was copied is then removed again.
 */
export async function restoreBackup(
  from: string,
  to: string,
  options: Omit<EmbeddedLogOptions, 'directory'>,
): Promise<Verified> {
  await refuseContents(to)
  const names = await readdir(from)
  if (!names.includes('CURRENT')) throw new StateError('STATE_MISSING', `${from} holds no backup`)
  // A backup is closed: only a log that runs, or one that was killed, leaves this file.
  const lock = names.find(isHeldLock)
  if (lock !== undefined)
    throw new StateError('STATE_LOCKED', `${from} is in use, or was not closed: it holds ${lock}`)
  const made = await mkdir(to, { recursive: true })
  try {
    for (const name of names) if (!isLock(name)) await copySynced(join(from, name), join(to, name))
    return await verifyLog({ ...options, directory: to })
  } catch (error) {
    await Promise.all(names.map((name) => rm(join(to, name), { force: true })))
    if (made !== undefined) await rm(to, { recursive: true, force: true })
    throw error
  }
}

async function refuseContents(directory: string): Promise<void> {
  const [first] = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (first !== undefined) throw new StateError('STATE_INCOMPATIBLE', `${directory} is not empty: ${first}`)
}

/** Locks belong to processes, not to data. */
function isLock(name: string): boolean {
  return name === 'LOCK' || isHeldLock(name)
}

/** LevelDB leaves its own `LOCK` behind; this one goes when the database is closed. */
function isHeldLock(name: string): boolean {
  return name.endsWith('.lock')
}

async function copySynced(from: string, to: string): Promise<void> {
  await copyFile(from, to)
  const file = await open(to, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
