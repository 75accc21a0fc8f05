/** Checks records before anything of their call is sent, and gives each its partition. */
import {
  type AppendRecord,
  type OutgoingRecord,
  PartitionChoice,
  StreamsError,
  type TopicPartition,
} from '../../streams/index.ts'
import { toBatchRecord } from './records.ts'
import type { RecordToAppend } from './sender.ts'

export class Router {
  readonly #partitions: (topic: string) => number
  readonly #choice: PartitionChoice

  /** `partitions` tells how many a topic has. Throws `UNKNOWN_TOPIC`. */
  constructor(partitions: (topic: string) => number) {
    this.#partitions = partitions
    this.#choice = new PartitionChoice(partitions)
  }

  /** Throws `UNKNOWN_TOPIC` and `RECORD_TOO_LARGE`. */
  place(records: readonly AppendRecord[], maxRecordBytes: number): RecordToAppend[] {
    const choose = this.#choice.forCall()
    return records.map((record) => {
      const at = { topic: record.topic, partition: choose(record) }
      this.#check(at, record, maxRecordBytes)
      return { ...at, record: toBatchRecord(record) }
    })
  }

  /** Throws as `place`. */
  check(records: readonly OutgoingRecord[], maxRecordBytes: number): void {
    for (const record of records) this.#check(record, record, maxRecordBytes)
  }

  #check({ topic, partition }: TopicPartition, record: AppendRecord, maxRecordBytes: number): void {
    if (partition < 0 || partition >= this.#partitions(topic))
      throw new StreamsError('UNKNOWN_TOPIC', `${topic} has no partition ${partition}`)
    const { key, value, headers } = record
    let bytes = (key?.length ?? 0) + (value?.length ?? 0)
    for (const [name, content] of headers) bytes += name.length + content.length
    if (bytes > maxRecordBytes)
      throw new StreamsError(
        'RECORD_TOO_LARGE',
        `${bytes} bytes for ${topic}; ${maxRecordBytes} are possible`,
      )
  }
}
