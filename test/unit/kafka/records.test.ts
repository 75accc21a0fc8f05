import { describe, expect, test } from 'vitest'
import type { Headers, Lineage, LogRecord } from '../../../streams/index.ts'
import { decodeBatches } from '../../../transports/kafka/batches/decode.ts'
import { type BatchRecord, encodeBatch } from '../../../transports/kafka/batches/encode.ts'
import { toBatchRecord, toLogRecord } from '../../../transports/kafka/records.ts'
import { withAppendTime } from './fetched-cluster.ts'

const at = { topic: 'in', partition: 3 }
const fetchedAt = 1_800_000_000_000
const eventId = '01890a5d-ac96-774b-bcce-b302099a8057'
const full: Lineage = {
  eventId,
  causationId: 'an id of another kind',
  correlationId: '01890a5d-ac96-774b-bcce-b302099a8058',
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  cause: { topic: 'é', partition: 1, offset: 77, timestamp: 1_600_000_000_000 },
}

function batchOf(record: BatchRecord): Buffer {
  const stamp = { producerId: -1n, producerEpoch: -1, baseSequence: -1 }
  return encodeBatch([record], { ...stamp, transactional: false })
}

function readFrom(batch: Buffer): LogRecord {
  const { records } = decodeBatches(batch, {
    fetchOffset: 0,
    readCommitted: true,
    abortedTransactions: [],
    maxInflatedBytes: 1_000,
  })
  const [record] = records
  if (record === undefined) throw new Error('nothing was decoded')
  return toLogRecord(at, record, fetchedAt)
}

/** A record with these headers, written by whoever. */
function readWith(headers: BatchRecord['headers']): LogRecord {
  return readFrom(batchOf({ key: null, value: null, timestamp: 5, headers }))
}

function readBack(lineage: Lineage | undefined, headers: Headers = []): LogRecord {
  const content = { key: Buffer.from('k'), value: Buffer.from('v'), timestamp: 5, lineage, headers }
  return readFrom(batchOf(toBatchRecord(content)))
}

describe('a record', () => {
  test('is read back as it was written', () => {
    const headers: Headers = [
      ['a', Buffer.from('1')],
      ['b', Buffer.alloc(0)],
      ['a', Buffer.from([0, 255])],
    ]
    const record = readBack(full, headers)
    expect(record).toMatchObject({ ...at, offset: 0, timestamp: 5 })
    expect([record.key, record.value]).toEqual([Buffer.from('k'), Buffer.from('v')])
    expect(record.lineage).toEqual(full)
    expect(record.headers).toEqual(headers)
  })

  test.each([
    ['an id alone', { eventId }],
    ['a cause before 1970', { eventId, cause: { topic: 't', partition: 0, offset: 0, timestamp: -1 } }],
  ] as const)('with lineage of %s has no more of it', (_what, lineage) => {
    const record = readBack(lineage)
    expect(record.lineage).toEqual(lineage)
    expect(record.headers).toEqual([])
  })

  test('may have headers with the names of lineage beside its lineage', () => {
    const headers: Headers = [['eventId', Buffer.from('mine')]]
    const record = readBack(full, headers)
    expect(record.lineage).toEqual(full)
    expect(record.headers).toEqual(headers)
  })

  test.each(['eventId', 'correlationId', 'traceparent'])(
    'with a %s that is longer than any has it as a header, and it goes into nothing that is made of it',
    (name) => {
      const long = Buffer.alloc(300_000, 'x')
      const others: BatchRecord['headers'] = name === 'eventId' ? [] : [['eventId', 'e']]
      const record = readWith([...others, [name, long]])
      expect(record.headers).toEqual([[name, long]])
      expect(JSON.stringify(record.lineage ?? {}).length).toBeLessThan(100)
    },
  )

  test('without key and value has null for both', () => {
    const record = readWith([])
    expect([record.key, record.value, record.lineage]).toEqual([null, null, undefined])
    expect(record.headers).toEqual([])
  })
})

describe('the lineage on the wire', () => {
  test('is text, under the names that are documented', () => {
    const record = { key: null, value: null, timestamp: 5, lineage: full, headers: [] }
    expect(toBatchRecord(record).headers.map(([name, value]) => `${name}: ${value?.toString()}`)).toEqual([
      `eventId: ${eventId}`,
      'causationId: an id of another kind',
      'correlationId: 01890a5d-ac96-774b-bcce-b302099a8058',
      'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      'cause-topic: é',
      'cause-partition: 1',
      'cause-offset: 77',
      'cause-timestamp: 1600000000000',
    ])
  })
})

describe('a record of another producer', () => {
  test.each([
    ['no eventId', [['traceparent', '00-a-b-01']]],
    ['an empty eventId', [['eventId', '']]],
    ['an eventId of null', [['eventId', null]]],
  ] as const)('with %s has no lineage, and its headers as they are', (_what, headers) => {
    const record = readWith(headers)
    expect(record.lineage).toBeUndefined()
    expect(record.headers.map(([name, value]) => [name, value.toString()])).toEqual(
      headers.map(([name, value]) => [name, value ?? '']),
    )
  })

  test('may have its eventId after other headers', () => {
    const record = readWith([
      ['content-type', 'json'],
      ['eventId', 'x'],
      ['color', null],
    ])
    expect(record.lineage).toEqual({ eventId: 'x' })
    expect(record.headers).toEqual([
      ['content-type', Buffer.from('json')],
      ['color', Buffer.alloc(0)],
    ])
  })

  test.each([
    ['cause-topic', ''],
    ['cause-partition', '-1'],
    ['cause-partition', '1.5'],
    ['cause-offset', ' 7'],
    ['cause-offset', '99999999999999999999'],
    ['cause-timestamp', 'yesterday'],
    ['cause-timestamp', ''],
    ['cause-timestamp', undefined],
  ])('with %s %j has no cause', (name, value) => {
    const parts = new Map<string, string | undefined>([
      ['eventId', 'x'],
      ['cause-topic', 't'],
      ['cause-partition', '1'],
      ['cause-offset', '7'],
      ['cause-timestamp', '5'],
    ])
    const good = [...parts] as [string, string][]
    expect(readWith(good).lineage?.cause).toEqual({ topic: 't', partition: 1, offset: 7, timestamp: 5 })
    parts.set(name, value)
    const headers = [...parts].filter((header): header is [string, string] => header[1] !== undefined)
    const record = readWith(headers)
    expect(record.lineage).toEqual({ eventId: 'x' })
    expect(record.headers).toEqual([])
  })
})

describe('the append time', () => {
  const batch = () => batchOf({ key: null, value: null, timestamp: 5, headers: [] })

  test('is the timestamp where the log sets it', () => {
    expect(readFrom(withAppendTime(batch(), 77))).toMatchObject({ timestamp: 77, appendTime: 77 })
  })

  test('is when the record was fetched where the producer sets the timestamp', () => {
    expect(readFrom(batch())).toMatchObject({ timestamp: 5, appendTime: fetchedAt })
  })
})
