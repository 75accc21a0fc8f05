import { describe, expect, test } from 'vitest'
import { keys, keyValueStore, memoryBackend, serdes } from '../../state/index.ts'
import { processor, redecide, shape, topology, type Topology } from '../../streams/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import { stringTopic } from '../support/topics.ts'

const lines = stringTopic('lines')
const more = stringTopic('more')
const words = stringTopic('words')
const counts = stringTopic('counts', { cleanup: 'compact' })
const START = Date.UTC(2026, 0, 1)

const countStore = keyValueStore({ name: 'word-counts', key: keys.string, value: serdes.json<number>() })

const wordCount = topology('word-count', (t) => {
  t.stream(lines)
    .flatMap((_key, line) => line.split(' ').map((word) => [word, word] as const))
    .repartition({ name: 'by-word', key: serdes.string, value: serdes.string })
    .count(countStore)
    .mapValues(String)
    .to(counts)
})

const remind = processor({
  name: 'remind',
  input: shape<string, string>(),
  outputs: { out: shape<string, string>() },
  timers: { later: 'wall', noon: 'stream' },
  process(record, { timers, wallTime }) {
    if (record.value === 'cancel') timers.later.cancel(record.key)
    else timers.later.schedule(record.key, wallTime + 5_000)
    timers.noon.schedule(record.key, START + 43_200_000)
  },
  onTimer: {
    later(key, { emit, wallTime }, at) {
      emit.out(key, `${key} due ${at - START} fired ${wallTime - START}`)
    },
    noon(key, { emit, streamTime }) {
      emit.out(key, `${key} noon at ${streamTime - START}`)
    },
  },
})
const reminders = topology('reminders', (t) => {
  t.stream(lines).process(remind).out.to(words)
})

const modes: [string, Partial<DriverOptions>][] = [
  ['steady', {}],
  ['restarted after every record', { restartAfterEachRecord: true }],
  ['rebuilt from changelogs after every record', { restartAfterEachRecord: true, stateHome: 'task' }],
]

describe.each(modes)('%s', (_name, mode) => {
  const open = (given: Topology, extra: Partial<DriverOptions> = {}) =>
    TopologyTestDriver.open({ topologies: [given], now: START, ...mode, ...extra })

  test('a stateful topology counts the same over several partitions', async () => {
    const driver = await open(wordCount, { partitions: 3 })
    await driver.pipe(lines, 'a', 'to be or not to be')
    await driver.pipe(lines, 'b', 'to do is to be')
    expect(Object.fromEntries(driver.latest(counts))).toEqual({
      to: '4',
      be: '3',
      or: '1',
      not: '1',
      do: '1',
      is: '1',
    })
    expect(driver.store(wordCount, countStore).get('be').value).toBe(3)
    await driver.close()
  })

  test('a wall timer fires once, at its time', async () => {
    const driver = await open(reminders)
    await driver.pipe(lines, 'a', 'x')
    await driver.advanceWallTime(4_000)
    if (mode.restartAfterEachRecord === true) await driver.restart()
    expect(driver.read(words)).toEqual([])
    await driver.advanceWallTime(2_000)
    await driver.advanceWallTime(20_000)
    expect(driver.read(words).map(({ value }) => value)).toEqual(['a due 5000 fired 5000'])
    await driver.close()
  })

  test('a cancelled timer does not fire, a moved one fires at its new time only', async () => {
    const driver = await open(reminders)
    await driver.pipe(lines, 'a', 'x')
    await driver.pipe(lines, 'b', 'x')
    await driver.advanceWallTime(3_000)
    await driver.pipe(lines, 'a', 'cancel')
    await driver.pipe(lines, 'b', 'x')
    await driver.advanceWallTime(20_000)
    expect(driver.read(words).map(({ value }) => value)).toEqual(['b due 8000 fired 8000'])
    await driver.close()
  })

  test('a stream timer fires with the record that brings its time', async () => {
    const driver = await open(reminders)
    await driver.pipe(lines, 'a', 'x', { timestamp: START + 1_000 })
    await driver.pipe(lines, 'b', 'cancel', { timestamp: START + 43_199_999 - 40_000_000 })
    expect(driver.read(words)).toEqual([])
    driver.clock.advance(43_300_000)
    await driver.pipe(lines, 'c', 'cancel', { timestamp: START + 43_200_001 })
    const noon = driver.read(words).map(({ value }) => value)
    expect(noon.filter((value) => value?.includes('noon'))).toEqual([
      'a noon at 43200001',
      'b noon at 43200001',
      'c noon at 43200001',
    ])
    await driver.close()
  })

  test('an event made from another has the same id however often the cause is processed', async () => {
    const idsOf = async (): Promise<string[]> => {
      const driver = await open(wordCount)
      await driver.pipe(lines, 'a', 'to be or not')
      const ids = driver.read(counts).map(({ record }) => record.lineage?.eventId ?? '')
      await driver.close()
      return ids
    }
    const first = await idsOf()
    expect(first).toHaveLength(4)
    expect(new Set(first).size).toBe(4)
    expect(await idsOf()).toEqual(first)
  })
})

