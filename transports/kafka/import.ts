/**
 * Brings what another log has to a cluster on which the application never was, so that positions keep their numbers.
 *
 * Data flow: records, offset by offset → topics in a form in which nothing is stamped, deleted or compacted; rows →
 * changelogs; then positions → groups, and the topics get their own form.
 *
 * | state of a group | is |
 * | --- | --- |
 * | `untouched` | nobody was ever here |
 * | `begun` | each position is a mark that names the log it comes from: no task opens (`RESET_REQUIRED`) |
 * | `done` | the positions are those of the tasks |
 *
 * Offsets that the other log has no records for (retention and compaction took them) are filled by transactions that are
 * aborted: records of which no reader sees any, and the marker, which takes the last of the offsets. So a gap is filled,
 * however the filling ends, without a record where the next one is to be.
 *
 * Not its job: what is brought, in which order, and whether it arrived (`cli/pipeline/migration`).
 *
 * Invariants:
 * 1. A record lies at the offset that it had, or `place` throws.
 * 2. Every call may be repeated after a crash.
 */
import {
  type Checkpoint,
  type GroupSpec,
  type LogRecord,
  type PartitionBounds,
  StreamsError,
  type TopicPartition,
  type TopicSpec,
} from '../../streams/index.ts'
import type { BatchRecord } from './batches/encode.ts'
import { encodeOffsetMetadata, IMPORT_MARK, inputTag, topicTag } from './offset-metadata.ts'
import {
  markPositions,
  type OfflineParts,
  positionsOf,
  refuseMembers,
  setPositions,
} from './offline-group.ts'
import { byTopic } from './producer-batches.ts'
import { toBatchRecord } from './records.ts'
import type { Sender } from './sender.ts'
import type { Topics } from './topics.ts'
import { groupName } from './topology-group.ts'
import type { TransactionalProducer } from './transactional-producer.ts'

/** Records of one transaction that fills a gap. */
const FILL_RECORDS = 100_000
const FOREVER = Number.POSITIVE_INFINITY
/** Has a key, as topics that are compacted later demand one. */
const FILLER: BatchRecord = { key: Buffer.of(0), value: null, timestamp: 0, headers: [] }

/** A record of another log, and where it was there. */
export type PlacedRecord = Pick<LogRecord, 'offset' | 'key' | 'value' | 'timestamp' | 'lineage' | 'headers'>

export type ImportState = 'untouched' | 'begun' | 'done'

/** Where each task of a sub-topology goes on. */
export interface ImportedPosition {
  readonly subTopology: number
  readonly partition: number
  /** With a position in every input. */
  readonly checkpoint: Checkpoint
}

export interface ImportParts extends OfflineParts {
  /** Names the log that is brought: letters and digits. */
  readonly id: string
  readonly topics: Topics
  /** Closed with the import. */
  readonly sender: Pick<Sender, 'append' | 'close'>
  /** Speaks V1, under an id that every try uses: so each ends what the one before left open. */
  readonly filler: Pick<TransactionalProducer, 'initialise' | 'enlist' | 'produce'>
  bounds(at: TopicPartition): Promise<PartitionBounds>
}

export class ClusterImport {
  readonly #parts: ImportParts

  constructor(parts: ImportParts) {
    this.#parts = parts
  }

