/** What the engine does as tasks come and go: the rest goes on, and every row comes back from the changelogs. */
import { describe, expect, test } from 'vitest'
import { keys, keyValueStore, serdes, type StateBackend, StateError } from '../../state/index.ts'
import {
  changelogTopic,
  processor,
  shape,
  Streams,
  StreamsError,
  type StreamsHooks,
  type TaskId,
  taskName,
  TaskNotHere,
  TOMBSTONE_RETENTION_MS,
  topology,
  type TopicUse,
} from '../../streams/index.ts'
import { ManualClock, MemoryStateDirectory } from '../../testing/index.ts'
import { guidedLog } from '../support/guided-log.ts'
import { stringTopic } from '../support/topics.ts'

const START = Date.UTC(2026, 0, 1)
const HOUR = 3_600_000
const lines = stringTopic('lines')
const counts = stringTopic('counts')
const seen = keyValueStore({ name: 'seen', key: keys.string, value: serdes.json<number>() })

const count = processor({
  name: 'count',
  input: shape<string, string>(),
  stores: { seen },
  outputs: { out: shape<string, string>() },
  process(record, { stores, emit }) {
    const now = (stores.seen.get(record.key) ?? 0) + 1
    stores.seen.put(record.key, now)
    emit.out(record.key, `${record.key}${now}`)
  },
})
const counting = topology('counting', (t) => {
  t.stream(lines).process(count).out.to(counts)
})

const zero: TaskId = { topology: 'counting', subTopology: 0, partition: 0 }
const one: TaskId = { topology: 'counting', subTopology: 0, partition: 1 }
const changelog = changelogTopic('test', zero, 'seen')
/** A key of each partition. */
const KEYS = ['k', 'l'] as const

/** Databases that can be found damaged. */
class FragileDirectory extends MemoryStateDirectory {
  damage: (task: TaskId) => Error | undefined = () => undefined
  onSetAside: (task: TaskId) => void = () => {}

  override open(task: TaskId): Promise<StateBackend> {
    const damage = this.damage(task)
    return damage === undefined ? super.open(task) : Promise.reject(damage)
  }

  override setAside(task: TaskId): Promise<void> {
    this.onSetAside(task)
    return super.setAside(task)
  }
}

class Rig {
  readonly clock = new ManualClock(START)
  readonly log = guidedLog(() => this.clock.now())
  readonly directory = new FragileDirectory()
  readonly events: string[] = []
  streams: Streams

  constructor() {
    this.streams = this.#makeStreams()
  }

  #makeStreams(): Streams {
    const hooks: Partial<StreamsHooks> = {
      onRestored: (task, records) => this.events.push(`${taskName(task)} restored ${records}`),
      onTaskRefused: (_task, cause) => this.events.push((cause as StreamsError).code),
    }
    const topicSpec = (use: TopicUse) => ({
      name: use.name,
      partitions: 2,
      cleanup: use.cleanup,
      timestamps: use.timestamps,
      retentionMs: Number.POSITIVE_INFINITY,
      retentionBytes: Number.POSITIVE_INFINITY,
    })
    const { log, clock, directory: stateDirectory } = this
    return new Streams({
      application: 'test',
      topologies: [counting],
      log,
      clock,
      hooks,
      stateDirectory,
      topicSpec,
    })
  }

  static async open(): Promise<Rig> {
    const rig = new Rig()
    await rig.streams.open()
    return rig
  }

  get runner() {
    return this.streams.runner('counting')
  }

  async append(partition: number, times = 1): Promise<void> {
    const key = Buffer.from(KEYS[partition] ?? '')
    const lineage = { eventId: 'e' }
    const record = { topic: 'lines', partition, key, value: Buffer.from('x'), timestamp: START }
    await this.log.memory.append(Array.from({ length: times }, () => ({ ...record, lineage, headers: [] })))
  }

  async turn(): Promise<void> {
    while (await this.runner.step());
  }

  async settle(): Promise<void> {
    await this.turn()
    await this.runner.commitNow()
  }

  written(): string[] {
    return this.log.memory.records('counts').map(({ value }) => value?.toString() ?? '')
  }

  /** As a new process on the same disk. */
  async restart(): Promise<void> {
    await this.streams.close()
    this.streams = this.#makeStreams()
    await this.streams.open()
  }
}