describe('inputs', () => {
  const both = topology('both', (t) => {
    t.stream(lines).merge(t.stream(more)).to(words)
  })

  const first = topology('first', (t) => {
    t.stream(lines)
      .merge(t.stream(more, { bootstrap: true }))
      .to(words)
  })
  const record = (topic: string, value: string, at: number) => ({
    topic,
    key: Buffer.from('k'),
    value: Buffer.from(value),
    timestamp: START + at,
    lineage: { eventId: 'x' },
    headers: [],
  })

  test('are read by the lowest timestamp first', async () => {
    const driver = await TopologyTestDriver.open({ topologies: [both], now: START })
    await driver.log.append([
      record('lines', 'l1', 1),
      record('lines', 'l5', 5),
      record('lines', 'l6', 6),
      record('more', 'm2', 2),
      record('more', 'm4', 4),
      record('more', 'm7', 7),
    ])
    await driver.settle()
    expect(driver.read(words).map(({ value }) => value)).toEqual(['l1', 'm2', 'm4', 'l5', 'l6', 'm7'])
    await driver.close()
  })

  test('of a bootstrap topic are read to their end before all others, in each life of a task', async () => {
    const driver = await TopologyTestDriver.open({ topologies: [first], now: START })
    const read = () => driver.read(words).map(({ value }) => value)
    const many = Array.from({ length: 1_500 }, (_, at) => record('more', `m${at}`, 10 + at))
    await driver.restart([])
    await driver.log.append([record('lines', 'l1', 1), ...many, record('lines', 'l2', 2)])
    await driver.restart([first])
    await driver.settle()
    expect(read()).toEqual([...many.map((_, at) => `m${at}`), 'l1', 'l2'])
    // At the end once, it is read by time as any other is.
    await driver.log.append([record('lines', 'l3', 3), record('more', 'm4', 4)])
    await driver.settle()
    expect(read().slice(-2)).toEqual(['l3', 'm4'])
    await driver.restart([])
    await driver.log.append([record('lines', 'l5', 5), record('more', 'm6', 6)])
    await driver.restart([first])
    await driver.settle()
    expect(read().slice(-2)).toEqual(['m6', 'l5'])
    await driver.close()
  })

  test('of a bootstrap topic are read before the wall timers of a task that begins fire', async () => {
    const warned = topology('warned', (t) => {
      t.stream(lines)
        .merge(t.stream(more, { bootstrap: true }))
        .process(remind)
        .out.to(words)
    })
    const driver = await TopologyTestDriver.open({ topologies: [warned], now: START })
    await driver.pipe(lines, 'a', 'x')
    await driver.pipe(lines, 'b', 'x')
    await driver.restart([])
    await driver.log.append([{ ...record('more', 'cancel', 1), key: Buffer.from('a') }])
    driver.clock.advance(60_000)
    await driver.restart([warned])
    await driver.settle()
    expect(driver.read(words).map(({ value }) => value)).toEqual(['b due 5000 fired 60000'])
    await driver.close()
  })

  test('of unequal partition counts are refused at the start', async () => {
    const driver = await TopologyTestDriver.open({ topologies: [both] })
    await driver.log.ensureTopics([{ ...driver.log.topics()[0]!, name: 'odd', partitions: 4 }])
    const odd = topology('odd', (t) => {
      t.stream(stringTopic('odd')).merge(t.stream(lines)).to(words)
    })
    const group = {
      application: 'test',
      topology: 'odd',
      subTopologies: [{ id: 0, inputs: ['odd', 'lines'], stores: [], hasState: false }],
    }
    const nobody = {
      stored: () => Promise.resolve([]),
      rebalancing: () => Promise.resolve(),
      assigned: () => Promise.resolve(),
      revoked: () => Promise.resolve(),
      lost: () => {},
    }
    expect(odd.subTopologies).toHaveLength(1)
    await expect(driver.log.join(group, nobody)).rejects.toMatchObject({ code: 'TOPOLOGY_INVALID' })
    await driver.close()
  })
})

