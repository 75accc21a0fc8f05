/** The records of one partition in memory, and the readers that stand on it. */
import { type LogRecord, type PartitionReader, StreamsError } from '../../streams/index.ts'

export class PartitionLog {
  readonly topic: string
  readonly partition: number
  readonly records: LogRecord[] = []
  readonly #waiting = new Set<() => void>()

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get end(): number {
    return this.records.length
  }

  /** Makes room for a record: its offset is the end. */
  push(record: LogRecord): void {
    this.records.push(record)
  }

  /** Tells the readers that wait; call once a commit or append is whole. */
  publish(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const readable of waiting) readable()
  }

  reader(from: number, onReadable: () => void): PartitionReader {
    const { topic, partition, records } = this
    const waiting = this.#waiting
    let position = from
    let closed = false
    return {
      topic,
      partition,
      get position() {
        return position
      },
      get end() {
        return records.length
      },
      get fault() {
        if (position >= 0 && position <= records.length) return undefined
        return new StreamsError(
          'OFFSET_OUT_OF_RANGE',
          `${topic}-${partition}@${position}, end is ${records.length}`,
        )
      },
      take(limit) {
        if (closed || position < 0 || position > records.length) {
          if (!closed) waiting.add(onReadable)
          return []
        }
        const taken = records.slice(position, position + limit)
        position += taken.length
        if (taken.length === 0) waiting.add(onReadable)
        return taken
      },
      close() {
        closed = true
        waiting.delete(onReadable)
      },
    }
  }
}
