import { describe, expect, test } from 'vitest'
import { keys, keyValueStore, serdes } from '../../state/index.ts'
import { type ErrorPolicy, processor, shape, type SourcePolicies, topology } from '../../streams/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import { stringTopic } from '../support/topics.ts'

const numbers = {
  ...stringTopic('numbers'),
  value: {
    serialize: (value: number) => Buffer.from(String(value)),
    deserialize(bytes: Buffer) {
      const value = Number(bytes.toString())
      if (Number.isNaN(value)) throw new TypeError('not a number')
      return value
    },
  },
}
const sums = stringTopic('sums')
const START = Date.UTC(2026, 0, 1)
const sumStore = keyValueStore({ name: 'sums', key: keys.string, value: serdes.json<number>() })

let attempts = 0
const add = processor({
  name: 'add',
  input: shape<string, number>(),
  stores: { sums: sumStore },
  outputs: { out: shape<string, string>() },
  timers: { after: 'wall' },
  process(record, { stores, emit, timers, wallTime }) {
    const sum = (stores.sums.get(record.key) ?? 0) + record.value
    stores.sums.put(record.key, sum)
    emit.out(record.key, String(sum))
    timers.after.schedule(record.key, wallTime + 1_000)
    if (record.value === 13) throw new Error('unlucky')
    if (record.value === 14 && attempts++ < 2) throw new Error('unlucky at first')
  },
  onTimer: { after: (key, { emit }) => emit.out(key, 'later') },
})

function adder(options: Partial<SourcePolicies> = {}, onError: ErrorPolicy = 'fail') {
  return topology('adder', (t) => {
    t.stream(numbers, options).process(add, { onError }).out.to(sums)
  })
}

async function run(
  policies: Partial<SourcePolicies>,
  onError: ErrorPolicy,
  values: (string | null)[],
  options: Partial<DriverOptions> = {},
) {
  attempts = 0
  const dropped: string[] = []
  const hooks = { onDropped: (_task: unknown, reason: string) => void dropped.push(reason) }
  const topologies = [adder(policies, onError)]
  const driver = await TopologyTestDriver.open({ topologies, now: START, hooks, ...options })
  let failure: unknown
  for (const value of values) {
    const bytes = value === null ? null : Buffer.from(value)
    await driver.pipeBytes('numbers', Buffer.from('k'), bytes).catch((error: unknown) => (failure = error))
  }
  return { driver, dropped, failure, sums: driver.read(sums).map(({ value }) => value) }
}

describe('a processor that throws', () => {
  test('skip: leaves nothing of the record behind, neither state nor output nor timer', async () => {
    const { driver, dropped, sums: read } = await run({}, 'skip', ['1', '13', '2'])
    expect(read).toEqual(['1', '3'])
    expect(dropped).toEqual(['ProcessingError'])
    await driver.advanceWallTime(5_000)
    expect(driver.read(sums).map(({ value }) => value)).toEqual(['1', '3', 'later'])
    await driver.close()
  })

  test('dead-letter: the original bytes and the headers of Kafka Streams', async () => {
    const { driver, sums: read } = await run({}, 'dead-letter', ['1', '13', '2'])
    expect(read).toEqual(['1', '3'])
    const [letter] = driver.deadLetters(numbers)
    expect(letter?.value?.toString()).toBe('13')
    const headers = Object.fromEntries(letter?.headers.map(([name, value]) => [name, value.toString()]) ?? [])
    expect(headers).toMatchObject({
      '__streams.errors.exception': 'ProcessingError',
      '__streams.errors.message': 'unlucky',
      '__streams.errors.topic': 'numbers',
      '__streams.errors.partition': '0',
      '__streams.errors.offset': '1',
    })
    expect(headers['__streams.errors.stacktrace']).toContain('unlucky')
    await driver.close()
  })

  test('fail: the task stops at the record and says where', async () => {
    const { driver, failure, sums: read } = await run({}, 'fail', ['1', '13', '2'])
    expect(failure).toMatchObject({ code: 'PROCESSING_FAILED', detail: 'add at numbers-0@1' })
    expect(read).toEqual(['1'])
    await driver.close()
  })

  test('retry: the same record again, each try from a clean state', async () => {
    const { driver, sums: read } = await run({}, { retries: 2, otherwise: 'fail' }, ['1', '14', '2'])
    expect(read).toEqual(['1', '15', '17'])
    await driver.close()
  })

  test('retry: when the tries are used up, what comes then', async () => {
    const { driver, sums: read } = await run({}, { retries: 1, otherwise: 'dead-letter' }, ['1', '14', '2'])
    expect(read).toEqual(['1', '3'])
    expect(driver.deadLetters(numbers)).toHaveLength(1)
    await driver.close()
  })

  test.each([
    ['never settles', () => new Promise(() => {})],
    ['rejects, which does not end the process', () => Promise.reject(new Error('too late'))],
  ])('a processor that answers with a promise is told so: one that %s', async (_what, answer) => {
    const lazy = processor({
      name: 'lazy',
      input: shape<string, number>(),
      process: answer as unknown as () => void,
    })
    const promising = topology('promising', (t) => {
      t.stream(numbers).process(lazy, { onError: 'dead-letter' })
      t.stream(stringTopic('texts')).to(sums)
    })
    const driver = await TopologyTestDriver.open({ topologies: [promising], now: START })
    await driver.pipe(numbers, 'k', 1)
    const [letter] = driver.deadLetters(numbers)
    expect(letter?.headers[1]?.[1].toString()).toContain('lazy answered with a promise')
    await driver.pipe(stringTopic('texts'), 'k', 'goes on')
    expect(driver.read(sums)).toHaveLength(1)
    await driver.close()
  })
})