describe('I24: deciding the retained inputs again', () => {
  const last = keyValueStore({ name: 'last', key: keys.string, value: serdes.json<string>() })
  const echo = processor({
    name: 'echo',
    input: shape<string, string>(),
    stores: { last },
    outputs: { out: shape<string, string>() },
    timers: { nag: 'wall' },
    process(record, { stores, emit, timers, wallTime }) {
      emit.out(record.key, `${stores.last.get(record.key) ?? '-'}>${record.value}@${wallTime}`)
      stores.last.put(record.key, record.value)
      timers.nag.schedule(record.key, wallTime + 1_500)
    },
    onTimer: {
      nag(key, { emit, idleMs }) {
        emit.out(key, `nag ${idleMs}`)
      },
    },
    punctuators: [
      {
        clock: 'wall',
        everyMs: 2_000,
        *run({ stores, emit }, now) {
          for (const [key, value] of yield* stores.last.scan({ limit: 10 }))
            emit.out(key, `${value} at ${now}`)
        },
      },
    ],
  })
  const echoes = topology('echoes', (t) => {
    t.stream(lines).process(echo).out.to(words)
  })

  test('gives the same outputs and the same state', async () => {
    const driver = await TopologyTestDriver.open({ topologies: [echoes], now: START })
    for (let i = 0; i < 30; i++) {
      await driver.pipe(lines, `k${i % 3}`, `v${i}`)
      await driver.advanceWallTime((i * 137) % 1_900, 700)
    }
    const task = { topology: 'echoes', subTopology: 0, partition: 0 }
    const backend = memoryBackend()
    const journal = driver.journal(task)
    const result = await redecide({ topology: echoes, task, log: driver.log, journal, backend })
    expect(result).toEqual({ batches: journal.length, records: 30, firstDifference: undefined })
    const everything = { gte: Buffer.alloc(0), lt: Buffer.alloc(8, 0xff) }
    const live = await driver.log.taskState(task)
    expect(await backend.page(everything, { limit: 100 })).toEqual(
      await live.page(everything, { limit: 100 }),
    )
    await driver.close()
  })

  test('tells the first batch that came out differently', async () => {
    const driver = await TopologyTestDriver.open({ topologies: [echoes], now: START })
    await driver.pipe(lines, 'k', 'a')
    await driver.pipe(lines, 'k', 'b')
    await driver.pipe(lines, 'k', 'c')
    const task = { topology: 'echoes', subTopology: 0, partition: 0 }
    const forged = driver
      .journal(task)
      .map((batch) => (batch.sequence === 2 ? { ...batch, outputsCrc: 1 } : batch))
    const backend = memoryBackend()
    const result = await redecide({ topology: echoes, task, log: driver.log, journal: forged, backend })
    expect(result.firstDifference?.sequence).toBe(2)
    await driver.close()
  })
})
