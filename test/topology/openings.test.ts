/** Tasks that are dropped before they could be opened: whoever drops them is not held up, and the others have their turn. */
import { expect, test } from 'vitest'
import { keys, keyValueStore, serdes } from '../../state/index.ts'
import {
  changelogTopic,
  processor,
  shape,
  Streams,
  type TaskId,
  topology,
  type TopicUse,
} from '../../streams/index.ts'
import { ManualClock, MemoryStateDirectory } from '../../testing/index.ts'
import { guidedLog } from '../support/guided-log.ts'
import { stringTopic } from '../support/topics.ts'

const START = Date.UTC(2026, 0, 1)
/** More than are opened at a time. */
const PARTITIONS = 8
const seen = keyValueStore({ name: 'seen', key: keys.string, value: serdes.json<number>() })
const keep = processor({
  name: 'keep',
  input: shape<string, string>(),
  stores: { seen },
  process: (record, { stores }) => stores.seen.put(record.key, 1),
})
const keeping = topology('keeping', (t) => {
  t.stream(stringTopic('lines')).process(keep)
})
const tasks = Array.from({ length: PARTITIONS }, (_, partition): TaskId => {
  return { topology: 'keeping', subTopology: 0, partition }
})
const first = tasks.slice(0, 1)
const changelog = changelogTopic('test', tasks[0] as TaskId, 'seen')

/** Every task has committed a row, and nothing of it is on the disk. */
async function open() {
  const rig = await openEmpty()
  const { log, runner } = rig
  await log.assign(tasks)
  await rig.streams.ready()
  await log.memory.append(tasks.map(({ partition }) => line(partition, 'k')))
  while (await runner.step());
  await runner.commitNow()
  await log.assign([])
  rig.directory.clear()
  return rig
}

async function openEmpty() {
  const clock = new ManualClock(START)
  const log = guidedLog(() => clock.now())
  const topicSpec = (use: TopicUse) => ({
    name: use.name,
    partitions: PARTITIONS,
    cleanup: use.cleanup,
    timestamps: use.timestamps,
    retentionMs: Number.POSITIVE_INFINITY,
    retentionBytes: Number.POSITIVE_INFINITY,
  })
  const directory = new MemoryStateDirectory()
  const streams = new Streams({
    application: 'test',
    topologies: [keeping],
    log,
    clock,
    stateDirectory: directory,
    topicSpec,
  })
  await streams.open()
  return { log, streams, directory, clock, runner: streams.runner('keeping') }
}

function line(partition: number, key: string) {
  const record = {
    topic: 'lines',
    partition,
    key: Buffer.from(key),
    value: Buffer.from('x'),
    timestamp: START,
  }
  return { ...record, lineage: { eventId: 'e' }, headers: [] }
}

test('tasks that wait for their turn are dropped without one', async () => {
  const { log, streams, runner } = await open()
  const release = log.hold(changelog)
  await log.assign(tasks)
  await log.assign(first)
  expect(runner.notRunning).toEqual(first)
  release()
  await streams.ready()
  await log.assign(tasks)
  await streams.ready()
  expect(runner.notRunning).toEqual([])
  await streams.close()
})

test('a task is dropped although the log does not say where it stands', async () => {
  const { log, streams, runner } = await open()
  const committed = log.memory.committed.bind(log.memory)
  log.memory.committed = () => new Promise(() => {})
  await log.assign(tasks)
  await log.assign([])
  log.memory.committed = committed
  await log.assign(tasks)
  await streams.ready()
  expect(runner.notRunning).toEqual([])
  await streams.close()
})

test('F20: a task whose changelog was made again while it runs stops, since that lacks what was before', async () => {
  const { log, streams, runner } = await open()
  await log.assign(first)
  await streams.ready()
  log.recreated(changelog)
  const record = {
    topic: 'lines',
    partition: 0,
    key: Buffer.from('l'),
    value: Buffer.from('x'),
    timestamp: 0,
  }
  await log.memory.append([{ ...record, lineage: { eventId: 'e' }, headers: [] }])
  while (await runner.step());
  await runner.commitNow()
  expect(runner.tasks.map(({ failure }) => failure)).toMatchObject([{ code: 'RESET_REQUIRED' }])
  expect(runner.notRunning).toEqual(first)
  await streams.close()
})

test('F6: a task that another process had, and committed for the first time, while it was opened, is opened again', async () => {
  const { log, streams, runner, clock } = await open()
  const committed = log.memory.committed.bind(log.memory)
  // Asked before that commit, answered behind it.
  let asked = 0
  log.memory.committed = (task) => (asked++ === 0 ? Promise.resolve(undefined) : committed(task))
  await log.assign(first)
  await streams.ready().catch(() => {})
  expect(runner.notRunning).toEqual(first)
  clock.advance(1_000)
  await runner.step()
  await streams.ready()
  expect(runner.notRunning).toEqual([])
  expect(runner.tasks[0]?.positions()).toMatchObject([{ topic: 'lines', offset: 1 }])
  await streams.close()
})

test('F1: a task that was killed in its first commits, again and again, finds what they left and misses nothing', async () => {
  const { log, streams, runner } = await openEmpty()
  const { memory } = log
  const [boundsOf, readerOf] = [memory.bounds.bind(memory), memory.openReader.bind(memory)]
  // What was aborted and its mark: offsets without a record.
  const end = 2
  memory.bounds = (at) =>
    at.topic === changelog ? Promise.resolve({ start: 0, end, highWatermark: end }) : boundsOf(at)
  memory.openReader = (at, from, readable) => {
    if (at.topic !== changelog) return readerOf(at, from, readable)
    let position = from
    return {
      ...at,
      end,
      fault: undefined,
      get position() {
        return position
      },
      take() {
        position = end
        return []
      },
      close: () => {},
    }
  }
  for (let time = 0; time < 2; time++) {
    await log.assign(first)
    await streams.ready()
    expect(runner.notRunning).toEqual([])
    await log.assign([])
  }
  await streams.close()
})
