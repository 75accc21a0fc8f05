import { describe, expect, test } from 'vitest'
import { keys, keyValueStore, serdes } from '../../state/index.ts'
import { type BreakerPolicy, type Flood, processor, shape, topology } from '../../streams/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import { stringTopic } from '../support/topics.ts'

const breaker: BreakerPolicy = { windowRecords: 10, leastDeadLetters: 3, percent: 50, cooldownMs: 60_000 }
const orders = stringTopic('orders')
const other = stringTopic('other')
const seen = keyValueStore({ name: 'seen', key: keys.string, value: serdes.json<number>() })

const count = processor({
  name: 'count',
  input: shape<string, string>(),
  stores: { seen },
  timers: { later: 'wall' },
  process(record, { stores, timers, wallTime }) {
    if (record.value === 'bad') throw new Error('bad')
    if (record.value === 'timer') timers.later.schedule(record.key, wallTime + 1_000)
    stores.seen.put(record.key, (stores.seen.get(record.key) ?? 0) + 1)
  },
  onTimer: { later: (key, { stores }) => stores.seen.put(key, 100) },
})

const counter = topology('counter', (t) => {
  t.stream(orders).process(count, { onError: 'dead-letter' })
  t.stream(other).process({ ...count, name: 'count-other' }, { onError: 'dead-letter' })
})

async function open(options: Partial<DriverOptions> = {}) {
  const changes: [topic: string, flood: Flood | undefined][] = []
  const driver = await TopologyTestDriver.open({
    topologies: [counter],
    breaker,
    hooks: { onBreaker: (_task, topic, flood) => void changes.push([topic, flood]) },
    ...options,
  })
  const send = async (...values: string[]): Promise<void> => {
    for (const value of values) await driver.pipe(orders, 'k', value)
  }
  const count = () => driver.store(counter, seen).get('k').value
  return { driver, changes, send, count }
}

describe('F22: a task whose records flood the dead letters', () => {
  test('pauses, alive: what it did is committed, its rows can be read, nothing is lost', async () => {
    const { driver, changes, send, count } = await open()
    await send('good', 'bad', 'bad', 'bad', 'good', 'bad')
    expect(changes).toEqual([['orders', { topic: 'orders', records: 4, deadLetters: 3, cooldownMs: 60_000 }]])
    const [task] = driver.streams.runner('counter').tasks
    expect(task?.lifecycle.state).toBe('running')
    expect(task?.flood).toMatchObject({ topic: 'orders' })
    expect(task?.inputs.find(({ source }) => source.topic.name === 'orders')?.lag).toBe(2)
    // The record that opened it is committed with its dead letter.
    expect(driver.deadLetters(orders)).toHaveLength(3)
    expect(await driver.log.processed('counter', { topic: 'orders', partition: 0 })).toBe(4)
    expect(count()).toBe(1)

    await driver.advanceWallTime(60_000, 10_000)
    expect(changes.at(-1)).toEqual(['orders', undefined])
    expect(driver.deadLetters(orders)).toHaveLength(4)
    expect(count()).toBe(2)
    await driver.close()
  })

  test('takes no record of its other inputs either, whose order among them would be lost', async () => {
    const { driver, send, count } = await open()
    await send('bad', 'bad', 'bad')
    await driver.pipe(other, 'k', 'good')
    expect(count()).toBeUndefined()
    await driver.advanceWallTime(60_000, 10_000)
    expect(count()).toBe(1)
    await driver.close()
  })

  test('still fires its timers', async () => {
    const { driver, send, count } = await open()
    await send('timer', 'bad', 'bad', 'bad')
    await driver.advanceWallTime(2_000)
    expect(count()).toBe(100)
    await driver.close()
  })

  test('goes on when an operator says so', async () => {
    const { driver, send, count } = await open({
      breaker: { ...breaker, cooldownMs: Number.POSITIVE_INFINITY },
    })
    await send('bad', 'bad', 'bad', 'good')
    await driver.advanceWallTime(600_000, 60_000)
    expect(count()).toBeUndefined()
    const [task] = driver.streams.runner('counter').tasks
    expect(task?.release()).toBe(true)
    await driver.settle()
    expect(count()).toBe(1)
    await driver.close()
  })

  test('goes on after a restart, from what it committed, and pauses again if they still come', async () => {
    const { driver, changes, send } = await open()
    await send('bad', 'bad', 'bad', 'bad', 'bad', 'bad', 'bad')
    expect(driver.deadLetters(orders)).toHaveLength(3)
    await driver.restart()
    await driver.settle()
    expect(driver.deadLetters(orders)).toHaveLength(6)
    expect(changes.filter(([, flood]) => flood !== undefined)).toHaveLength(2)
    await driver.restart()
    await driver.settle()
    const offsets = driver.deadLetters(orders).map(({ headers }) => {
      return headers.find(([name]) => name === '__streams.errors.offset')?.[1].toString()
    })
    expect(offsets).toEqual(['0', '1', '2', '3', '4', '5', '6'])
    await driver.close()
  })

  test('does not pause with the breaker off', async () => {
    const { driver, changes, send } = await open({ breaker: 'off' })
    await send(...Array.from({ length: 20 }, () => 'bad'), 'good')
    expect(changes).toEqual([])
    expect(driver.deadLetters(orders)).toHaveLength(20)
    await driver.close()
  })
})
