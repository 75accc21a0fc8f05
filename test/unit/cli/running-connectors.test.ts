/** The connectors of a process: those that an operator has paused stay paused, over restarts and in other processes. */
import { expect, onTestFinished, test } from 'vitest'
import { connectorPort, type Outbox, RunningConnectors } from '../../../cli/pipeline/running-connectors.ts'
import { topics } from '../../../schemas/index.ts'
import { formatUuid7, NO_HEADERS } from '../../../streams/index.ts'
import { createLogger, Telemetry } from '../../../telemetry/index.ts'
import { ConnectorRig, connectorTo, events, Sink, until } from '../../support/connector-rig.ts'

async function ready(): Promise<{ rig: ConnectorRig; open: (sink: Sink) => Promise<RunningConnectors> }> {
  const rig = await ConnectorRig.open('memory')
  const { name, cleanup, timestamps } = topics.opsConnector
  const kept = { retentionMs: Number.POSITIVE_INFINITY, retentionBytes: Number.POSITIVE_INFINITY }
  await rig.log.ensureTopics([{ name, cleanup, timestamps, partitions: 2, ...kept }])
  const logger = createLogger({ level: 'silent', format: 'json' })
  const telemetry = new Telemetry({ logger, version: '1', maxCampaigns: 1 })
  const open = async (sink: Sink): Promise<RunningConnectors> => {
    const connector = connectorTo(sink)
    await rig.topicsOf(connector)
    const running = await RunningConnectors.open({
      application: 'rig',
      connectors: [connector],
      log: rig.log,
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
  expect(running.isPaused('sink')).toBe(true)
  expect(running.isPaused('fax')).toBeUndefined()
  await switched(rig, false)
  await until(() => sink.values.length === 1)
})

test('one that is paused elsewhere is paused here', async () => {
  const { rig, open } = await ready()
  const sink = new Sink()
  const running = await open(sink)
  await until(() => running.isPaused('sink') === false)
  await switched(rig, true)
  await until(() => running.isPaused('sink') === true)
  await rig.append(events, ['a'])
  for (let turn = 0; turn < 200; turn++) await rig.clock.yield()
  expect(sink.tries).toBe(0)
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
  await until(() => running.isPaused('outbox') === false)
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
  await until(() => running.isPaused('sink') === false)
  expect(early.isPaused).toBe(true)
  const late = new FakeOutbox()
  running.include(late)
  expect(late.isPaused).toBe(true)
  await switched(rig, false, 'outbox')
  await until(() => !late.isPaused)
})
