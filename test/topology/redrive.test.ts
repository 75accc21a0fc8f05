import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RedriveReport } from '../../api/index.ts'
import { redrive, type RedriveRun } from '../../cli/pipeline/dead-letters/redrive.ts'
import { DeadLetterTopics } from '../../cli/pipeline/dead-letters/topics.ts'
import { topics } from '../../schemas/index.ts'
import {
  type AppendRecord,
  type AppendResult,
  type Headers,
  type Log,
  type LogRecord,
  processor,
  shape,
  topology,
  type TopicPartition,
} from '../../streams/index.ts'
import { TopologyTestDriver } from '../../testing/index.ts'
import { stringTopic } from '../support/topics.ts'

const orders = stringTopic('orders')
const done = stringTopic('done')
const SETTLE_MS = 30_000

/** A pipeline whose processor refuses some values for now. */
class Desk {
  readonly driver: TopologyTestDriver
  readonly bad: Set<string>
  readonly #deadLetters: DeadLetterTopics

  private constructor(driver: TopologyTestDriver, bad: Set<string>, deadLetters: DeadLetterTopics) {
    this.driver = driver
    this.bad = bad
    this.#deadLetters = deadLetters
  }

  static async open(partitions = 1): Promise<Desk> {
    const bad = new Set<string>()
    const handle = processor({
      name: 'handle',
      input: shape<string, string>(),
      outputs: { done: shape<string, string>() },
      process(record, { emit }) {
        if (bad.has(record.value)) throw new TypeError(`cannot handle ${record.value}`)
        emit.done(record.key, record.value)
      },
    })
    const handler = topology('handler', (t) => {
      t.stream(orders).process(handle, { onError: 'dead-letter' }).done.to(done)
    })
    const topologies = [handler]
    const driver = await TopologyTestDriver.open({ topologies, partitions, breaker: 'off' })
    const { name, cleanup, timestamps } = topics.opsRedrive
    const forever = Number.POSITIVE_INFINITY
    await driver.log.ensureTopics([
      { name, cleanup, timestamps, partitions, retentionMs: forever, retentionBytes: forever },
    ])
    return new Desk(driver, bad, new DeadLetterTopics(topologies))
  }

  /** Sends `key:value` each; values that are bad become dead letters. */
  async send(...records: readonly string[]): Promise<void> {
    for (const one of records) await this.driver.pipe(orders, one.split(':')[0] as string, one)
  }