describe('an assignment', () => {
  test('leaves the tasks it keeps running while a new one restores', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero, one])
    await rig.runner.ready()
    await rig.append(1)
    await rig.settle()
    await rig.log.assign([zero])
    rig.directory.clear()
    const release = rig.log.hold(changelog)
    await rig.log.assign([zero, one])
    expect(rig.runner.notRunning).toEqual([one])
    await rig.append(0)
    await rig.append(1)
    await rig.settle()
    expect(rig.written()).toEqual(['l1', 'k1'])
    release()
    await rig.runner.ready()
    await rig.settle()
    expect(rig.written()).toEqual(['l1', 'k1', 'l2'])
    await rig.streams.close()
  })

  test('announces itself: records are processed until it is there, and nothing is committed', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero, one])
    await rig.runner.ready()
    await rig.append(0)
    await rig.turn()
    await rig.log.listener.rebalancing()
    expect(await rig.runner.commitNow()).toBe(false)
    await rig.append(0)
    await rig.turn()
    expect(rig.written()).toEqual([])
    await rig.log.assign([zero, one])
    await rig.settle()
    expect(rig.written()).toEqual(['k1', 'k2'])
    await rig.streams.close()
  })

  test('drops what left, with all that was not committed', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero, one])
    await rig.runner.ready()
    await rig.append(0)
    await rig.turn()
    await rig.log.assign([one])
    expect(rig.runner.tasks.map(({ task }) => task)).toEqual([one])
    expect(await rig.runner.commitNow()).toBe(false)
    await rig.log.assign([zero, one])
    await rig.runner.ready()
    await rig.settle()
    expect(rig.written()).toEqual(['k1'])
    await rig.streams.close()
  })

  test('says who has the tasks that are elsewhere', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero], { peers: [{ address: 'http://10.0.0.2:3000', tasks: [one] }] })
    await rig.runner.ready()
    const elsewhere = catching(() => rig.runner.stores.of('seen', 1))
    expect(elsewhere).toBeInstanceOf(TaskNotHere)
    expect(elsewhere).toMatchObject({ code: 'TASK_NOT_HERE', address: 'http://10.0.0.2:3000' })
    expect(rig.runner.stores.of('seen', 0).task).toEqual(zero)
    await rig.log.listener.revoked(new StreamsError('COMMIT_FENCED', 'gone'))
    expect(catching(() => rig.runner.stores.of('seen', 1))).toMatchObject({ address: undefined })
    await rig.streams.close()
  })

  test('that comes after the group went on finds every task at its last commit', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero])
    await rig.runner.ready()
    await rig.append(0)
    await rig.settle()
    await rig.append(0)
    await rig.turn()
    await rig.log.listener.revoked(new StreamsError('COMMIT_FENCED', 'the session was over'))
    expect(rig.runner.tasks).toEqual([])
    expect(rig.runner.state).toBe('joining')
    await rig.log.assign([zero])
    await rig.runner.ready()
    await rig.settle()
    expect(rig.written()).toEqual(['k1', 'k2'])
    await rig.streams.close()
  })
})

