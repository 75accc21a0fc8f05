import { describe, expect, test } from 'vitest'
import { type Headers, type LogRecord, readDeadLetter, sourceOfDeadLetters } from '../../../streams/index.ts'

type Given = Record<string, string | Buffer>

function record(...headers: readonly Given[]): LogRecord {
  const all: Headers = headers.flatMap((given) =>
    Object.entries(given).map(([name, value]) => [name, Buffer.from(value as string)] as const),
  )
  const at = { topic: 'orders.dlq', partition: 1, offset: 7 }
  const key = Buffer.from('k')
  return { ...at, key, value: null, timestamp: 100, appendTime: 200, lineage: undefined, headers: all }
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const int64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(value))
  return bytes
}

const STREAMS = {
  '__streams.errors.exception':
    'org.apache.kafka.common.errors.SerializationException: Cannot read ann@example.org',
  '__streams.errors.message': 'Cannot read ann@example.org',
  '__streams.errors.stacktrace': 'at …',
  '__streams.errors.topic': 'orders',
  '__streams.errors.partition': '3',
  '__streams.errors.offset': '9007199254740991',
}
const CONNECT = {
  '__connect.errors.topic': 'orders',
  '__connect.errors.partition': '3',
  '__connect.errors.offset': '41',
  '__connect.errors.connector.name': 'warehouse',
  '__connect.errors.task.id': '0',
  '__connect.errors.stage': 'VALUE_CONVERTER',
  '__connect.errors.class.name': 'io.confluent.connect.avro.AvroConverter',
  '__connect.errors.exception.class.name': 'org.apache.kafka.connect.errors.DataException',
  '__connect.errors.exception.message': 'Failed to deserialize data',
  '__connect.errors.exception.stacktrace': 'at …',
}
const SPRING = {
  'kafka_dlt-original-topic': 'orders',
  'kafka_dlt-original-partition': int32(3),
  'kafka_dlt-original-offset': int64(5_000_000_000),
  'kafka_dlt-original-timestamp': int64(1_767_225_600_000),
  'kafka_dlt-original-timestamp-type': 'CreateTime',
  'kafka_dlt-original-consumer-group': 'billing',
  'kafka_dlt-exception-fqcn': 'org.springframework.kafka.listener.ListenerExecutionFailedException',
  'kafka_dlt-exception-cause-fqcn': 'java.lang.IllegalStateException',
  'kafka_dlt-exception-message': 'Listener failed',
  'kafka_dlt-exception-stacktrace': 'at …',
}

describe('a dead letter of', () => {
  test('Kafka Streams, and of this engine: numbers are text, the class is cut from its message', () => {
    const letter = readDeadLetter(record({ actor: 'ops' }, STREAMS))
    expect(letter).toMatchObject({
      dialect: 'streams',
      error: 'org.apache.kafka.common.errors.SerializationException',
      message: 'Cannot read ann@example.org',
      original: { topic: 'orders', partition: 3, offset: Number.MAX_SAFE_INTEGER },
      timestamp: 100,
      truncated: false,
    })
    expect(letter.headers).toEqual([['actor', Buffer.from('ops')]])
  })

  test('Kafka Connect: numbers are text, the connector is who failed', () => {
    expect(readDeadLetter(record(CONNECT))).toMatchObject({
      dialect: 'connect',
      error: 'org.apache.kafka.connect.errors.DataException',
      message: 'Failed to deserialize data',
      consumer: 'warehouse',
      original: { topic: 'orders', partition: 3, offset: 41 },
      headers: [],
    })
  })

  test("Spring: numbers are big-endian, the cause counts, the time is the record's", () => {
    expect(readDeadLetter(record(SPRING))).toMatchObject({
      dialect: 'spring',
      error: 'java.lang.IllegalStateException',
      message: 'Listener failed',
      consumer: 'billing',
      original: { topic: 'orders', partition: 3, offset: 5_000_000_000 },
      timestamp: 1_767_225_600_000,
      headers: [],
    })
  })

  test('Spring, whose key could not be read: that exception counts', () => {
    const { error, message } = readDeadLetter(
      record({
        'kafka_dlt-key-exception-fqcn':
          'org.springframework.kafka.support.serializer.DeserializationException',
        'kafka_dlt-key-exception-message': 'failed to deserialize',
      }),
    )
    expect([error, message]).toEqual([
      'org.springframework.kafka.support.serializer.DeserializationException',
      'failed to deserialize',
    ])
  })

  test('whoever writes no headers: nothing is known of it', () => {
    const letter = readDeadLetter(record({ actor: 'ops' }))
    expect(letter).toMatchObject({ dialect: 'unknown', error: 'Unknown', timestamp: 100 })
    expect([letter.original, letter.message, letter.first]).toEqual([undefined, undefined, undefined])
  })
})

