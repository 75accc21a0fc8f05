/**
 * Reads a log that nobody has open from end to end: every record, every task's rows, every small row, and whether they
 * join. What is damaged is told, one place after the other, and nothing is changed.
 */
import { isStateError, type StateReader, verifyStores } from '../../state/index.ts'
import { isStreamsError, StreamsError, taskName } from '../../streams/index.ts'
import type { Catalog, PartitionState } from './catalog.ts'
import type { TaskIdentity } from './groups.ts'
import { checkpointKey, journalRange, lastOffsetOf, logRange, rangeOf, statePrefix } from './keys.ts'
import { openDatabase } from './open-database.ts'
import { type EmbeddedLogOptions, limitsOf } from './options.ts'
import { readAll } from './recovery.ts'
import { decodeCheckpoint, decodeJournal, unsealed, unsealedJson } from './small-rows.ts'
import { type LogDatabase, Storage } from './storage.ts'
import { checkedHeader, decodeRecords } from './stored-record.ts'

/** Log rows, which are large, and journal rows read at a time. */
const LOG_PAGE_ROWS = 16
const JOURNAL_PAGE_ROWS = 500

/** What a check of a whole log has seen. */
export interface Verified {
  readonly topics: number
  readonly records: number
  readonly tasks: number
  /** Rows of stores and their indexes. */
  readonly rows: number
  /** Number of its last batch. */
  readonly sequence: number
}

/** Told of each damaged place; may throw. */
export type OnDamage = (error: Error) => void

/**
 * Throws what `openEmbeddedLog` throws. What is found after that goes to `onDamage`; without it, the first is thrown as
 * `LOG_CORRUPT`.
 */
export async function verifyLog(options: EmbeddedLogOptions, onDamage: OnDamage = refuse): Promise<Verified> {
  const limits = limitsOf(options)
  const { storage, recovered } = await Storage.open({
    directory: options.directory,
    writeBufferBytes: limits.writeBufferBytes,
    sync: true,
    open: () => openDatabase(options),
  })
  try {
    const { catalog, sequence } = recovered
    let records = 0
    for (const partition of catalog.partitions)
      records += await verifyPartition(storage.db, catalog, partition, onDamage)
    for (const kind of ['hold', 'setting'] as const) {
      for (const { key, value } of await readAll(storage.db, rangeOf(kind)))
        told(onDamage, () => unsealedJson(key, value, `a ${kind}`))
    }
    let rows = 0
    const tasks = await readAll(storage.db, rangeOf('task'))
    for (const { key, value } of tasks)
      rows += await verifyTask(storage.db, key.readUInt16BE(1), { key, value }, onDamage)
    return { topics: catalog.topics.length, records, tasks: tasks.length, rows, sequence }
  } finally {
    await storage.close()
  }
}

/** Answers how many records there are. */
async function verifyPartition(
  db: LogDatabase,
  catalog: Catalog,
  partition: PartitionState,
  onDamage: OnDamage,
): Promise<number> {
  const { topic, topicNumber, partition: number, start, end } = partition
  const gap = (to: number): void => {
    if (next < to)
      onDamage(new StreamsError('LOG_CORRUPT', `${topic}-${number} has no row for ${next} to ${to - 1}`))
  }
  let records = 0
  let next = start
  while (next < end) {
    const page = await db.page(logRange(topicNumber, number, next), { limit: LOG_PAGE_ROWS })
    if (page.length === 0) break
    for (const { key, value } of page) {
      told(onDamage, () => {
        const header = checkedHeader(partition, key, value)
        gap(header.baseOffset)
        records += decodeRecords(partition, header, value, catalog).length
      })
      next = lastOffsetOf(key) + 1
    }
  }
  gap(end)
  return records
}

/** Identity, checkpoint, journal and stores of one task; answers how many rows its stores have. */
async function verifyTask(
  db: LogDatabase,
  ordinal: number,
  identity: { readonly key: Buffer; readonly value: Buffer },
  onDamage: OnDamage,
): Promise<number> {
  let name = `task ${ordinal}`
  told(onDamage, () => {
    const { task } = unsealedJson(identity.key, identity.value, name) as TaskIdentity
    name = taskName(task)
  })
  let sequence: number | undefined
  told(onDamage, () => {
    const key = checkpointKey(ordinal)
    const bytes = db.get(key)
    if (bytes !== undefined)
      sequence = decodeCheckpoint(unsealed(key, bytes, `the checkpoint of ${name}`)).sequence
  })
  await verifyJournal(db, { ordinal, name, sequence }, onDamage)
  const prefix = statePrefix(ordinal)
  const reader: StateReader = {
    prefix,
    get: (key) => db.get(key),
    page: (range, page) => db.page(range, page),
    approximateBytes: (range) => db.approximateBytes(range),
  }
  const counts = await verifyStores(reader, ({ detail }) => {
    onDamage(new StreamsError('LOG_CORRUPT', `${name}, ${detail}`))
  })
  return [...counts.values()].reduce((sum, count) => sum + count, 0)
}

/** A journal may have lost its beginning to retention, and nothing else. */
async function verifyJournal(
  db: LogDatabase,
  { ordinal, name, sequence }: { ordinal: number; name: string; sequence: number | undefined },
  onDamage: OnDamage,
): Promise<void> {
  const { lt } = journalRange(ordinal)
  let { gte } = journalRange(ordinal)
  let last: number | undefined
  for (;;) {
    const page = await db.page({ gte, lt }, { limit: JOURNAL_PAGE_ROWS })
    for (const { key, value } of page) {
      told(onDamage, () => {
        const found = decodeJournal(unsealed(key, value, `a journal row of ${name}`)).sequence
        const expected = last === undefined ? found : last + 1
        last = found
        if (found !== expected)
          throw new StreamsError('LOG_CORRUPT', `${name} has no journal of batch ${expected}`)
      })
      gte = Buffer.concat([key, Buffer.of(0)])
    }
    if (page.length < JOURNAL_PAGE_ROWS) break
  }
  if (last !== undefined && last !== sequence)
    onDamage(new StreamsError('LOG_CORRUPT', `${name} has journals up to ${last}, and committed ${sequence}`))
}

/** Runs a check; what it finds is told. */
function told(onDamage: OnDamage, check: () => void): void {
  try {
    check()
  } catch (error) {
    if (isStreamsError(error) || isStateError(error)) onDamage(error)
    // Bytes that have their checksum and cannot be decoded all the same.
    else if (error instanceof RangeError)
      onDamage(new StreamsError('LOG_CORRUPT', error.message, { cause: error }))
    else throw error
  }
}

function refuse(error: Error): never {
  if (isStreamsError(error, 'LOG_CORRUPT')) throw error
  throw new StreamsError('LOG_CORRUPT', isStreamsError(error) ? error.detail : error.message, {
    cause: error,
  })
}
