/** Records that nobody should have written, and what becomes of each: the same on every log. */
import { avroSerde, fixedSource, frame, stringSerde } from '../../schemas/index.ts'
import type { AvroRecord } from '../../schemas/record-schema.ts'
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import {
  type AppendRecord,
  type Headers,
  type Log,
  NO_HEADERS,
  type Topic,
  topology,
} from '../../streams/index.ts'
import { readAll } from './read-all.ts'
import { stringTopic } from './topics.ts'

const HOUR_MS = 3_600_000
const SCHEMA_ID = 1
/** 2·10⁹ as Avro writes a count. */
const HUGE_COUNT = [0x80, 0xd0, 0xac, 0xf3, 0x0e]
const BOMB_LEVELS = 20_000

/** A record with every kind of thing that can be wrong. */
const definition: AvroRecord = {
  type: 'record',
  name: 'Anything',
  namespace: 'test',
  fields: [
    { name: 'n', type: 'long' },
    { name: 'text', type: 'string' },
    { name: 'colour', type: { type: 'enum', name: 'Colour', symbols: ['RED', 'BLUE'] } },
    { name: 'either', type: ['null', 'string'] },
    { name: 'nothing', type: { type: 'array', items: 'null' } },
    { name: 'map', type: { type: 'map', values: 'int' } },
    { name: 'next', type: ['null', 'Anything'] },
  ],
}
const schema = { name: 'test.Anything', version: 1, definition }

/** Each field as good bytes, in order. */
const good = { n: [2], text: [2, 0x61], colour: [0], either: [0], nothing: [0], map: [0], next: [0] }

function datum(change: Partial<Record<keyof typeof good, readonly number[]>> = {}): Buffer {
  return Buffer.from(Object.values({ ...good, ...change }).flat())
}

function recursionBomb(): Buffer {
  const level = datum({ next: [2] })
  return Buffer.concat([...Array<Buffer>(BOMB_LEVELS).fill(level), datum()])
}

const badTopic: Topic<string, { text: string }> = {
  // A broker may have those of an earlier run.
  name: `anything-${randomUUID().slice(0, 8)}`,
  key: stringSerde,
  value: avroSerde(schema, fixedSource([{ id: SCHEMA_ID, ...schema }])),
  cleanup: 'delete',
  timestamps: 'CreateTime',
}

const takenTopic = stringTopic(`${badTopic.name}-taken`)

/** Passes on what can be read; its source has every policy that is not the default. */
export const reading = topology('reading', (t) => {
  t.stream(badTopic, { onNullKey: 'dead-letter', onNullValue: 'skip', onBadTimestamp: 'dead-letter' })
    .mapValues((value) => value?.text ?? '')
    .to(takenTopic)
})

export interface BadRecord {
  readonly what: string
  /** What its dead letter says; absent: it is passed over. */
  readonly reason: string | undefined
  /** A part of the dead letter's message. */
  readonly message: string
  readonly record: AppendRecord
}