describe('a record that a source refuses', () => {
  test('undecodable: dead letter by default, the next one is processed', async () => {
    const { driver, sums: read } = await run({}, 'fail', ['1', 'x', '2'])
    expect(read).toEqual(['1', '3'])
    expect(driver.deadLetters(numbers).map(({ value }) => value?.toString())).toEqual(['x'])
    await driver.close()
  })

  test('undecodable: fail stops the task', async () => {
    const { driver, failure } = await run({ onUndecodable: 'fail' }, 'fail', ['1', 'x'])
    expect(failure).toMatchObject({ code: 'DESERIALIZATION_FAILED' })
    await driver.close()
  })

  test('null value: skipped and counted, never decoded', async () => {
    const { driver, dropped, sums: read } = await run({}, 'fail', ['1', null, '2'])
    expect(read).toEqual(['1', '3'])
    expect(dropped).toEqual(['NullValue'])
    await driver.close()
  })

  test('null value: passed through as null where the source says so; a table deletes', async () => {
    const store = keyValueStore({ name: 'latest', key: keys.string, value: serdes.json<number>() })
    const latest = topology('latest', (t) => {
      const table = t.table(numbers, { store })
      table.changes.mapValues((value) => String(value)).to(sums)
    })
    const driver = await TopologyTestDriver.open({ topologies: [latest], now: START })
    await driver.pipe(numbers, 'k', 1)
    expect(driver.store(latest, store).get('k').value).toBe(1)
    await driver.pipe(numbers, 'k', null)
    expect(driver.store(latest, store).get('k').value).toBeUndefined()
    expect(driver.read(sums).map(({ value }) => value)).toEqual(['1', 'null'])
    await driver.close()
  })

  test('null key: skipped and counted', async () => {
    const { driver, dropped } = await run({}, 'fail', [])
    await driver.pipeBytes('numbers', null, Buffer.from('1'))
    expect(driver.read(sums)).toEqual([])
    expect(dropped).toEqual(['NullKey'])
    await driver.close()
  })

  test('null key: dead letter where the source says so', async () => {
    const { driver } = await run({ onNullKey: 'dead-letter' }, 'fail', [])
    await driver.pipeBytes('numbers', null, Buffer.from('1'))
    const [letter] = driver.deadLetters(numbers)
    expect([letter?.key, letter?.value?.toString()]).toEqual([null, '1'])
    expect(letter?.headers[0]?.[1].toString()).toBe('NullKey')
    await driver.close()
  })

  test.each([-1, 0, START + 3_600_001, Date.UTC(2099, 0, 1)])(
    'timestamp %d: dead letter, time stands',
    async (at) => {
      const { driver } = await run({}, 'fail', ['1'])
      const before = driver.streams.runner('adder').tasks[0]?.streamTime
      await driver.pipe(numbers, 'k', 2, { timestamp: at })
      expect(driver.deadLetters(numbers)).toHaveLength(1)
      expect(driver.streams.runner('adder').tasks[0]?.streamTime).toBe(before)
      await driver.close()
    },
  )

  test('timestamp of the year 2099: clamped to the append time where the source says so', async () => {
    const { driver } = await run({ onBadTimestamp: 'clamp' }, 'fail', ['1'])
    await driver.pipe(numbers, 'k', 2, { timestamp: Date.UTC(2099, 0, 1) })
    expect(driver.read(sums).at(-1)).toMatchObject({ value: '3', timestamp: START })
    await driver.close()
  })

  test('key of more than 32 KiB, more than 64 headers: dead letter', async () => {
    const { driver } = await run({}, 'fail', [])
    await driver.pipe(numbers, 'k'.repeat(32 * 1024 + 1), 1)
    const headers = Array.from({ length: 65 }, (_, i) => [`h${i}`, Buffer.alloc(0)] as const)
    await driver.pipe(numbers, 'k', 1, { headers })
    expect(driver.deadLetters(numbers)).toHaveLength(2)
    expect(driver.read(sums)).toEqual([])
    await driver.close()
  })
})

