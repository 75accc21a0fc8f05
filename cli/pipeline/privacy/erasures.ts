/** The list of erasures: a line of JSON each, beside the log and in no backup of it; and how a restored log is told. */
import { randomFillSync } from 'node:crypto'
import { appendFile, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { uuid7Ids } from '../../../api/index.ts'
import { type PrivacyKey, topics } from '../../../schemas/index.ts'
import { type AppendRecord, NO_HEADERS, readRange, systemClock } from '../../../streams/index.ts'
import type { EmbeddedLog } from '../../../transports/embedded/index.ts'
import { InputError } from '../../errors.ts'

/** In the data directory. */
export const ERASURES_FILE = 'erasures'
const PRIVATE_MODE = 0o600
const { privacyKey } = topics

export interface Erasure {
  readonly userId: string
  /** When it was asked for, epoch milliseconds. */
  readonly at: number
}

/** Durable when the promise resolves. */
export async function appendErasures(directory: string, erasures: readonly Erasure[]): Promise<void> {
  const path = join(directory, ERASURES_FILE)
  const lines = erasures.map(({ userId, at }) => `${JSON.stringify({ userId, at })}\n`).join('')
  await appendFile(path, lines, { mode: PRIVATE_MODE })
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Throws an `InputError` that names the line. A last line that a crash cut short counts for nothing. */
export async function readErasures(path: string): Promise<readonly Erasure[]> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new InputError(`the list of erasures cannot be read: ${(cause as Error).message}`, { cause })
  })
  return text
    .split('\n')
    .slice(0, -1)
    .map((line, index) => {
      const erasure = parsed(line)
      if (erasure === undefined) throw new InputError(`${path}, line ${index + 1}: not an erasure`)
      return erasure
    })
}

function parsed(line: string): Erasure | undefined {
  try {
    const { userId, at } = JSON.parse(line) as Partial<Record<'userId' | 'at', unknown>>
    return typeof userId === 'string' && typeof at === 'number' ? { userId, at } : undefined
  } catch {
    return undefined
  }
}

/** Whether any user has a key in the log. */
export async function hasKeys(log: EmbeddedLog): Promise<boolean> {
  return (await keysMade(log)).size > 0
}

/**
 * Deletes the keys of all who were erased after they were made. A key that the user got afterwards stays.
 * @returns how many users that were
 */
export async function eraseAgain(log: EmbeddedLog, erasures: readonly Erasure[]): Promise<number> {
  const made = await keysMade(log)
  const gone = new Set<string>()
  for (const { userId, at } of erasures) if ((made.get(userId) ?? Infinity) <= at) gone.add(userId)
  const record = keyRecords()
  for (const userId of gone) await log.append([record(userId, null)])
  return gone.size
}

/** When the key was made that the log has last, of each user that has one. */
async function keysMade(log: EmbeddedLog): Promise<ReadonlyMap<string, number>> {
  const made = new Map<string, number>()
  // A shop that never took orders has no such topic.
  if (!log.describeTopics().some(({ name }) => name === privacyKey.name)) return made
  for (let partition = 0; partition < log.partitions(privacyKey.name); partition += 1) {
    const at = { topic: privacyKey.name, partition }
    for await (const { key, value } of readRange({ log, clock: systemClock }, at, { from: 0 })) {
      if (key === null) continue
      if (value === null) made.delete(key.toString())
      else made.set(key.toString(), privacyKey.value.deserialize(value).createdAt)
    }
  }
  return made
}

/** Makes records of `privacy.key`: a key of the user, or null for the end of all of them. */
export function keyRecords(): (userId: string, key: PrivacyKey | null) => AppendRecord {
  const ids = uuid7Ids(
    () => systemClock.now(),
    (pool) => void randomFillSync(pool),
  )
  return (userId, key) => {
    const eventId = ids.next()
    return {
      topic: privacyKey.name,
      key: privacyKey.key.serialize(userId),
      value: key === null ? null : privacyKey.value.serialize(key),
      timestamp: systemClock.now(),
      lineage: { eventId, correlationId: eventId },
      headers: NO_HEADERS,
    }
  }
}
