/** A reader whose wakes are counted and whose records can be waited for. */
import type { LogRecord, PartitionReader } from '../../../streams/index.ts'
import type { Fetcher } from '../../../transports/kafka/fetcher.ts'

export class ReadAlong {
  readonly reader: PartitionReader
  wakes = 0
  #wake = (): void => {}

  constructor(fetcher: Fetcher, topic: string, from = 0, partition = 0) {
    this.reader = fetcher.open({ topic, partition }, from, () => {
      this.wakes++
      this.#wake()
    })
  }

  /** What is at hand, once something is: records, or none where only the position has moved. Throws the fault. */
  async some(limit = 1_000): Promise<readonly LogRecord[]> {
    const before = this.reader.position
    for (;;) {
      const awake = new Promise<void>((resolve) => (this.#wake = resolve))
      const records = this.reader.take(limit)
      if (records.length > 0 || this.reader.position > before) return records
      if (this.reader.fault !== undefined) throw this.reader.fault
      await awake
    }
  }

  /** The values of everything up to `end`. */
  async valuesTo(end: number): Promise<string[]> {
    const values: string[] = []
    while (this.reader.position < end) {
      values.push(...texts(await this.some()))
    }
    return values
  }

  /** Reads until there is a fault. */
  async fault(): Promise<Error> {
    try {
      for (;;) await this.some()
    } catch (fault) {
      return fault as Error
    }
  }
}

export function texts(records: readonly LogRecord[]): string[] {
  return records.map(({ value }) => value?.toString() ?? '(null)')
}
