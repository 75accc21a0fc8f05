/** The connectors of a process: those that an operator has paused stay paused, over restarts and in other processes. */
import { expect, onTestFinished, test } from 'vitest'
import { connectorPort, type Outbox, RunningConnectors } from '../../../cli/pipeline/running-connectors.ts'
import { topics } from '../../../schemas/index.ts'
import { formatUuid7, type Log, NO_HEADERS, StreamsError } from '../../../streams/index.ts'
import { createLogger, Telemetry } from '../../../telemetry/index.ts'
import { ConnectorRig, connectorTo, events, Sink, until } from '../../support/connector-rig.ts'

async function ready(): Promise<{
  rig: ConnectorRig
  open: (sink: Sink, log?: Log) => Promise<RunningConnectors>
}> {
  const rig = await ConnectorRig.open('memory')
  const { name, cleanup, timestamps } = topics.opsConnector
  const kept = { retentionMs: Number.POSITIVE_INFINITY, retentionBytes: Number.POSITIVE_INFINITY }
  await rig.log.ensureTopics([{ name, cleanup, timestamps, partitions: 2, ...kept }])
  const logger = createLogger({ level: 'silent', format: 'json' })
  const telemetry = new Telemetry({ logger, version: '1', maxCampaigns: 1 })
  const open = async (sink: Sink, log: Log = rig.log): Promise<RunningConnectors> => {
    const connector = connectorTo(sink)
    await rig.topicsOf(connector)
    const running = await RunningConnectors.open({
      application: 'rig',
      connectors: [connector],
      log,
      topics,
      clock: rig.clock,
      random: () => 0.5,
      telemetry,
    })
    onTestFinished(() => running.close())
    return running
  }
  return { rig, open }
}

/** The log, with another way to read where the switches' partitions end. */
function withBounds(
  log: Log,
  bounds: (inner: () => ReturnType<Log['bounds']>) => ReturnType<Log['bounds']>,
): Log {
  return new Proxy(log, {
    get(of, name) {
      if (name === 'bounds')
        return (at: Parameters<Log['bounds']>[0]) =>
          at.topic === topics.opsConnector.name ? bounds(() => of.bounds(at)) : of.bounds(at)
      const value: unknown = Reflect.get(of, name, of)
      return typeof value === 'function' ? (value as () => unknown).bind(of) : value
    },
  })
}

function switched(rig: ConnectorRig, paused: boolean, connector = 'sink'): Promise<unknown> {
  const { opsConnector: topic } = topics
  const value = { connector, paused, at: rig.clock.now() }
  return rig.log.append([
    {
      topic: topic.name,
      key: topic.key.serialize(connector),
      value: topic.value.serialize(value),
      timestamp: value.at,
      lineage: { eventId: formatUuid7(value.at, 1, 2, 3) },
      headers: NO_HEADERS,
    },
  ])
}

/** Whether it says which connectors are paused. */
function isKnown(running: RunningConnectors): boolean {
  try {
    return running.isPaused('sink') !== undefined
  } catch (error) {
    expect(error).toMatchObject({ code: 'TASK_NOT_HERE' })
    return false
  }
}

test('it delivers, and tells what it does', async () => {
  const { rig, open } = await ready()
  const sink = new Sink()
  const running = await open(sink)
  await rig.append(events, ['a'])
  await until(() => sink.values.length === 1)
  await until(
    async () => (await running.facts())[0]?.lags.every(({ lagRecords }) => lagRecords === 0) === true,
  )
  expect(await running.facts()).toMatchObject([{ connector: 'sink', state: 'running', breaker: 'closed' }])
  const [report] = await connectorPort(running).connectors()
  expect(report?.tasks.map(({ name, inputs }) => [name, inputs[0]?.position])).toEqual([
    ['connector-sink.0_0', 1],
    ['connector-sink.0_1', 0],
  ])
})

test('one that was paused before the process began delivers nothing until somebody resumes it, anywhere', async () => {
  const { rig, open } = await ready()
  await switched(rig, true)
  const sink = new Sink()
  const running = await open(sink)
  await rig.append(events, ['a'])
  for (let turn = 0; turn < 200; turn++) await rig.clock.yield()
  expect(sink.tries).toBe(0)
  await until(() => isKnown(running))
  expect(running.isPaused('sink')).toBe(true)
  expect(running.isPaused('fax')).toBeUndefined()
  await switched(rig, false)
  await until(() => sink.values.length === 1)
})

