/** Which input of a task comes next, where records of some are still on their way. */
import { expect, test } from 'vitest'
import {
  type Log,
  type LogRecord,
  NO_HEADERS,
  type PartitionReader,
  type SubTopology,
  topology,
} from '../../../streams/index.ts'
import { TaskInputs } from '../../../streams/task-inputs.ts'
import { stringTopic } from '../../support/topics.ts'

const lines = stringTopic('lines')
const first = stringTopic('first')
const second = stringTopic('second')

const judged = topology('judged', (t) => {
  t.stream(lines)
    .merge(t.stream(first, { bootstrap: true }))
    .merge(t.stream(second, { bootstrap: true }))
    .to(stringTopic('out'))
})

/** What a log has of a partition, and what of it is at hand. */
class FakeReader implements PartitionReader {
  readonly topic: string
  readonly partition = 0
  readonly fault = undefined
  position = 0
  end = 0
  #records: LogRecord[] = []

  constructor(topic: string) {
    this.topic = topic
  }

  /** A record with this offset and timestamp is at hand. */
  arrives(offset: number): void {
    const { topic, partition } = this
    const times = { timestamp: offset, appendTime: offset }
    const value = Buffer.from('x')
    this.#records.push({
      topic,
      partition,
      offset,
      key: null,
      value,
      ...times,
      lineage: undefined,
      headers: NO_HEADERS,
    })
    this.end = Math.max(this.end, offset + 1)
  }

  take(): readonly LogRecord[] {
    const records = this.#records
    this.#records = []
    this.position = (records.at(-1)?.offset ?? this.position - 1) + 1
    return records
  }

  close(): void {
    this.#records = []
  }
}

function opened(bootstrapTo: Record<string, number>) {
  const readers = new Map([lines, first, second].map(({ name }) => [name, new FakeReader(name)]))
  const of = (topic: string): FakeReader => readers.get(topic) as FakeReader
  const log = { openReader: ({ topic }: { topic: string }) => of(topic) } as unknown as Log
  const inputs = new TaskInputs({
    subTopology: judged.subTopologies[0] as SubTopology,
    partition: 0,
    positions: [],
    bootstrapTo: new Map(Object.entries(bootstrapTo)),
    log,
    monotonic: () => 0,
    onReadable: () => undefined,
  })
  /** Takes what comes next; answers where it came from, as long as there is something. */
  const rest = (): string[] => {
    const seen: string[] = []
    for (let input = inputs.next(); input !== undefined; input = inputs.next()) {
      seen.push(`${input.source.topic.name} ${input.head?.record.offset}`)
      input.shift()
    }
    return seen
  }
  return { of, inputs, rest }
}

test('inputs that are read first wait for each other', () => {
  const { of, rest } = opened({ first: 6, second: 4 })
  of('lines').arrives(1)
  of('first').arrives(5)
  of('second').end = 4
  expect(rest()).toEqual([])
  of('second').arrives(3)
  expect(rest()).toEqual(['second 3', 'first 5', 'lines 1'])
})

test('inputs that are read first are so to where they were written, also what nobody is shown yet', () => {
  const { of, inputs, rest } = opened({ first: 3, second: 0 })
  of('lines').arrives(1)
  // A transaction is open from offset 0 on.
  expect(rest()).toEqual([])
  expect(inputs.bootstrapping).toBe(true)
  of('first').arrives(2)
  expect(rest()).toEqual(['first 2', 'lines 1'])
  expect(inputs.bootstrapping).toBe(false)
})

test('once at their end, they are read by time', () => {
  const { of, rest } = opened({ first: 0, second: 0 })
  of('first').arrives(7)
  of('lines').arrives(1)
  expect(rest()).toEqual(['lines 1', 'first 7'])
})