  /**
   * How far the group is. Throws `TOPOLOGY_RUNNING` while it has members, and `RESET_REQUIRED` where it is half of
   * something else: of a reset, or of another log's import.
   */
  async stateOf(spec: GroupSpec): Promise<ImportState> {
    const group = groupName(spec)
    await refuseMembers(this.#parts, group)
    const metadata = (await positionsOf(this.#parts, group)).map((position) => position.metadata ?? '')
    if (metadata.length === 0) return 'untouched'
    if (metadata.every((text) => text === this.#mark)) return 'begun'
    const foreign = metadata.find((text) => text.startsWith(IMPORT_MARK))
    if (foreign === undefined) return 'done'
    throw new StreamsError('RESET_REQUIRED', `group ${group} is half of another migration: ${foreign}`)
  }

  /** Makes the topics in the form in which they are brought. Throws `TOPIC_MISMATCH` for one that has another. */
  makeTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.#parts.topics.ensureTopics(specs.map(staged))
  }

  /** Learns topics that are there. Throws `UNKNOWN_TOPIC`. */
  async know(specs: readonly TopicSpec[]): Promise<void> {
    await this.#parts.cluster.learn(specs.map(({ name }) => name))
  }

  /** Ends what a try before this one left open; before anything is placed. */
  settle(): Promise<void> {
    return this.#parts.filler.initialise()
  }

  /** Puts marks in the place of all positions. */
  begin(spec: GroupSpec): Promise<void> {
    return markPositions(this.#parts, groupName(spec), inputsOf(spec), this.#mark)
  }

  /** The offset that the next record gets. */
  async endOf(at: TopicPartition): Promise<number> {
    return (await this.#parts.bounds(at)).highWatermark
  }

  /**
   * Appends records, in the order of their offsets, where the partition ends at `end`; answers where it ends then.
   * Throws `TOPIC_MISMATCH` where one got another offset, which means that somebody else writes; and as `Sender.append`.
   */
  async place(at: TopicPartition, records: readonly PlacedRecord[], end: number): Promise<number> {
    let next = end
    let run: BatchRecord[] = []
    for (const record of records) {
      if (record.offset > next) {
        await this.#appendAt(at, run, next - run.length)
        await this.fill(at, next, record.offset)
        next = record.offset
        run = []
      }
      run.push(toBatchRecord(record))
      next++
    }
    await this.#appendAt(at, run, next - run.length)
    return next
  }

  /** Takes the offsets from `from` to before `to` with what no reader sees. Throws as `place`. */
  async fill(at: TopicPartition, from: number, to: number): Promise<void> {
    const { filler } = this.#parts
    for (let next = from; next < to; ) {
      const records = Math.min(to - next - 1, FILL_RECORDS)
      await filler.enlist([at])
      if (records > 0) {
        const [written] = await filler.produce([{ ...at, records: Array<BatchRecord>(records).fill(FILLER) }])
        requireOffset(at, written?.batches[0]?.baseOffset, next)
      }
      await filler.initialise()
      next += records + 1
      requireOffset(at, await this.endOf(at), next)
    }
  }

  /** Appends changes to a changelog that ends at `end`. Throws as `place`. */
  appendChanges(at: TopicPartition, changes: readonly BatchRecord[], end: number): Promise<void> {
    return this.#appendAt(at, changes, end)
  }

  /** Puts the tasks' positions in the place of the marks, all at once. Throws `TOPOLOGY_RUNNING`. */
  async commit(spec: GroupSpec, tasks: readonly ImportedPosition[]): Promise<void> {
    const offsets = tasks.flatMap(({ checkpoint: { positions, times, sequence } }) => {
      const inputTags = positions.map(({ topic }) => inputTag(topic))
      return positions.map((position) => ({ ...position, times, sequence, inputTags }))
    })
    const byName = byTopic(offsets, ({ topic, partition, offset, times, sequence, inputTags }) => {
      const tag = topicTag(this.#idOf(topic))
      return {
        partition,
        offset,
        metadata: encodeOffsetMetadata({ times, sequence, topicTag: tag, inputTags }),
      }
    })
    await setPositions(this.#parts, groupName(spec), byName)
  }

  /** Gives the topics their own form. */
  openTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.#parts.topics.settle(specs)
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#parts.sender.close()
  }

  get #mark(): string {
    return `${IMPORT_MARK}${this.#parts.id}`
  }

  #idOf(topic: string): string {
    const id = this.#parts.cluster.topic(topic)?.id
    if (id === undefined) throw new StreamsError('UNKNOWN_TOPIC', topic)
    return id
  }

  async #appendAt(at: TopicPartition, records: readonly BatchRecord[], offset: number): Promise<void> {
    if (records.length === 0) return
    const placed = await this.#parts.sender.append(records.map((record) => ({ ...at, record })))
    for (const [index, result] of placed.entries()) requireOffset(at, result.offset, offset + index)
  }
}

/** Nothing is stamped anew, deleted or compacted before all of it was compared. */
function staged(spec: TopicSpec): TopicSpec {
  return {
    ...spec,
    timestamps: 'CreateTime',
    cleanup: 'delete',
    retentionMs: FOREVER,
    retentionBytes: FOREVER,
  }
}

function inputsOf({ subTopologies }: GroupSpec): string[] {
  return [...new Set(subTopologies.flatMap((sub) => sub.inputs))]
}

function requireOffset(
  { topic, partition }: TopicPartition,
  found: number | undefined,
  wanted: number,
): void {
  if (found === wanted) return
  const detail = `${topic}-${partition} has offset ${found} for what was at ${wanted}: somebody else writes to it`
  throw new StreamsError('TOPIC_MISMATCH', `${detail}. Delete the topics, and begin anew`)
}