test('one that is paused elsewhere is paused here', async () => {
  const { rig, open } = await ready()
  const sink = new Sink()
  const running = await open(sink)
  await until(() => isKnown(running))
  expect(running.isPaused('sink')).toBe(false)
  await switched(rig, true)
  await until(() => running.isPaused('sink') === true)
  await rig.append(events, ['a'])
  for (let turn = 0; turn < 200; turn++) await rig.clock.yield()
  expect(sink.tries).toBe(0)
})

test('what is switched here takes effect at once', async () => {
  const { open } = await ready()
  const running = await open(new Sink())
  await until(() => isKnown(running))
  const port = connectorPort(running)
  port.setConnectorPaused('sink', true)
  expect(port.isConnectorPaused('sink')).toBe(true)
  port.setConnectorPaused('sink', false)
  expect(port.isConnectorPaused('sink')).toBe(false)
})

test('before the switches are read nobody is told that one is paused already, and nothing is delivered', async () => {
  const { rig, open } = await ready()
  const { promise: mayRead, resolve: go } = Promise.withResolvers<void>()
  const sink = new Sink()
  const running = await open(
    sink,
    withBounds(rig.log, async (inner) => {
      await mayRead
      return inner()
    }),
  )
  await rig.append(events, ['a'])
  for (let turn = 0; turn < 200; turn++) await rig.clock.yield()
  expect(() => running.isPaused('sink')).toThrow('switches are not read yet')
  expect(running.isPaused('fax')).toBeUndefined()
  expect(sink.tries).toBe(0)
  go()
  await until(() => sink.values.length === 1)
  expect(running.isPaused('sink')).toBe(false)
})

test('what is switched while the switches have to be read anew takes effect', async () => {
  const { rig, open } = await ready()
  const sink = new Sink()
  const readers: { fault: unknown }[] = []
  const { promise: mayRead, resolve: go } = Promise.withResolvers<void>()
  let opened = 0
  const log = withBounds(rig.log, async (inner) => {
    // Both partitions, then both of them again.
    if (++opened > 2) await mayRead
    return inner()
  })
  const broken = new Proxy(log, {
    get(of, name) {
      const value: unknown = Reflect.get(of, name, of)
      if (name !== 'openReader') return value
      return (...args: Parameters<Log['openReader']>) => {
        const reader = of.openReader(...args)
        if (args[0].topic !== topics.opsConnector.name) return reader
        const own = { fault: undefined as unknown }
        readers.push(own)
        return Object.defineProperty(Object.create(reader) as typeof reader, 'fault', {
          get: () => own.fault,
        })
      }
    },
  })
  const running = await open(sink, broken)
  await until(() => isKnown(running))
  for (const reader of readers) reader.fault = new StreamsError('OFFSET_OUT_OF_RANGE', 'truncated')
  await switched(rig, false)
  await until(() => opened > 2)
  expect(isKnown(running)).toBe(false)
  await switched(rig, true)
  go()
  await until(() => isKnown(running))
  expect(running.isPaused('sink')).toBe(true)
})

/** Seven rows wait in it. */
class FakeOutbox implements Outbox {
  readonly name = 'outbox'
  isPaused = false

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  view(): ReturnType<Outbox['view']> {
    const state = this.isPaused ? 'paused' : 'running'
    const tasks = [{ name: 'outbox', partition: 0, failure: undefined, inputs: [] }]
    return Promise.resolve({ name: 'outbox', state, breaker: 'closed', tasks, waitingRows: 7 })
  }
}

test('an outbox is watched among them', async () => {
  const { open } = await ready()
  const running = await open(new Sink())
  running.include(new FakeOutbox())
  await until(() => isKnown(running))
  expect(running.isPaused('outbox')).toBe(false)
  expect((await running.facts()).at(-1)).toEqual({
    connector: 'outbox',
    state: 'running',
    breaker: 'closed',
    lags: [{ task: 'outbox', topic: 'outbox', lagRecords: 7 }],
  })
  expect((await running.reports()).at(-1)).toEqual({
    name: 'outbox',
    state: 'running',
    breaker: 'closed',
    tasks: [{ name: 'outbox', partition: 0, inputs: [] }],
    waitingRows: 7,
  })
})

test('an outbox that was paused before the process began stays so until somebody resumes it, anywhere', async () => {
  const { rig, open } = await ready()
  await switched(rig, true, 'outbox')
  const running = await open(new Sink())
  const early = new FakeOutbox()
  running.include(early)
  await until(() => isKnown(running))
  expect(early.isPaused).toBe(true)
  const late = new FakeOutbox()
  running.include(late)
  expect(late.isPaused).toBe(true)
  await switched(rig, false, 'outbox')
  await until(() => !late.isPaused)
})