/** All of them; `now` is when they are appended. */
export function badRecords(now: number): readonly BadRecord[] {
  const key = Buffer.from('k')
  const of = (
    what: string,
    reason: string | undefined,
    message: string,
    change: { key?: null | Buffer; value?: null | Buffer; timestamp?: number; headers?: Headers },
  ): BadRecord => {
    const whole = { key, value: frame(SCHEMA_ID, datum()), timestamp: now, headers: NO_HEADERS, ...change }
    return { what, reason, message, record: { topic: badTopic.name, partition: 0, ...whole, lineage } }
  }
  const bytes = (what: string, code: string, value: Buffer) =>
    of(what, 'DeserializationError', `(${code})`, { value })
  const avro = (what: string, code: string, content: Buffer) => bytes(what, code, frame(SCHEMA_ID, content))
  const headers = Array.from({ length: 65 }, (_, i) => [`h${i}`, Buffer.alloc(0)] as const)
  return [
    bytes('an empty value', 'empty', Buffer.alloc(0)),
    bytes('fewer than five bytes', 'too-short', Buffer.from([0, 0, 0, 0])),
    bytes(
      'another magic byte',
      'bad-magic',
      Buffer.concat([Buffer.of(1), frame(SCHEMA_ID, datum()).subarray(1)]),
    ),
    bytes('an unknown schema id', 'unknown-schema', frame(4_711, datum())),
    bytes(
      'a negative schema id',
      'unknown-schema',
      Buffer.concat([Buffer.from([0, 255, 255, 255, 255]), datum()]),
    ),
    avro('a truncated datum', 'truncated', datum().subarray(0, -1)),
    avro('trailing bytes', 'trailing-bytes', Buffer.concat([datum(), Buffer.of(0)])),
    avro('a bad union index', 'bad-union-index', datum({ either: [4] })),
    avro('a bad enum index', 'bad-enum-index', datum({ colour: [4] })),
    avro('an array of 2·10⁹', 'count-too-large', datum({ nothing: HUGE_COUNT })),
    avro('a map of 2·10⁹', 'count-too-large', datum({ map: HUGE_COUNT })),
    avro('a recursion bomb', 'too-deep', recursionBomb()),
    avro('a long of 2⁵³', 'precision', datum({ n: [...Array<number>(7).fill(0x80), 0x20] })),
    avro('text that is not UTF-8', 'invalid-utf8', datum({ text: [4, 0xc3, 0x28] })),
    avro(
      'a map with the key __proto__',
      'proto-key',
      datum({ map: [2, 18, ...Buffer.from('__proto__'), 0, 0] }),
    ),
    of('a key that is not UTF-8', 'DeserializationError', '(invalid-utf8)', { key: Buffer.of(0xff) }),
    of('no key', 'NullKey', 'NullKey', { key: null }),
    of('no value', undefined, '', { value: null }),
    of('timestamp -1', 'BadTimestamp', 'BadTimestamp', { timestamp: -1 }),
    of('timestamp 0', 'BadTimestamp', 'BadTimestamp', { timestamp: 0 }),
    of('a timestamp of in two hours', 'BadTimestamp', 'BadTimestamp', { timestamp: now + 2 * HOUR_MS }),
    of('a timestamp of 2099', 'BadTimestamp', 'BadTimestamp', { timestamp: Date.UTC(2099, 0, 1) }),
    of('a key of more than 32 KiB', 'KeyTooLarge', 'KeyTooLarge', { key: Buffer.alloc(32 * 1024 + 1, 'k') }),
    of('more than 64 headers', 'TooManyHeaders', 'TooManyHeaders', { headers }),
  ]
}

/** What is appended behind them, and passed on. */
export function goodRecord(now: number): AppendRecord {
  const [bad] = badRecords(now)
  return { ...(bad as BadRecord).record, value: frame(SCHEMA_ID, datum()) }
}

const lineage = { eventId: '01890a5d-ac96-774b-bcce-b302099a8057' }

/** Each that was appended to offsets from 0 on has its answer, and what lies behind them was passed on. */
export async function expectAnswers(log: Log, bad: readonly BadRecord[]): Promise<void> {
  const letters = await readAll(log, { topic: `${badTopic.name}.dlq`, partition: 0 })
  const answers = letters.map(({ headers, key, value }) => {
    const said = new Map(headers.map(([name, content]) => [name, content.toString()]))
    const about = (name: string) => said.get(`__streams.errors.${name}`) ?? ''
    const { what, message, record } = bad[Number(about('offset'))] as BadRecord
    const whole = isSame(key, record.key) && isSame(value, record.value)
    return { what, reason: about('exception'), says: about('message').includes(message), whole }
  })
  const wanted = bad.filter(({ reason }) => reason !== undefined)
  expect(answers).toEqual(wanted.map(({ what, reason }) => ({ what, reason, says: true, whole: true })))
  const partitions = Array.from({ length: log.partitions(takenTopic.name) }, (_, partition) => partition)
  const taken = await Promise.all(
    partitions.map((partition) => readAll(log, { topic: takenTopic.name, partition })),
  )
  expect(taken.flat().map(({ value }) => value?.toString())).toEqual(['a'])
}

function isSame(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other)
}
