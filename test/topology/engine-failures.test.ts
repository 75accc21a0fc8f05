/** What the runner does when commits, seals and reopenings fail. The log is the real one in memory, with a fault added. */
import { expect, test } from 'vitest'
import { keys, keyValueStore, serdes, StateError } from '../../state/index.ts'
import {
  type Log,
  processor,
  shape,
  Streams,
  StreamsError,
  type TaskCommit,
  type TaskId,
  topology,
  type TopicUse,
} from '../../streams/index.ts'
import { ManualClock } from '../../testing/index.ts'
import { MemoryLog } from '../../transports/simulated/index.ts'
import { stringTopic } from '../support/topics.ts'

const lines = stringTopic('lines')
const copies = stringTopic('copies')
const START = Date.UTC(2026, 0, 1)
const last = keyValueStore({ name: 'last', key: keys.string, value: serdes.json<string>() })

const remember = processor({
  name: 'remember',
  input: shape<string, string>(),
  stores: { last },
  outputs: { out: shape<string, string>() },
  process(record, { stores, emit }) {
    stores.last.put(record.key, record.value)
    emit.out(record.key, record.value)
  },
})
const remembering = topology('remembering', (t) => {
  t.stream(lines).process(remember).out.to(copies)
})

interface Faults {
  commit?: (
    commits: readonly TaskCommit[],
    real: () => ReturnType<Log['commit']>,
  ) => ReturnType<Log['commit']>
  taskState?: (task: TaskId) => void
}

async function open(faults: Faults) {
  const clock = new ManualClock(START)
  const memory = new MemoryLog({ stateHome: 'log', now: () => clock.now() })
  const log = new Proxy(memory, {
    get(target, name) {
      if (name === 'commit') {
        return (commits: readonly TaskCommit[]) => {
          const real = () => target.commit(commits)
          return faults.commit?.(commits, real) ?? real()
        }
      }
      if (name === 'taskState') {
        return (task: TaskId) => {
          faults.taskState?.(task)
          return target.taskState(task)
        }
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const topicSpec = (use: TopicUse) => ({
    name: use.name,
    partitions: 2,
    cleanup: use.cleanup,
    timestamps: use.timestamps,
    retentionMs: Number.POSITIVE_INFINITY,
    retentionBytes: Number.POSITIVE_INFINITY,
  })
  const streams = new Streams({ application: 'test', topologies: [remembering], log, clock, topicSpec })
  await streams.open()
  await streams.ready()
  const runner = streams.runner('remembering')
  const append = async (partition: number, value: string): Promise<void> => {
    const record = {
      topic: 'lines',
      partition,
      key: Buffer.from('k'),
      value: Buffer.from(value),
      timestamp: START,
    }
    await memory.append([{ ...record, lineage: { eventId: 'e' }, headers: [] }])
  }
  /** Tasks whose time has come are open again, or refused again, before the others go on. */
  const settle = async (): Promise<void> => {
    await runner.step()
    await runner.ready().catch(() => undefined)
    while (await runner.step());
    await runner.commitNow()
  }
  return { clock, memory, runner, append, settle, streams }
}

const written = (memory: MemoryLog) => memory.records('copies').map(({ value }) => value?.toString())

test('a commit whose outcome is not known: the task goes on from what the log has, and so does its progress', async () => {
  let unknown = true
  const { clock, memory, runner, append, settle, streams } = await open({
    async commit(_commits, real) {
      const receipts = await real()
      if (unknown) {
        unknown = false
        throw new StreamsError('COMMIT_UNKNOWN', 'the answer was lost')
      }
      return receipts
    },
  })
  await append(0, 'a')
  await settle()
  expect(runner.progress.position('lines', 0)).toBe(0)
  clock.advance(1_000)
  await settle()
  expect(runner.progress.position('lines', 0)).toBe(1)
  await append(0, 'b')
  await settle()
  expect(written(memory)).toEqual(['a', 'b'])
  await streams.close()
})

test('a commit that failed cleanly: the records come again, once', async () => {
  let failing = true
  const { clock, memory, append, settle, streams } = await open({
    async commit(_commits, real) {
      if (failing) {
        failing = false
        throw new StreamsError('LOG_WRITE_FAILED', 'disk')
      }
      return real()
    },
  })
  await append(0, 'a')
  await append(1, 'b')
  await settle()
  expect(written(memory)).toEqual([])
  clock.advance(1_000)
  await settle()
  expect(written(memory)).toEqual(['a', 'b'])
  await streams.close()
})

test('a task that cannot be opened again at once is tried until it can', async () => {
  let failing = true
  let refused = 2
  const { clock, memory, runner, append, settle, streams } = await open({
    async commit(_commits, real) {
      if (failing) {
        failing = false
        throw new StreamsError('LOG_WRITE_FAILED', 'disk')
      }
      return real()
    },
    taskState({ partition }) {
      if (!failing && partition === 0 && refused-- > 0) throw new StateError('STATE_IO', 'disk')
    },
  })
  await append(0, 'a')
  await settle()
  clock.advance(1_000)
  await settle()
  expect(runner.notRunning).toEqual([{ topology: 'remembering', subTopology: 0, partition: 0 }])
  clock.advance(1_000)
  await settle()
  clock.advance(1_000)
  await settle()
  expect(written(memory)).toEqual(['a'])
  expect(runner.notRunning).toEqual([])
  await streams.close()
})

test('a task whose batch cannot be sealed fails alone; the others commit, now and later', async () => {
  const { memory, runner, append, settle, streams } = await open({})
  await append(0, 'a')
  await append(1, 'b')
  while (await runner.step());
  const [broken] = runner.tasks
  if (broken !== undefined) {
    broken.state.seal = () => {
      throw new StateError('STATE_CORRUPT', 'a damaged row')
    }
  }
  await runner.commitNow()
  expect(written(memory)).toEqual(['b'])
  expect(broken?.failure).toMatchObject({ code: 'STATE_CORRUPT' })
  await append(1, 'c')
  await settle()
  expect(written(memory)).toEqual(['b', 'c'])
  await streams.close()
})

test('a failed task does not keep the runner awake', async () => {
  const { runner, append, streams } = await open({
    commit: () => Promise.reject(new StreamsError('COMMIT_FENCED', 'another owner')),
  })
  await append(0, 'a')
  while (await runner.step());
  await runner.commitNow()
  const failed = runner.tasks.find((task) => task.failure !== undefined)
  expect(failed?.nextWallWork()).toBe(Number.POSITIVE_INFINITY)
  await streams.close()
})
