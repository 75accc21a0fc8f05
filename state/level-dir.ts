/**
 * The directory of a LevelDB database, and who it belongs to.
 *
 * LevelDB takes a directory without `CURRENT` for a new one: it makes an empty database and deletes the data files. So
 * a marker file says that a database was made here, for which application, in which format; and a lock file says which
 * process has it open, because LevelDB's own lock does not. Nothing is ever repaired here, and nothing deleted once the
 * marker says `ready`.
 *
 * The marker's life: `creating` is written and synced before LevelDB first opens the directory; `ready` replaces it once
 * LevelDB's files are there. A crash in between leaves `creating`: nothing was ever committed, so making the database
 * again loses nothing. Once it is `ready`, a missing `CURRENT` means that data was lost.
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { StateError } from './errors.ts'

/** States of processes that run no more: zombie, dead. */
const ENDED: ReadonlySet<string> = new Set(['Z', 'X', 'x'])

export const markerFile = 'millrace.json'
export const lockFile = 'millrace.lock'

/** Version of everything that is stored: row layout, envelope, files. Grows when an older program could not read it. */
export const stateFormat = 1

/** What the marker says. */
export interface Identity {
  readonly application: string
  readonly format: number
  /** Drawn when the directory was made. */
  readonly id: string
  /** ISO 8601. */
  readonly createdAt: string
}

interface Marker extends Identity {
  readonly stage: 'creating' | 'ready'
}

/** The process that has the directory open. */
interface Holder {
  readonly pid: number
  readonly host: string
  /** Tells this process from a later one with the same id; empty where the system does not say. */
  readonly started: string
}

/** Makes the directory and its marker where there are none, and says whether LevelDB may create its files. */
export async function prepareDirectory(dir: string, application: string): Promise<{ create: boolean }> {
  const found = await readMarker(dir, application)
  if (found === undefined) {
    await refuseForeignDatabase(dir)
    await makeDirectory(dir)
    await createMarker(dir, application)
    return { create: true }
  }
  await refuseLiveHolder(dir)
  return { create: found.stage === 'creating' }
}

/** Deletes what LevelDB has made of a database whose marker says `creating`, if it cannot open that. */
export async function removeUnfinished(dir: string): Promise<void> {
  for (const name of await databaseFiles(dir)) await unlink(join(dir, name)).catch(ignoreMissing)
  await syncDirectory(dir)
}

/** The marker's identity, once LevelDB has the directory open and locked. */
export async function claimDirectory(dir: string, application: string): Promise<Identity> {
  const marker = await readMarker(dir, application)
  if (marker === undefined) throw new StateError('STATE_MISSING', `${dir} has lost its marker ${markerFile}`)
  if (marker.stage === 'creating') {
    // First LevelDB's files have to last: a marker that outlived them would say that data was lost.
    await syncDirectory(dir)
    await replaceFile(dir, markerFile, markerText({ ...marker, stage: 'ready' }))
  }
  await replaceFile(dir, lockFile, JSON.stringify(await thisProcess()))
  const { application: name, format, id, createdAt } = marker
  return { application: name, format, id, createdAt }
}

/** Before LevelDB lets go of its own lock, so that the file of whoever comes next is not taken away. */
export async function releaseDirectory(dir: string): Promise<void> {
  await unlink(join(dir, lockFile)).catch(ignoreMissing)
}

export function lockedError(dir: string, holder: Holder | undefined, cause?: unknown): StateError {
  const by =
    holder === undefined ? 'locked by another process' : `locked by pid ${holder.pid} on ${holder.host}`
  return new StateError('STATE_LOCKED', `${dir} is ${by}`, { cause })
}

/**
 * For systems that do not tell a process from a later one with its number: a directory that looks damaged while its
 * holder may be alive is more likely one that is being written.
 */
export async function lockedWhileChecking(dir: string, cause: unknown): Promise<StateError | undefined> {
  const holder = await readHolder(dir)
  if (holder === undefined || holder.started !== '') return undefined
  try {
    process.kill(holder.pid, 0)
    return lockedError(dir, holder, cause)
  } catch {
    return undefined
  }
}

export async function readHolder(dir: string): Promise<Holder | undefined> {
  const text = await readText(join(dir, lockFile))
  if (text === undefined) return undefined
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null
    if (typeof holder?.pid !== 'number' || typeof holder.host !== 'string') return undefined
    return { pid: holder.pid, host: holder.host, started: String(holder.started ?? '') }
  } catch {
    return undefined
  }
}

