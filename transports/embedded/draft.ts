/**
 * One batch in the making: what the waiting calls put into it, and what has to be done once it is durable.
 */
import type { WriteOp } from '../../state/index.ts'
import type { PartitionState } from './catalog.ts'
import type { LogRow, RowEncoder, RowRecord } from './log-row.ts'
import type { RowNote } from './small-rows.ts'

/** Records for one partition, from its end on. */
interface Placed {
  readonly partition: PartitionState
  readonly baseOffset: number
  readonly records: RowRecord[]
}

/** Rows of one partition, encoded. */
export interface DraftRows {
  readonly partition: PartitionState
  readonly rows: readonly LogRow[]
}

export class BatchDraft {
  /** Epoch milliseconds; what every record of the batch gets. */
  readonly appendTime: number
  readonly ops: WriteOp[] = []
  /** Called in order once the batch is durable, before readers are told. */
  readonly applied: (() => void)[] = []
  /** Rows deleted or rewritten: the partition's new start, and how many bytes its rows lose. */
  readonly trims = new Map<PartitionState, { readonly start: number; readonly bytes: number }>()
  readonly #placed = new Map<PartitionState, Placed>()
  #last: Placed | undefined
  #records = 0

  constructor(appendTime: number) {
    this.appendTime = appendTime
  }

  get records(): number {
    return this.#records
  }

  /** The record's offset. */
  place(partition: PartitionState, record: RowRecord): number {
    if (this.#last?.partition !== partition) this.#last = this.#placedIn(partition)
    const { baseOffset, records } = this.#last
    records.push(record)
    this.#records++
    return baseOffset + records.length - 1
  }

  #placedIn(partition: PartitionState): Placed {
    let placed = this.#placed.get(partition)
    if (placed === undefined) {
      placed = { partition, baseOffset: partition.end, records: [] }
      this.#placed.set(partition, placed)
    }
    return placed
  }

  /** Encodes what was placed and adds it to the writes. Call once. */
  encode(encoder: RowEncoder, appendTimestamps: (partition: PartitionState) => boolean): DraftRows[] {
    const encoded: DraftRows[] = []
    for (const { partition, baseOffset, records } of this.#placed.values()) {
      const place = {
        topic: partition.topicNumber,
        partition: partition.partition,
        appendTime: this.appendTime,
        appendTimestamps: appendTimestamps(partition),
      }
      const rows = encoder.encode(place, records, baseOffset)
      for (const { key, value } of rows) this.ops.push({ type: 'put', key, value })
      encoded.push({ partition, rows })
    }
    return encoded
  }
}

export function notesOf(encoded: readonly DraftRows[]): RowNote[] {
  return encoded.flatMap(({ partition, rows }) =>
    rows.map(({ key, value, baseOffset, lastOffset }) => ({
      topic: partition.topicNumber,
      partition: partition.partition,
      baseOffset,
      lastOffset,
      bytes: key.length + value.length,
    })),
  )
}
