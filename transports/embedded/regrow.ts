/**
 * Gives topics other partitions. Their records go: where each belongs now is for the caller to know.
 *
 * Only on a log that nobody uses and that can be thrown away: after a crash in between, some topics have theirs and some
 * have not.
 */
import { type Position, StreamsError } from '../../streams/index.ts'
import { type Catalog, topicToJson } from './catalog.ts'
import { topicKey } from './keys.ts'
import { emptyPartition } from './reset.ts'
import { sealedJson } from './small-rows.ts'
import type { Storage } from './storage.ts'
import type { Upkeep } from './upkeep.ts'

export interface RegrowParts {
  readonly catalog: Catalog
  readonly storage: Storage
  readonly upkeep: Upkeep
}

export interface RegrowRequest {
  /** Get `partitions` partitions, more than they have. */
  readonly topics: readonly string[]
  readonly partitions: number
  /** Lose their records only. */
  readonly emptied: readonly string[]
}

/**
 * Every partition goes on where the longest one of its topic ended, so no position of before names a record of after.
 * Answers the next offset of each partition that was made. Throws `TOPIC_MISMATCH` for fewer partitions.
 */
export async function regrow(parts: RegrowParts, request: RegrowRequest): Promise<readonly Position[]> {
  const { catalog, upkeep } = parts
  const entries = request.topics.map((name) => catalog.topic(name))
  for (const { spec } of entries) {
    if (request.partitions > spec.partitions) continue
    throw new StreamsError('TOPIC_MISMATCH', `${spec.name} has ${spec.partitions} partitions already`)
  }
  for (const name of [...request.topics, ...request.emptied])
    for (const partition of catalog.find(name)?.partitions ?? []) await emptyPartition(parts, partition)
  const positions: Position[] = []
  for (const { number, spec: before, partitions } of entries) {
    const spec = { ...before, partitions: request.partitions }
    const base = Math.max(...partitions.map(({ end }) => end))
    await upkeep.write((draft) => {
      const key = topicKey(number)
      draft.ops.push({ type: 'put', key, value: sealedJson(key, topicToJson(spec)) })
      // With the batch goes a row of all bounds, as these are not what was read at the start.
      for (const partition of catalog.replace(number, spec, base).partitions) {
        draft.trims.set(partition, { start: base, bytes: 0 })
        positions.push({ topic: partition.topic, partition: partition.partition, offset: base })
      }
    })
  }
  return positions
}