describe('headers of several', () => {
  test('the one that wrote last counts', () => {
    expect(readDeadLetter(record(STREAMS, SPRING)).dialect).toBe('spring')
    expect(readDeadLetter(record(SPRING, CONNECT)).dialect).toBe('connect')
    expect(readDeadLetter(record(CONNECT, STREAMS)).dialect).toBe('streams')
  })

  test('of one name the last counts', () => {
    const again = { ...SPRING, 'kafka_dlt-original-offset': int64(8) }
    expect(readDeadLetter(record(SPRING, again)).original).toMatchObject({ offset: 8 })
  })
})

describe('what does not parse is absent', () => {
  test.each<[string, Given]>([
    ['text in place of four bytes', { ...SPRING, 'kafka_dlt-original-partition': 'three' }],
    ['a number too large', { ...SPRING, 'kafka_dlt-original-offset': Buffer.alloc(8, 0x7f) }],
    ['a number below 0', { ...CONNECT, '__connect.errors.offset': '-1' }],
    ['no number', { ...STREAMS, '__streams.errors.partition': '1e3' }],
    ['a name that no topic has', { ...CONNECT, '__connect.errors.topic': 'orders\u001b[2J' }],
    ['nothing', { ...STREAMS, '__streams.errors.topic': '' }],
  ])('%s: no original position', (_, headers) => {
    expect(readDeadLetter(record(headers)).original).toBeUndefined()
  })

  test.each(['', ': message', 'what <a> mess', 'x'.repeat(300)])('%j is no class', (text) => {
    expect(readDeadLetter(record({ '__streams.errors.exception': text })).error).toBe('Unknown')
  })
})

describe('a record that was sent back and died again', () => {
  test('names the dead letter that it was, and where it first was; neither goes back with it', () => {
    const redriven = { 'millrace-redrive': 'orders.dlq|1|5', 'millrace-redrive-first': 'orders|3|40' }
    const letter = readDeadLetter(record({ actor: 'ops' }, redriven, STREAMS))
    expect(letter.redriven).toEqual({ topic: 'orders.dlq', partition: 1, offset: 5 })
    expect(letter.first).toEqual({ topic: 'orders', partition: 3, offset: 40 })
    expect(letter.headers.map(([name]) => name)).toEqual(['actor'])
  })

  test.each(['', 'orders', 'orders|1', 'orders|1|2|3', 'orders|x|2'])('%j names nothing', (text) => {
    const letter = readDeadLetter(
      record({ 'millrace-redrive': text, 'millrace-redrive-first': text }, STREAMS),
    )
    expect(letter.redriven).toBeUndefined()
    expect(letter.first).toEqual(letter.original)
  })
})

test('a topic of dead letters is named after the one that they come from', () => {
  expect(sourceOfDeadLetters('order.confirmed.dlq')).toBe('order.confirmed')
  expect(['.dlq', 'order.confirmed', 'orders-dlq'].map(sourceOfDeadLetters)).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})