describe('an output larger than the log takes', () => {
  test('its cause becomes a dead letter; the rest of the record stands', async () => {
    const inflate = topology('inflate', (t) => {
      const stream = t.stream(stringTopic('texts'))
      stream.mapValues((value) => value.repeat(1024 * 1024)).to(sums)
      stream.to(stringTopic('copies'))
    })
    const driver = await TopologyTestDriver.open({ topologies: [inflate], now: START })
    await driver.pipe(stringTopic('texts'), 'k', 'ab')
    await driver.pipe(stringTopic('texts'), 'k', '')
    const [letter] = driver.deadLetters(stringTopic('texts'))
    expect(letter?.value?.toString()).toBe('ab')
    expect(letter?.headers[0]?.[1].toString()).toBe('OutputTooLarge')
    expect(driver.read(stringTopic('copies')).map(({ value }) => value)).toEqual(['ab', ''])
    expect(driver.read(sums).map(({ value }) => value)).toEqual([''])
    await driver.close()
  })
})

describe('an output for a topic that its sink did not declare', () => {
  test('its cause becomes a dead letter; the rest of the record stands', async () => {
    const texts = stringTopic('texts')
    const elsewhere = stringTopic('elsewhere')
    const routing = topology('routing', (t) => {
      const stream = t.stream(texts)
      stream.to(({ value }) => (value === 'astray' ? elsewhere : sums), { name: 'routed', topics: [sums] })
      stream.to(stringTopic('copies'))
    })
    const driver = await TopologyTestDriver.open({ topologies: [routing], now: START })
    await driver.pipe(texts, 'k', 'astray')
    await driver.pipe(texts, 'k', 'home')
    const [letter] = driver.deadLetters(texts)
    expect(letter?.headers.slice(0, 2).map(([, text]) => text.toString())).toEqual([
      'UndeclaredTopic',
      expect.stringContaining('elsewhere'),
    ])
    expect(driver.read(stringTopic('copies'))).toHaveLength(2)
    expect(driver.read(sums).map(({ value }) => value)).toEqual(['home'])
    await driver.close()
  })
})

describe('what would block an input or a commit', () => {
  test('an event time that is no number is a dead letter under every policy', async () => {
    const strange = topology('strange', (t) => {
      t.stream(numbers, {
        onBadTimestamp: 'accept',
        eventTime: (value) => (value === 13 ? Number.NaN : START),
      })
        .mapValues(String)
        .to(sums)
    })
    const driver = await TopologyTestDriver.open({ topologies: [strange], now: START })
    await driver.pipe(numbers, 'k', 13)
    await driver.pipe(numbers, 'k', 1)
    expect(driver.deadLetters(numbers)).toHaveLength(1)
    expect(driver.read(sums).map(({ value }) => value)).toEqual(['1'])
    await driver.close()
  })

  test('a dead letter larger than the log takes goes as a pointer', async () => {
    const { driver } = await run({}, 'dead-letter', [])
    await driver.pipeBytes('numbers', Buffer.from('k'), Buffer.alloc(1024 * 1024 - 100, 'x'))
    const [letter] = driver.deadLetters(numbers)
    expect(letter?.value).toBeNull()
    const headers = Object.fromEntries(letter?.headers.map(([name, value]) => [name, value.toString()]) ?? [])
    expect(headers).toMatchObject({
      '__streams.errors.offset': '0',
      '__streams.errors.truncated': 'key, value, headers',
    })
    await driver.close()
  })

  test('a timer that sets itself to a time that has passed stops the task instead of firing for ever', async () => {
    const spinning = processor({
      name: 'spinning',
      input: shape<string, number>(),
      timers: { again: 'stream' },
      process: (record, { timers }) => timers.again.schedule(record.key, record.timestamp),
      onTimer: { again: (key, { timers }, at) => timers.again.schedule(key, at) },
    })
    const spin = topology('spin', (t) => void t.stream(numbers).process(spinning))
    const driver = await TopologyTestDriver.open({ topologies: [spin], now: START })
    await expect(driver.pipe(numbers, 'k', 1)).rejects.toMatchObject({ code: 'PROCESSING_FAILED' })
    await driver.close()
  })
})
