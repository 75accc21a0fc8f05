/** What a connector does with batches, failures and its own end, on a log in memory and on one on the disk. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Connector, type ConnectorRunner, Unavailable } from '../../../../connectors/index.ts'
import { readDeadLetter, systemClock } from '../../../../streams/index.ts'
import { KafkaError, LEADER_NOT_AVAILABLE } from '../../../../transports/kafka/protocol/errors.ts'
import {
  answers,
  ConnectorRig,
  connectorTo,
  events,
  type LogKind,
  numbers,
  Sink,
  until,
} from '../../../support/connector-rig.ts'

const KINDS: readonly LogKind[] = ['memory', 'embedded']

async function running(rig: ConnectorRig, connector: Connector, hooks = {}): Promise<ConnectorRunner> {
  const runner = await rig.start(connector, { hooks })
  onTestFinished(() => runner.stop().then(() => rig.log.close()))
  return runner
}

describe.each(KINDS)('on the %s log', (kind) => {
  test('everything arrives, in order, and outputs, positions and journal are one commit', async () => {
    const rig = await ConnectorRig.open(kind)
    const sink = new Sink()
    sink.answer = ({ records }) => ({
      outputs: records.map((because) => {
        const { recordKey: key, value, timestamp } = because
        return { topic: answers, key, value: `took ${value}`, timestamp, because }
      }),
    })
    const connector = connectorTo(sink, { delivery: { batchRecords: 2 } })
    await rig.topicsOf(connector)
    await rig.append(events, ['a', 'b', 'c'])
    await running(rig, connector)
    await until(async () => (await rig.committed(connector, events)) === 3)
    expect(sink.values).toEqual(['a', 'b', 'c'])
    const records = await rig.records(answers.name)
    const others = await rig.log.bounds({ topic: answers.name, partition: 1 })
    expect(records.length + others.end).toBe(3)
    for (const { lineage } of records) expect(lineage?.cause?.topic).toBe('events')
  })

  test('what cannot be read goes to the dead letters as the engine writes them, and holds nothing up', async () => {
    const rig = await ConnectorRig.open(kind)
    const sink = new Sink()
    const connector = connectorTo(sink, { inputs: [numbers] })
    await rig.topicsOf(connector)
    await rig.append(numbers, ['1', 'two', '3'])
    const rejected: string[] = []
    await running(rig, connector, {
      onRejected: (_: string, topic: string, reason: string) => rejected.push(`${topic} ${reason}`),
    })
    await until(async () => (await rig.committed(connector, numbers)) === 3)
    expect(sink.values).toEqual(['1', '3'])
    const letters = (await rig.records('numbers.dlq')).map(readDeadLetter)
    expect(letters).toMatchObject([
      {
        dialect: 'streams',
        error: 'DeserializationError',
        original: { topic: 'numbers', partition: 0, offset: 1 },
      },
    ])
    expect(rejected).toEqual(['numbers DeserializationError'])
  })

  test('a batch that fails is tried as often as the policy says, then record by record', async () => {
    const rig = await ConnectorRig.open(kind)
    const sink = new Sink()
    sink.before = ({ records }) => {
      if (records.some(({ value }) => value === 'bad')) throw new RangeError('no such thing')
    }
    const connector = connectorTo(sink, { delivery: { attempts: 3 } })
    await rig.topicsOf(connector)
    await rig.append(events, ['a', 'bad', 'c'])
    await running(rig, connector)
    await until(async () => (await rig.committed(connector, events)) === 3)
    expect(sink.values).toEqual(['a', 'c'])
    expect(sink.tries).toBe(3 + 3)
    const letters = (await rig.records('events.dlq')).map(readDeadLetter)
    expect(letters).toMatchObject([{ error: 'DeliveryFailed', message: 'RangeError: no such thing' }])
  })

  test('an unavailable target loses nothing, however long; the breaker opens, probes and closes', async () => {
    const rig = await ConnectorRig.open(kind)
    const sink = new Sink()
    let isUp = false
    sink.before = () => {
      if (!isUp) throw new Unavailable('down')
    }
    const states: string[] = []
    const connector = connectorTo(sink, { delivery: { batchRecords: 10 } })
    await rig.topicsOf(connector)
    for (let i = 0; i < 20; i++) {
      await rig.append(
        events,
        Array.from({ length: 100 }, (_, j) => `${i * 100 + j}`),
      )
    }
    await running(rig, connector, {
      onBreaker: (_: string, from: string, to: string) => states.push(`${from} → ${to}`),
    })
    await until(() => sink.tries >= 100)
    expect(rig.clock.monotonic()).toBeGreaterThan(10 * 60_000)
    expect(await rig.committed(connector, events)).toBeUndefined()
    isUp = true
    await until(async () => (await rig.committed(connector, events)) === 2_000)
    expect(sink.values).toEqual(Array.from({ length: 2_000 }, (_, i) => `${i}`))
    expect(states.slice(0, 3)).toEqual(['closed → open', 'open → half-open', 'half-open → open'])
    expect(states.at(-1)).toBe('half-open → closed')
  })

  test('paused, nothing is delivered; resumed, everything is', async () => {
    const rig = await ConnectorRig.open(kind)
    const sink = new Sink()
    const connector = connectorTo(sink)
    const runner = await running(rig, connector)
    runner.pause()
    expect(runner.state).toBe('paused')
    await rig.append(events, ['a', 'b'])
    await until(async () => (await runner.view()).tasks.some(({ inputs }) => inputs[0]?.lagRecords === 2))
    expect(sink.tries).toBe(0)
    runner.resume()
    await until(async () => (await rig.committed(connector, events)) === 2)
    expect(sink.values).toEqual(['a', 'b'])
  })

  test('what a target has not taken yet is behind, and not what is read', async () => {
    const rig = await ConnectorRig.open(kind, systemClock)
    const sink = new Sink()
    let finish = (): void => {}
    sink.before = () => new Promise((resolve) => (finish = resolve))
    const connector = connectorTo(sink)
    const runner = await running(rig, connector)
    const behind = async () => {
      const input = (await runner.view()).tasks.find(({ partition }) => partition === 0)?.inputs[0]
      return [input?.offset, input?.lagRecords]
    }
    await rig.append(events, ['a', 'b'])
    await until(() => sink.tries === 1)
    await rig.append(events, ['c'])
    await until(async () => (await behind())[1] === 3)
    expect(await behind()).toEqual([0, 3])
    finish()
    await until(() => sink.tries === 2)
    expect(await behind()).toEqual([2, 1])
    finish()
    await until(async () => (await behind())[1] === 0)
    expect(await behind()).toEqual([3, 0])
  })

  test('stopped, it finishes and commits what is under way, and nothing is delivered again', async () => {
    const rig = await ConnectorRig.open(kind, systemClock)
    const sink = new Sink()
    let finish = (): void => {}
    sink.before = () => new Promise((resolve) => (finish = resolve))
    const connector = connectorTo(sink)
    const runner = await rig.start(connector)
    await rig.append(events, ['a'])
    await until(() => sink.tries === 1)
    const stopped = runner.stop()
    finish()
    await stopped
    expect(await rig.committed(connector, events)).toBe(1)
    expect(sink.closed).toBe(1)
    await rig.log.close()
  })
})

test('a delivery that takes too long is told to end, and tried again', async () => {
  const rig = await ConnectorRig.open('memory')
  const sink = new Sink()
  const reasons: unknown[] = []
  sink.before = (_, signal) => {
    if (sink.tries > 1) return
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        reasons.push(signal.reason)
        reject(signal.reason as Error)
      })
    })
  }
  const connector = connectorTo(sink)
  const kinds: string[] = []
  await rig.topicsOf(connector)
  await rig.append(events, ['a'])
  await running(rig, connector, { onFailure: (_: string, kind: string) => kinds.push(kind) })
  await until(async () => (await rig.committed(connector, events)) === 1)
  expect(reasons).toMatchObject([{ name: 'DeliveryTimeout' }])
  expect(kinds).toEqual(['timeout'])
  expect(sink.values).toEqual(['a'])
})

test('a delivery that does not end although it was told to is left alone, with its target', async () => {
  const rig = await ConnectorRig.open('memory')
  const stuck = new Sink()
  stuck.before = () => new Promise(() => {})
  const fresh = new Sink()
  const targets = [stuck, fresh]
  const connector = connectorTo(stuck, {
    open: ({ partitions }) =>
      Promise.resolve(partitions[0]?.partition === 0 ? (targets.shift() ?? fresh) : new Sink()),
  })
  await rig.topicsOf(connector)
  await rig.append(events, ['a'])
  await running(rig, connector)
  await until(async () => (await rig.committed(connector, events)) === 1)
  expect(stuck.closed).toBe(1)
  expect(fresh.values).toEqual(['a'])
})

test('deliveries that never end open the breaker, although their targets open each time; one that ends closes it', async () => {
  const rig = await ConnectorRig.open('memory')
  const breakAfter = 3
  const fresh = new Sink()
  let opened = 0
  const states: string[] = []
  const connector = connectorTo(fresh, {
    delivery: { breakAfter },
    open: ({ partitions }) => {
      if (partitions[0]?.partition !== 0) return Promise.resolve(new Sink())
      if (++opened > breakAfter + 2) return Promise.resolve(fresh)
      const stuck = new Sink()
      stuck.before = () => new Promise(() => {})
      return Promise.resolve(stuck)
    },
  })
  await rig.topicsOf(connector)
  await rig.append(events, ['a'])
  await running(rig, connector, {
    onBreaker: (_: string, from: string, to: string) => states.push(`${opened} ${from} → ${to}`),
  })
  await until(async () => (await rig.committed(connector, events)) === 1)
  expect(states[0]).toBe(`${breakAfter} closed → open`)
  expect(states.filter((state) => state.includes('closed'))).toEqual([
    `${breakAfter} closed → open`,
    `${breakAfter + 3} half-open → closed`,
  ])
})

test('a target that does not come is unavailable, and closed where it comes too late', async () => {
  const rig = await ConnectorRig.open('memory')
  const sink = new Sink()
  const late = new Sink()
  let come = (): void => {}
  let opens = 0
  const connector = connectorTo(sink, {
    delivery: { breakAfter: 1 },
    open: ({ partitions }) => {
      if (partitions[0]?.partition !== 0) return Promise.resolve(new Sink())
      // The second is the one that the breaker lets try.
      if (++opens > 2) return Promise.resolve(sink)
      return new Promise((resolve) => (come = () => resolve(late)))
    },
  })
  await rig.topicsOf(connector)
  await rig.append(events, ['a'])
  const kinds: string[] = []
  await running(rig, connector, { onFailure: (_: string, kind: string) => kinds.push(kind) })
  await until(() => sink.values.length === 1)
  expect(kinds).toEqual(['timeout', 'timeout'])
  come()
  await until(() => late.closed === 1)
  expect(late.tries).toBe(0)
})

test('paused while its breaker is open, it tries nothing when the time of that is over', async () => {
  const rig = await ConnectorRig.open('memory')
  const sink = new Sink()
  sink.before = () => {
    if (sink.tries === 1) throw new Unavailable('away')
  }
  const connector = connectorTo(sink, { delivery: { breakAfter: 1, openMs: 60_000 } })
  await rig.topicsOf(connector)
  await rig.append(events, ['a'])
  const states: string[] = []
  let pauseLater = (): void => {}
  const runner = await running(rig, connector, {
    onBreaker: (_: string, _from: string, to: string) => {
      states.push(to)
      if (states.length === 1) pauseLater()
    },
  })
  let isLong = false
  pauseLater = () => {
    rig.clock.after(30_000, () => runner.pause())
    rig.clock.after(180_000, () => (isLong = true))
  }
  await until(() => isLong)
  expect(sink.tries).toBe(1)
  runner.resume()
  await until(() => sink.values.length === 1)
  expect(states.at(-1)).toBe('closed')
})

test('what the log cannot tell of an input is left out; the connector is shown all the same', async () => {
  const rig = await ConnectorRig.open('memory')
  const connector = connectorTo(new Sink(), { open: () => Promise.reject(new Unavailable('away')) })
  await rig.topicsOf(connector)
  let isAway = false
  const log = new Proxy(rig.log, {
    get(of, name) {
      if (name !== 'bounds' || !isAway) return bound(of, name)
      return () => Promise.reject(new KafkaError('ListOffsets', LEADER_NOT_AVAILABLE))
    },
  })
  const runner = await rig.start(connector, { log })
  onTestFinished(() => runner.stop())
  isAway = true
  const { state, tasks } = await runner.view()
  expect([state, tasks.map(({ inputs }) => inputs)]).toEqual(['running', [[], []]])
})

test('a log that cannot be asked just now is asked again, and the task goes on', async () => {
  const rig = await ConnectorRig.open('memory')
  const sink = new Sink()
  const connector = connectorTo(sink)
  await rig.topicsOf(connector)
  await rig.append(events, ['a'])
  let refusals = 0
  const { log } = rig
  const busy = new Proxy(log, {
    get(of, name) {
      if (name !== 'bounds') return bound(of, name)
      return (at: Parameters<typeof log.bounds>[0]) =>
        at.topic === events.name && at.partition === 0 && refusals++ < 2
          ? Promise.reject(new KafkaError('ListOffsets', LEADER_NOT_AVAILABLE))
          : of.bounds(at)
    },
  })
  const ended: Error[] = []
  const runner = await rig.start(connector, {
    log: busy,
    hooks: { onEnded: (_, cause) => ended.push(cause) },
  })
  onTestFinished(() => runner.stop())
  await until(() => ended.length > 0 || sink.values.length === 1)
  expect(ended).toEqual([])
  expect(refusals).toBeGreaterThan(2)
})

test('records of an input that rests are delivered so long after their append, and hold up no other input', async () => {
  const rig = await ConnectorRig.open('memory')
  const sink = new Sink()
  const arrived = new Map<unknown, number>()
  sink.before = ({ records }) => {
    for (const { value } of records) arrived.set(value, rig.clock.monotonic())
  }
  const restMs = 3_600_000
  const connector = connectorTo(sink, { inputs: [numbers, events], restMs: { [numbers.name]: restMs } })
  await rig.topicsOf(connector)
  await rig.append(numbers, ['1'])
  const appended = rig.clock.monotonic()
  await rig.append(events, ['a', 'b'])
  await running(rig, connector)
  await until(() => arrived.has('b'))
  await rig.append(events, ['c'])
  await until(() => arrived.has('c'))
  expect(arrived.has('1')).toBe(false)
  await until(async () => (await rig.committed(connector, numbers)) === 1)
  expect(sink.values).toEqual(['a', 'b', 'c', '1'])
  expect((arrived.get('1') ?? 0) - appended).toBeGreaterThanOrEqual(restMs)
})

test('memory: while a target takes nothing, a task holds a batch and one read ahead', async () => {
  const rig = await ConnectorRig.open('memory')
  const sink = new Sink()
  sink.before = () => {
    throw new Unavailable('down')
  }
  const connector = connectorTo(sink, { delivery: { batchRecords: 100 } })
  await rig.topicsOf(connector)
  await rig.append(
    events,
    Array.from({ length: 20_000 }, (_, i) => `${i}`),
  )
  let handedOut = 0
  const { log } = rig
  const counted = new Proxy(log, {
    get(of, name) {
      if (name !== 'openReader') return bound(of, name)
      return (...args: Parameters<typeof log.openReader>) => {
        const reader = of.openReader(...args)
        return new Proxy(reader, {
          get(inner, member) {
            if (member !== 'take') return bound(inner, member)
            return (limit: number) => {
              const records = inner.take(limit)
              handedOut += records.length
              return records
            }
          },
        })
      }
    },
  })
  const runner = await rig.start(connector, { log: counted })
  await until(() => sink.tries >= 200)
  expect(handedOut).toBeLessThanOrEqual(100 + 512)
  await runner.stop()
})

function bound<T extends object>(of: T, name: string | symbol): unknown {
  const value: unknown = Reflect.get(of, name, of)
  return typeof value === 'function' ? (value as (...args: never[]) => unknown).bind(of) : value
}
