/**
 * Wraps the data keys of all users anew by the first master key, so that the others can go.
 *
 * On a log that no process has open: an erasure that came between reading a key and appending it would be undone.
 * Keys are those that the next start will have: the rows of the store, and what the log has for it besides. All of them
 * are opened before the first is appended; what a crash leaves out, the next run brings.
 */
import { withKey } from '../../../processors/index.ts'
import {
  type MasterKeys,
  type PrivacyKey,
  type PrivacyKeys,
  topics,
  type WrappedDataKey,
} from '../../../schemas/index.ts'
import { dumpStore } from '../../../state/index.ts'
import { readRange, systemClock } from '../../../streams/index.ts'
import { privacy, privacyKeyStore } from '../../../topologies/index.ts'
import type { EmbeddedLog } from '../../../transports/embedded/index.ts'
import { CheckError } from '../../errors.ts'
import { SWEEP_DUE } from './embedded-eraser.ts'
import { hasKeys, keyRecords } from './erasures.ts'

const { privacyKey } = topics
/** Keys of one append. */
const APPEND_KEYS = 500

export interface Rewrapped {
  /** Whose keys were wrapped anew. */
  readonly users: number
  readonly keys: number
  /** Keys that the first master key wraps already. */
  readonly already: number
}

/** Throws `UnknownMasterKey` and a `SealingError`; then nothing has changed. */
export async function rewrap(log: EmbeddedLog, masterKeys: MasterKeys): Promise<Rewrapped> {
  if (!(await hasKeys(log))) return { users: 0, keys: 0, already: 0 }
  const anew: PrivacyKey[] = []
  let users = 0
  let already = 0
  for (let partition = 0; partition < log.partitions(privacyKey.name); partition += 1) {
    for (const [userId, { keys, createdAt }] of await keysOf(log, partition)) {
      const wrapped = keys.map((key) => masterKeys.rewrap(userId, key))
      if (wrapped.every((key, index) => key === keys[index])) already += keys.length
      else {
        users += 1
        // In their order, also those that stay: the last one seals.
        anew.push(...wrapped.map((key) => ({ userId, ...key, createdAt })))
      }
    }
  }
  await append(log, anew)
  return { users, keys: anew.length, already }
}

async function append(log: EmbeddedLog, keys: readonly PrivacyKey[]): Promise<void> {
  const record = keyRecords()
  for (let from = 0; from < keys.length; from += APPEND_KEYS) {
    await log.append(keys.slice(from, from + APPEND_KEYS).map((key) => record(key.userId, key)))
  }
  // The bytes of the keys as they were go with the first sweep.
  if (keys.length > 0) await log.putSetting(SWEEP_DUE, true)
}

interface UserKeys {
  readonly keys: readonly WrappedDataKey[]
  /** When the newest was made, epoch milliseconds. */
  readonly createdAt: number
}

/** The keys of a partition, by user. */
async function keysOf(log: EmbeddedLog, partition: number): Promise<ReadonlyMap<string, UserKeys>> {
  const at = { topic: privacyKey.name, partition }
  const users = new Map<string, UserKeys>()
  for (const [userId, { keys }] of await storedKeys(log, partition)) users.set(userId, { keys, createdAt: 0 })
  const processed = (await log.processed(privacy.name, at)) ?? 0
  for await (const { key, value, offset } of readRange({ log, clock: systemClock }, at, { from: 0 })) {
    if (key === null) continue
    const userId = key.toString()
    const known = users.get(userId)?.keys ?? []
    const made = value === null ? undefined : privacyKey.value.deserialize(value)
    if (made === undefined && offset >= processed) users.delete(userId)
    if (made === undefined) continue
    // What the store has is not decided again: who was erased since has no row.
    const keys = offset < processed ? known : withKey(known, made)
    if (keys.length > 0) users.set(userId, { keys, createdAt: made.createdAt })
  }
  return users
}

async function storedKeys(log: EmbeddedLog, partition: number): Promise<readonly [string, PrivacyKeys][]> {
  const task = log.storedTasks().find((one) => one.topology === privacy.name && one.partition === partition)
  if (task === undefined) return []
  const rows: [string, PrivacyKeys][] = []
  const { name: store } = privacyKeyStore
  for await (const row of dumpStore(await log.taskState(task), { store, spec: privacyKeyStore })) {
    if ('error' in row) throw new CheckError(`a key cannot be read: ${row.error}`)
    rows.push([row.key as string, row.value as PrivacyKeys])
  }
  return rows
}
