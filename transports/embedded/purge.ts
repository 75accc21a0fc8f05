/**
 * Makes what was deleted leave the disk: old values of a compacted topic, and of the stores that were made from it.
 *
 * Compaction rewrites the topic's rows; LevelDB still has the old ones, in its write-ahead file and in tables, until it
 * merges those. So the tables over these rows are written anew. A table that comes from memory may be put where LevelDB
 * sees nothing to merge it with, old values and all: deletions at both ends of the range, of rows that there never were,
 * give it something.
 */
import type { KeyRange } from '../../state/index.ts'
import type { Housekeeper, HousekeeperParts } from './housekeeping.ts'
import { logKey, logRange, stateRange } from './keys.ts'
import type { TailCache } from './tail-cache.ts'

/** The first merges what is in tables with what was in memory; the second what that left. */
const ROUNDS = 2
/** Of a log row's key, what comes before partition and offset: shorter than any row's. */
const TOPIC_PREFIX_BYTES = 3

export interface PurgeRequest {
  /** Compacted. */
  readonly topic: string
  /** That keeps its values. */
  readonly topology: string
}

export type PurgeParts = Pick<HousekeeperParts, 'catalog' | 'groups' | 'upkeep' | 'storage'> & {
  readonly housekeeper: Housekeeper
  readonly tail: TailCache
  readonly now: () => number
}

/** Throws `UNKNOWN_TOPIC`, and what compaction and the database throw. */
export async function purge(parts: PurgeParts, { topic, topology }: PurgeRequest): Promise<void> {
  const { catalog, groups, housekeeper, tail, now } = parts
  const { number, spec } = catalog.topic(topic)
  await housekeeper.compactTopic(topic, now())
  // Readers must not be given from memory what is gone from the disk.
  tail.clear()
  const rows = {
    gte: logKey(number, 0, 0).subarray(0, TOPIC_PREFIX_BYTES),
    lt: logRange(number, spec.partitions - 1, 0).lt,
  }
  const tasks = groups.tasks.filter(({ task }) => task.topology === topology)
  for (const range of [rows, ...tasks.map(({ ordinal }) => stateRange(ordinal))]) await rewrite(parts, range)
}

async function rewrite({ upkeep, storage }: PurgeParts, { gte, lt }: KeyRange): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    await upkeep.write((draft) => draft.ops.push({ type: 'del', key: gte }, { type: 'del', key: lt }))
    await (await storage.ready()).compact({ gte, lt })
  }
}