/**
 * LevelDB's lock is the judge; this only keeps a second process from touching anything when it is certain to lose.
 * A lock file whose process is gone, or whose number another process has by now, is left to be replaced.
 */
async function refuseLiveHolder(dir: string): Promise<void> {
  const holder = await readHolder(dir)
  if (holder === undefined || holder.started === '') return
  if (holder.started === (await startOf(holder.pid))) throw lockedError(dir, holder)
}

async function thisProcess(): Promise<Holder> {
  return { pid: process.pid, host: hostname(), started: await startOf(process.pid) }
}

/** Boot and start tick of a process: the same pair never comes back. Empty where the system does not say. */
async function startOf(pid: number): Promise<string> {
  const [boot, stat] = await Promise.all([
    readText('/proc/sys/kernel/random/boot_id'),
    readText(`/proc/${pid}/stat`),
  ])
  // The second field is the program's name in brackets, which may hold blanks; the start tick is the 22nd field.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  const tick = fields?.[19]
  // One that ended stays in the table until its parent looks: it holds nothing any more.
  if (boot === undefined || tick === undefined || ENDED.has(fields?.[0] ?? '')) return ''
  return `${boot.trim()} ${tick}`
}

async function readMarker(dir: string, application: string): Promise<Marker | undefined> {
  const text = await readText(join(dir, markerFile))
  if (text === undefined) return undefined
  const marker = parseMarker(text)
  if (marker === undefined) throw new StateError('STATE_CORRUPT', `${join(dir, markerFile)} is damaged`)
  if (marker.format > stateFormat) {
    const detail = `${dir} has format ${marker.format}; this program knows formats up to ${stateFormat}`
    throw new StateError('STATE_INCOMPATIBLE', detail)
  }
  if (marker.application !== application) {
    throw new StateError(
      'STATE_INCOMPATIBLE',
      `${dir} belongs to ${marker.application}, not to ${application}`,
    )
  }
  return marker
}

/** One JSON object per file; `crc` is that of the object's text without it. */
function markerText(marker: Marker): string {
  const text = JSON.stringify(marker)
  return `${JSON.stringify({ ...marker, crc: crc32(text) })}\n`
}

function parseMarker(text: string): Marker | undefined {
  try {
    const { crc, ...marker } = JSON.parse(text) as Marker & { crc: number }
    return crc === crc32(JSON.stringify(marker)) ? marker : undefined
  } catch {
    return undefined
  }
}

async function refuseForeignDatabase(dir: string): Promise<void> {
  const [first] = await databaseFiles(dir)
  if (first === undefined) return
  throw new StateError(
    'STATE_INCOMPATIBLE',
    `${dir} holds database files (${first}) but no marker ${markerFile}`,
  )
}

async function databaseFiles(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch(ignoreMissing)
  return (names ?? []).filter(
    (name) => name === 'CURRENT' || /^MANIFEST-\d+$|^\d+\.(ldb|sst|log)$/.test(name),
  )
}

/** `link` and not `rename`: of two processes that start at once, one makes the marker and both read it. */
async function createMarker(dir: string, application: string): Promise<void> {
  const createdAt = new Date().toISOString()
  const marker: Marker = { application, format: stateFormat, id: randomUUID(), createdAt, stage: 'creating' }
  const draft = await writeDraft(dir, markerFile, markerText(marker))
  await link(draft, join(dir, markerFile)).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error
  })
  await unlink(draft)
  await syncDirectory(dir)
}

/** All of the new text or all of the old, also after a power cut. */
export async function replaceFile(dir: string, name: string, text: string): Promise<void> {
  await rename(await writeDraft(dir, name, text), join(dir, name))
  await syncDirectory(dir)
}

async function writeDraft(dir: string, name: string, text: string): Promise<string> {
  const draft = join(dir, `${name}.${process.pid}-${randomUUID()}`)
  const file = await open(draft, 'wx')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  return draft
}

/** A new directory lasts once its parent's entry for it is on disk. */
async function makeDirectory(dir: string): Promise<void> {
  const first = await mkdir(dir, { recursive: true })
  if (first !== undefined) await syncDirectory(join(first, '..'))
}

export async function syncDirectory(dir: string): Promise<void> {
  // Windows cannot open a directory, and keeps its entries in a journal.
  if (process.platform === 'win32') return
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(ignoreMissing)
}

export function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error
  return undefined
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
