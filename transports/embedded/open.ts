/** Puts an embedded log together: opens and checks the database, reads what is small, starts the writer. */
import { DiskMeter } from './disk-meter.ts'
import { EmbeddedLog } from './embedded-log.ts'
import { Groups, type TaskIdentity } from './groups.ts'
import { type Hold, Holds } from './holds.ts'
import { Housekeeper } from './housekeeping.ts'
import { checkpointKey, rangeOf } from './keys.ts'
import { openDatabase } from './open-database.ts'
import { type EmbeddedLogOptions, limitsOf } from './options.ts'
import { pageReader } from './pages.ts'
import { readAll } from './recovery.ts'
import { decodeCheckpoint, unsealed, unsealedJson } from './small-rows.ts'
import { type LogDatabase, Storage } from './storage.ts'
import { TailCache } from './tail-cache.ts'
import { Upkeep } from './upkeep.ts'
import { Writer } from './writer.ts'

/**
 * Opens the log in `options.directory`, or makes it.
 *
 * Throws `LOG_CORRUPT` when anything of it is missing or damaged, `STATE_LOCKED` when another process has it,
 * `STATE_INCOMPATIBLE` for another application's or a newer one, `STATE_MISSING`, `STATE_IO`; a `RangeError` for limits
 * that make no sense.
 */
export function openEmbeddedLog(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
  return openWith(options, () => openDatabase(options))
}

/** As `openEmbeddedLog`, on a database of the caller's; tests put faults into it. */
export async function openWith(
  options: EmbeddedLogOptions,
  open: () => Promise<LogDatabase>,
): Promise<EmbeddedLog> {
  const limits = limitsOf(options)
  const { directory, application, sync = true, hooks = {}, clock = systemClock } = options
  const { writeBufferBytes } = limits
  const { storage, recovered } = await Storage.open({ directory, writeBufferBytes, sync, open })
  try {
    const { catalog, appendTime } = recovered
    const groups = await readTasks(storage.db)
    const holds = await readHolds(storage.db, groups)
    const disk = new DiskMeter(directory)
    await disk.measure()
    const tail = new TailCache(limits.tailCacheBytes, catalog)
    const now = () => clock.now()
    const writer = new Writer({ storage, catalog, tail, limits, hooks, disk, now, appendTime })
    const upkeep = new Upkeep(writer)
    const readPage = pageReader(() => storage.ready(), catalog, limits.readAheadBytes)
    const shared = { limits, storage, catalog, groups, holds, upkeep, disk, readPage }
    const housekeeper = new Housekeeper({ ...shared, hooks })
    const interval = limits.housekeepingIntervalMs
    const timer = interval > 0 ? setInterval(() => void housekeeper.run(now()), interval).unref() : undefined
    return new EmbeddedLog({ ...shared, application, writer, tail, housekeeper, timer, now })
  } catch (error) {
    await storage.close()
    throw error
  }
}

const systemClock = { now: () => Date.now() }

async function readTasks(db: LogDatabase): Promise<Groups> {
  const groups = new Groups()
  for (const { key, value } of await readAll(db, rangeOf('task'))) {
    const ordinal = key.readUInt16BE(1)
    const {
      task,
      stores,
      inputs,
      resetting = false,
    } = unsealedJson(key, value, `task ${ordinal}`) as TaskIdentity
    const row = checkpointKey(ordinal)
    const bytes = db.get(row)
    const checkpoint =
      bytes === undefined
        ? undefined
        : decodeCheckpoint(unsealed(row, bytes, `the checkpoint of task ${ordinal}`))
    groups.add({ ordinal, task, stores, inputs, checkpoint, resetting })
  }
  return groups
}

async function readHolds(db: LogDatabase, groups: Groups): Promise<Holds> {
  const holds = new Holds(groups)
  for (const { key, value } of await readAll(db, rangeOf('hold'))) {
    holds.set(unsealedJson(key, value, 'a held position') as Hold)
  }
  return holds
}