  /** Runs the pipeline beside it, as long as it takes; or not, where the pipeline is to stand still. */
  async redrive(
    change: Partial<RedriveRun> = {},
    log: Log = this.driver.log,
    still = false,
  ): Promise<RedriveReport> {
    const { clock } = this.driver
    const run: RedriveRun = {
      source: orders.name,
      filter: {},
      ignoreEarlier: false,
      dryRun: false,
      timeoutMs: 10_000,
      mayGoOn: () => {},
      ...change,
    }
    let ended = false
    const report = redrive({ log, clock, topics, deadLetters: this.#deadLetters }, run).finally(
      () => (ended = true),
    )
    report.catch(() => undefined)
    while (!ended) {
      if (!still) await this.driver.settle()
      clock.advance(20)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return report
  }

  get done(): readonly string[] {
    return this.driver.read(done).map(({ value }) => value as string)
  }

  get sent(): readonly LogRecord[] {
    return this.driver.log.records(orders.name).filter(({ headers }) => isRedriven(headers))
  }
}

function isRedriven(headers: Headers): boolean {
  return headers.some(([name]) => name === 'millrace-redrive')
}

describe('a redrive', () => {
  test('sends them back to where they came from, as they were', async () => {
    const desk = await Desk.open(3)
    desk.bad.add('a:1')
    const headers: Headers = [['actor', Buffer.from('ops')]]
    await desk.driver.pipe(orders, 'a', 'a:1', { headers, partition: 2, timestamp: 1_767_000_000_000 })
    desk.bad.clear()
    const report = await desk.redrive()
    expect(report).toEqual({
      matched: 1,
      already: 0,
      sent: 1,
      done: 1,
      again: 0,
      waiting: 0,
      held: 0,
      unroutable: 0,
      left: 0,
      complete: true,
      ends: [0, 0, 1],
    })
    const [letter] = desk.driver.deadLetters(orders)
    const [record] = desk.sent
    expect(record).toMatchObject({ partition: 2, timestamp: 1_767_000_000_000 })
    expect([record?.key?.toString(), record?.value?.toString()]).toEqual(['a', 'a:1'])
    expect(record?.headers.map(([name, value]) => [name, value.toString()])).toEqual([
      ['actor', 'ops'],
      ['millrace-redrive', `orders.dlq|2|${letter?.offset}`],
      ['millrace-redrive-first', 'orders|2|0'],
    ])
    expect(record?.lineage).toMatchObject({
      causationId: letter?.lineage?.eventId,
      correlationId: letter?.lineage?.correlationId,
      cause: { topic: 'orders.dlq', partition: 2, offset: 0 },
    })
    expect(desk.done).toEqual(['a:1'])
    await desk.driver.close()
  })

  test('a second time sends nothing that was sent', async () => {
    const desk = await Desk.open()
    desk.bad.add('a:1').add('b:1')
    await desk.send('a:1', 'b:1')
    desk.bad.clear()
    expect(await desk.redrive({ filter: { key: 'a' } })).toMatchObject({ sent: 1, done: 1 })
    expect(await desk.redrive()).toMatchObject({ already: 1, matched: 1, sent: 1, done: 1 })
    expect(await desk.redrive()).toMatchObject({ already: 2, matched: 0, sent: 0, complete: true })
    expect(desk.done).toEqual(['a:1', 'b:1'])
    await desk.driver.close()
  })

  test('dry: counts, and appends nothing', async () => {
    const desk = await Desk.open()
    desk.bad.add('a:1').add('a:2').add('b:1')
    await desk.send('a:1', 'a:2', 'b:1')
    const report = await desk.redrive({ dryRun: true, filter: { error: 'ProcessingError' } })
    expect(report).toMatchObject({ matched: 3, left: 3, sent: 0, complete: false })
    expect(desk.sent).toEqual([])
    expect(desk.driver.log.records('ops.redrive')).toEqual([])
    await desk.driver.close()
  })
})

describe('the records of a key', () => {
  test('go one after the other: the next once the one before is processed', async () => {
    const desk = await Desk.open()
    desk.bad.add('a:1').add('a:2').add('b:1').add('a:3')
    await desk.send('a:1', 'a:2', 'b:1', 'a:3')
    desk.bad.clear()
    const ends: (number | undefined)[] = []
    const { log } = desk.driver
    const watching = withAppend(log, async (records) => {
      if (records[0]?.topic === orders.name)
        ends.push(await log.processed('handler', { topic: 'orders', partition: 0 }))
      return log.append(records)
    })
    expect(await desk.redrive({}, watching)).toMatchObject({ sent: 4, done: 4 })
    // a:1 and b:1 together, then a:2, then a:3, each when all before are committed.
    expect(ends).toEqual([4, 6, 7])
    expect(desk.done).toEqual(['a:1', 'b:1', 'a:2', 'a:3'])
    await desk.driver.close()
  })

  test('stay where an earlier one dies again, and go after it once that is mended', async () => {
    const desk = await Desk.open()
    desk.bad.add('a:1').add('a:2').add('a:3').add('b:1')
    await desk.send('a:1', 'a:2', 'a:3', 'b:1')
    desk.bad.clear()
    desk.bad.add('a:2')
    expect(await desk.redrive()).toMatchObject({ sent: 3, done: 2, again: 1, held: 1, complete: true })
    expect(desk.done).toEqual(['a:1', 'b:1'])
    desk.bad.clear()
    // a:2 lies behind a:3 now, and was there before it.
    expect(await desk.redrive()).toMatchObject({ already: 3, matched: 2, done: 2 })
    expect(desk.done).toEqual(['a:1', 'b:1', 'a:2', 'a:3'])
    await desk.driver.close()
  })

  test('of which one died again are not sent again by who goes on where a call ended', async () => {
    const desk = await Desk.open()
    desk.bad.add('a:1').add('a:2')
    await desk.send('a:1', 'a:2')
    const { ends } = await desk.redrive()
    expect(ends).toEqual([2])
    expect(await desk.redrive({ ends })).toMatchObject({ already: 1, matched: 1, held: 1, sent: 0 })
    await desk.driver.close()
  })

  test('wait for an earlier one that the filter leaves out, unless told otherwise', async () => {
    const desk = await Desk.open()
    desk.bad.add('a:1').add('a:2')
    await desk.send('a:1', 'a:2')
    desk.bad.clear()
    const filter = { offset: 1 }
    expect(await desk.redrive({ filter })).toMatchObject({ matched: 1, held: 1, sent: 0 })
    expect(await desk.redrive({ filter, ignoreEarlier: true })).toMatchObject({ matched: 1, done: 1 })
    expect(desk.done).toEqual(['a:2'])
    await desk.driver.close()
  })

  test('wait for one that an earlier call sent and that is not processed yet', async () => {
    const desk = await Desk.open()
    desk.bad.add('a:1').add('a:2')
    await desk.send('a:1', 'a:2')
    desk.bad.clear()
    // The caller goes away before anything is processed.
    const gone = new AbortController()
    const { log } = desk.driver
    const leaving = withAppend(log, (records) => {
      if (records[0]?.topic === orders.name) gone.abort()
      return log.append(records)
    })
    const first = await desk.redrive({ signal: gone.signal, filter: { key: 'a' } }, leaving, true)
    expect(first).toMatchObject({ sent: 1, waiting: 1, left: 1, complete: false })
    const report = await desk.redrive()
    expect(report).toMatchObject({ already: 1, sent: 1, done: 1, complete: true })
    expect(desk.done).toEqual(['a:1', 'a:2'])
    await desk.driver.close()
  })
})

describe('what cannot go back', () => {
  const letters = 'orders.dlq'

  test('a record of a topic that is not ours, or of which nothing is left: is said, and holds its key', async () => {
    const desk = await Desk.open()
    const elsewhere: Headers = [
      ['__connect.errors.topic', Buffer.from('elsewhere')],
      ['__connect.errors.partition', Buffer.from('0')],
      ['__connect.errors.offset', Buffer.from('1')],
    ]
    await desk.driver.pipeBytes(letters, Buffer.from('a'), Buffer.from('a:1'), { headers: elsewhere })
    desk.bad.add('a:2')
    await desk.send('a:2')
    desk.bad.clear()
    expect(await desk.redrive()).toMatchObject({ matched: 2, unroutable: 1, held: 1, sent: 0 })
    await desk.driver.close()
  })

  test('a letter that stands for a larger record brings that record back', async () => {
    const desk = await Desk.open()
    await desk.driver.pipe(orders, 'a', 'a:1')
    const pointer: Headers = [
      ['__streams.errors.exception', Buffer.from('ProcessingError')],
      ['__streams.errors.topic', Buffer.from('orders')],
      ['__streams.errors.partition', Buffer.from('0')],
      ['__streams.errors.offset', Buffer.from('0')],
      ['__streams.errors.truncated', Buffer.from('key, value, headers')],
    ]
    await desk.driver.pipeBytes(letters, null, null, { headers: pointer })
    expect(await desk.redrive()).toMatchObject({ sent: 1, done: 1 })
    expect(desk.done).toEqual(['a:1', 'a:1'])
    await desk.driver.close()
  })

  test('a letter without headers goes to the topic that its own is named after', async () => {
    const desk = await Desk.open(3)
    await desk.driver.pipeBytes(letters, Buffer.from('a'), Buffer.from('a:1'))
    expect(await desk.redrive()).toMatchObject({ sent: 1, done: 1 })
    await desk.driver.close()
  })
})

test('a partition that cannot be read to its end ends the call, not the process that waits for it', async () => {
  const desk = await Desk.open()
  desk.bad.add('a:1')
  await desk.send('a:1')
  desk.bad.clear()
  // As an open transaction behind it does.
  const { log } = desk.driver
  const hiding = replaced(log, 'bounds', async (at: TopicPartition) => {
    const bounds = await log.bounds(at)
    return at.topic === 'orders.dlq' ? { ...bounds, highWatermark: bounds.end + 1 } : bounds
  })
  expect(await desk.redrive({ timeoutMs: 1_000 }, hiding)).toMatchObject({ sent: 0, complete: false })
  expect(await desk.redrive()).toMatchObject({ sent: 1, done: 1, complete: true })
  await desk.driver.close()
})

test('who may not send any more stops before the next', async () => {
  const desk = await Desk.open()
  desk.bad.add('a:1').add('a:2')
  await desk.send('a:1', 'a:2')
  desk.bad.clear()
  const lost = new Error('elsewhere now')
  let asked = 0
  const mayGoOn = (): void => {
    if (++asked > 2) throw lost
  }
  await expect(desk.redrive({ mayGoOn })).rejects.toBe(lost)
  expect(desk.done).toEqual(['a:1'])
  await desk.driver.close()
})

describe('a crash in the middle', () => {
  // Each of the appends of a redrive: begun, sent, noted.
  test.each([
    [1, 'before'],
    [1, 'after'],
    [2, 'before'],
    [2, 'after'],
    [3, 'before'],
    [3, 'after'],
    [5, 'after'],
  ] as const)('append %i, %s it is there: every record goes back once', async (nth, when) => {
    const desk = await Desk.open()
    desk.bad.add('a:1').add('a:2').add('b:1')
    await desk.send('a:1', 'a:2', 'b:1')
    desk.bad.clear()
    await expect(desk.redrive({}, dying(desk.driver.log, nth, when))).rejects.toThrow('killed')
    await desk.driver.restart()
    desk.driver.clock.advance(SETTLE_MS)
    const report = await desk.redrive()
    expect(report).toMatchObject({ again: 0, held: 0, left: 0, complete: true })
    expect(desk.sent).toHaveLength(3)
    expect(desk.done.filter((value) => value.startsWith('a'))).toEqual(['a:1', 'a:2'])
    expect(desk.done).toContain('b:1')
    await desk.driver.close()
  })

  test('what may still arrive is left alone until it is there or cannot be any more', async () => {
    const desk = await Desk.open()
    desk.bad.add('a:1')
    await desk.send('a:1')
    desk.bad.clear()
    let late: readonly AppendRecord[] = []
    const losing = withAppend(desk.driver.log, (records) => {
      if (records[0]?.topic !== orders.name) return desk.driver.log.append(records)
      late = records
      return Promise.reject(new Error('no answer'))
    })
    await expect(desk.redrive({}, losing)).rejects.toThrow('no answer')
    expect(await desk.redrive()).toMatchObject({ sent: 0, left: 1, complete: false })
    await desk.driver.log.append(late)
    expect(await desk.redrive()).toMatchObject({ sent: 0, done: 1, complete: true })
    expect(desk.done).toEqual(['a:1'])
    await desk.driver.close()
  })

  test('wherever and how often it comes: each record once, those of a key in their order', async () => {
    const values = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 8 })
    const crashes = fc.array(fc.tuple(fc.integer({ min: 1, max: 8 }), fc.constantFrom('before', 'after')), {
      maxLength: 3,
    })
    await fc.assert(
      fc.asyncProperty(values, crashes, fc.nat(7), async (keys, kills, stubborn) => {
        const desk = await Desk.open()
        const all = keys.map((key, index) => `${key}:${index}`)
        for (const value of all) desk.bad.add(value)
        await desk.send(...all)
        const hard = all[stubborn % all.length] as string
        desk.bad.clear()
        desk.bad.add(hard)
        for (const [nth, when] of kills) {
          await desk.redrive({}, dying(desk.driver.log, nth, when as 'before')).catch(() => undefined)
          await desk.driver.restart()
          desk.driver.clock.advance(SETTLE_MS)
        }
        await desk.redrive()
        desk.bad.clear()
        expect(await desk.redrive()).toMatchObject({ again: 0, held: 0, complete: true })
        expect(desk.done.toSorted()).toEqual(all.toSorted())
        for (const key of 'abc') {
          const own = (value: string): boolean => value.startsWith(key)
          expect(desk.done.filter(own)).toEqual(all.filter(own))
        }
        await desk.driver.close()
      }),
      {
        numRuns: 40,
        // The first of a key was processed, and back, while the dead letters were looked through.
        examples: [
          [
            ['a', 'c', 'a', 'b'],
            [
              [1, 'after'],
              [3, 'after'],
            ],
            0,
          ],
        ],
      },
    )
  })
})

function withAppend(
  log: Log,
  append: (records: readonly AppendRecord[]) => Promise<readonly AppendResult[]>,
): Log {
  return replaced(log, 'append', append)
}

function replaced<N extends keyof Log>(log: Log, replacing: N, by: Log[N]): Log {
  return new Proxy(log, {
    get(target, name) {
      if (name === replacing) return by
      const member: unknown = Reflect.get(target, name)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
}

/** A log whose process is killed at its nth append, before or after that took effect. */
function dying(log: Log, nth: number, when: 'before' | 'after'): Log {
  let calls = 0
  return withAppend(log, async (records) => {
    if (++calls < nth) return log.append(records)
    if (calls === nth && when === 'after') await log.append(records)
    throw new Error('killed')
  })
}