describe('a restore', () => {
  test('reads only what the disk lacks', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero])
    await rig.runner.ready()
    await rig.append(0, 3)
    await rig.settle()
    await rig.restart()
    await rig.log.assign([zero])
    await rig.runner.ready()
    expect(rig.events).toEqual(['counting.0_0 restored 0', 'counting.0_0 restored 0'])
    await rig.streams.close()
    rig.directory.clear()
    await rig.restart()
    await rig.log.assign([zero])
    await rig.runner.ready()
    expect(rig.events.at(-1)).toBe('counting.0_0 restored 1')
    await rig.streams.close()
  })

  test('that is not wanted any more ends, and is taken up again', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero])
    await rig.runner.ready()
    await rig.append(0)
    await rig.settle()
    await rig.log.assign([])
    rig.directory.clear()
    const release = rig.log.hold(changelog)
    await rig.log.assign([zero])
    await rig.log.assign([])
    expect(rig.runner.notRunning).toEqual([])
    await rig.log.assign([zero])
    release()
    await rig.runner.ready()
    await rig.append(0)
    await rig.settle()
    expect(rig.written()).toEqual(['k1', 'k2'])
    await rig.streams.close()
  })

  test('that gets nothing for half a minute is given up and tried again', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero])
    await rig.runner.ready()
    await rig.append(0)
    await rig.settle()
    await rig.log.assign([])
    rig.directory.clear()
    const release = rig.log.hold(changelog)
    await rig.log.assign([zero])
    const stuck = rig.runner.ready().catch((error: unknown) => error)
    await untilIdle()
    rig.clock.advance(30_000)
    expect(await stuck).toMatchObject({ code: 'RESTORE_STALLED' })
    release()
    rig.clock.advance(1_000)
    await rig.turn()
    await rig.runner.ready()
    await rig.append(0)
    await rig.settle()
    expect(rig.written()).toEqual(['k1', 'k2'])
    await rig.streams.close()
  })

  test('F18 of a damaged database begins with an empty one, and the damaged one is kept', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero])
    await rig.runner.ready()
    await rig.append(0)
    await rig.settle()
    await rig.streams.close()
    const aside: string[] = []
    rig.directory.damage = (task) => {
      return aside.includes(taskName(task)) ? undefined : new StateError('STATE_CORRUPT', 'a hole')
    }
    rig.directory.onSetAside = (task) => aside.push(taskName(task))
    await rig.restart()
    await rig.log.assign([zero])
    await rig.runner.ready()
    expect(aside).toEqual(['counting.0_0'])
    expect(rig.events.at(-1)).toBe('counting.0_0 restored 1')
    await rig.append(0)
    await rig.settle()
    expect(rig.written()).toEqual(['k1', 'k2'])
    await rig.streams.close()
  })

  test('F18 a row found damaged at work closes the task, which comes back whole', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero])
    await rig.runner.ready()
    await rig.append(0)
    await rig.settle()
    const [task] = rig.runner.tasks
    if (task !== undefined) {
      task.state.seal = () => {
        throw new StateError('STATE_CORRUPT', 'a row')
      }
    }
    await rig.append(0)
    await rig.settle()
    expect(rig.runner.notRunning).toEqual([zero])
    rig.clock.advance(1_000)
    await rig.turn()
    await rig.runner.ready()
    expect(rig.events.at(-1)).toBe('counting.0_0 restored 1')
    await rig.settle()
    expect(rig.written()).toEqual(['k1', 'k2'])
    await rig.streams.close()
  })

  test('of a database older than tombstones are kept begins anew', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero])
    await rig.runner.ready()
    await rig.append(0)
    await rig.settle()
    await rig.streams.close()
    rig.clock.advance(TOMBSTONE_RETENTION_MS + HOUR)
    await rig.restart()
    await rig.log.assign([zero])
    await rig.runner.ready().catch(() => undefined)
    rig.clock.advance(1_000)
    await rig.turn()
    await rig.runner.ready()
    expect(rig.events.at(-1)).toBe('counting.0_0 restored 1')
    await rig.streams.close()
  })

  test('F20 from a changelog that was made again is refused: a reset is required', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero])
    await rig.runner.ready()
    await rig.append(0)
    await rig.settle()
    await rig.streams.close()
    rig.log.recreated(changelog)
    await rig.restart()
    await rig.log.assign([zero])
    await expect(rig.runner.ready()).rejects.toMatchObject({ code: 'RESET_REQUIRED' })
    expect(rig.events.at(-1)).toBe('RESET_REQUIRED')
    expect(rig.runner.notRunning).toEqual([zero])
    await rig.streams.close()
  })

  test('F20 of state without a committed position is refused: the offsets are gone', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero])
    await rig.runner.ready()
    await rig.append(0)
    await rig.settle()
    await rig.streams.close()
    rig.log.forgetOffsets()
    await rig.restart()
    await rig.log.assign([zero])
    await expect(rig.runner.ready()).rejects.toMatchObject({ code: 'RESET_REQUIRED' })
    await rig.streams.close()
  })
})

function catching(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}

/** Everything that can go on without time or a held topic has gone on. */
async function untilIdle(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise(setImmediate)
}
