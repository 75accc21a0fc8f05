/**
 * What is looked at before LevelDB opens a directory, because LevelDB would not notice, and would go on with less data
 * than there was. Nothing is changed; every finding is `STATE_CORRUPT` or `STATE_MISSING`.
 *
 * - `CURRENT` is there and names a manifest that is there.
 * - The manifest's records are whole, and the write-ahead file that it needs is there.
 * - The write-ahead files are as they were when the database was closed, if it was closed. After a crash that cannot be
 *   known, and the ring of batches (`ring.ts`) shows what is missing.
 * - Every table in use is there, and each of its blocks has the checksum it was written with. This reads the whole database, at about 1 GB/s
 *   where the disk allows; `LevelOptions.checkTables` turns it off.
 */
import { readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { StateError } from './errors.ts'
import { checkTable, readLogRecords, readVersion, type Version } from './level-format.ts'
import { ignoreMissing, replaceFile, syncDirectory } from './level-dir.ts'

export const closedFile = 'millrace.closed'

/** What a write-ahead file was when the database was closed. */
interface ClosedLog {
  readonly log: string
  readonly bytes: number
  readonly crc: number
}

export async function checkDatabase(dir: string, checkTables: boolean): Promise<void> {
  const version = await checkManifest(dir)
  await checkClosed(dir)
  if (checkTables) for (const [number, bytes] of version.tables) await checkTableFile(dir, number, bytes)
}

async function checkManifest(dir: string): Promise<Version> {
  const names = await readdir(dir)
  const current = await readFile(join(dir, 'CURRENT'), 'utf8').catch(ignoreMissing)
  if (current === undefined) {
    throw new StateError('STATE_MISSING', `${dir} has the marker of a database but no CURRENT file`)
  }
  const manifest = current.trimEnd()
  if (!manifest.startsWith('MANIFEST-') || !names.includes(manifest)) {
    throw new StateError('STATE_CORRUPT', `${dir}: CURRENT names no manifest that is there`)
  }
  const bytes = await readFile(join(dir, manifest))
  const version = check(dir, manifest, () => readVersion(readLogRecords(bytes).records))
  const log = `${padded(version.log)}.log`
  if (version.log > 0 && !names.includes(log)) {
    // Also where a manifest lost its last edits: LevelDB deletes a write-ahead file only after the edit that says so.
    throw new StateError(
      'STATE_CORRUPT',
      `${dir}: the write-ahead file ${log} that ${manifest} needs is not there`,
    )
  }
  return version
}

async function checkTableFile(dir: string, number: number, bytes: number): Promise<void> {
  const name = `${padded(number)}.ldb`
  const table = await readFile(join(dir, name)).catch(ignoreMissing)
  if (table?.length !== bytes) {
    const found = table === undefined ? 'is not there' : `has ${table.length} bytes`
    throw new StateError('STATE_CORRUPT', `${join(dir, name)} ${found}, not the ${bytes} it was written with`)
  }
  check(dir, name, () => checkTable(table))
}

/** Notes what the write-ahead files are. Only once no write is under way and none will come. */
export async function recordClosed(dir: string): Promise<void> {
  const logs: ClosedLog[] = []
  for (const log of (await readdir(dir)).filter(isLog)) {
    // LevelDB may still be writing an older one out as a table, and delete it.
    const bytes = await readFile(join(dir, log)).catch(ignoreMissing)
    if (bytes !== undefined) logs.push({ log, bytes: bytes.length, crc: crc32(bytes) })
  }
  await replaceFile(dir, closedFile, JSON.stringify(logs))
}

/** One that is not there and is needed all the same was found missing by the manifest, or is the newest. */
async function checkClosed(dir: string): Promise<void> {
  const logs = parseRecord(await readFile(join(dir, closedFile), 'utf8').catch(ignoreMissing))
  const newest = logs
    .map(({ log }) => log)
    .toSorted(byNumber)
    .at(-1)
  for (const { log, bytes, crc } of logs) {
    const found = await readFile(join(dir, log)).catch(ignoreMissing)
    if (found === undefined ? log !== newest : found.length === bytes && crc32(found) === crc) continue
    throw new StateError('STATE_CORRUPT', `${join(dir, log)} is not as it was when the database was closed`)
  }
}

/** The record holds for the files that were checked; LevelDB makes new ones as soon as it opens. */
export async function forgetClosed(dir: string): Promise<void> {
  await unlink(join(dir, closedFile)).catch(ignoreMissing)
  await syncDirectory(dir)
}

/** A damaged record says nothing; the data may be whole all the same. */
function parseRecord(text: string | undefined): ClosedLog[] {
  if (text === undefined) return []
  try {
    return (JSON.parse(text) as ClosedLog[]).filter(({ log }) => isLog(log))
  } catch {
    return []
  }
}

function isLog(name: string): boolean {
  return /^\d+\.log$/.test(name)
}

function check<T>(dir: string, name: string, look: () => T): T {
  try {
    return look()
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new StateError('STATE_CORRUPT', `${join(dir, name)}: ${cause.message}`, { cause })
  }
}

/** As LevelDB writes numbers in the names of files. */
function padded(number: number): string {
  return String(number).padStart(6, '0')
}

function byNumber(a: string, b: string): number {
  return Number.parseInt(a, 10) - Number.parseInt(b, 10)
}
