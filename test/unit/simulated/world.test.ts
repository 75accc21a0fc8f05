/** The simulated world by itself: order of events, what a kill and a halt do, what a disk keeps. */
import { describe, expect, test } from 'vitest'
import type { WriteOp } from '../../../state/index.ts'
import type { TaskId } from '../../../streams/index.ts'
import { Scheduler, SimulatedWorld } from '../../../transports/simulated/index.ts'

const task: TaskId = { topology: 'orders', subTopology: 0, partition: 0 }
const FOREVER = Number.POSITIVE_INFINITY

function put(key: string): WriteOp {
  return { type: 'put', key: Buffer.from(key), value: Buffer.from(`value of ${key}`) }
}

async function done<T>({ scheduler }: SimulatedWorld, work: Promise<T>): Promise<T> {
  let isOver = false
  const end = (): void => {
    isOver = true
  }
  work.then(end, end)
  await scheduler.runUntil(() => isOver, FOREVER)
  return work
}

describe('virtual time', () => {
  test('runs events by their time, and those of one moment in the order in which they were planned', async () => {
    const scheduler = new Scheduler()
    const seen: string[] = []
    for (const [ms, name] of [
      [5, 'late'],
      [1, 'first'],
      [1, 'second'],
      [3, 'never'],
    ] as const) {
      const cancel = scheduler.plan(ms, () => seen.push(`${name} at ${scheduler.now}`))
      if (name === 'never') cancel()
    }
    expect(await scheduler.runUntil(() => false, FOREVER)).toBe(false)
    expect(seen).toEqual(['first at 1', 'second at 1', 'late at 5'])
  })

  test('lets everything that an event set off happen before the next', async () => {
    const scheduler = new Scheduler()
    const seen: number[] = []
    const chain = async (): Promise<void> => {
      for (let i = 0; i < 50; i++) await Promise.resolve()
      seen.push(1)
    }
    scheduler.plan(1, () => void chain())
    scheduler.plan(1, () => seen.push(2))
    await scheduler.runUntil(() => false, FOREVER)
    expect(seen).toEqual([1, 2])
  })

  test('stands at the limit when nothing is left before it', async () => {
    const scheduler = new Scheduler()
    scheduler.plan(500, () => {})
    await scheduler.runUntil(() => false, 100)
    expect(scheduler.now).toBe(100)
  })
})

describe('a process', () => {
  test('that is killed does nothing any more', async () => {
    const world = new SimulatedWorld({ seed: 1 })
    const process = world.process('a')
    let ran = 0
    process.clock.after(10, () => ran++)
    world.scheduler.plan(5, () => process.kill())
    await world.scheduler.runUntil(() => false, 100)
    expect(ran).toBe(0)
  })

  test('that is halted does everything once it goes on, in order', async () => {
    const world = new SimulatedWorld({ seed: 1 })
    const process = world.process('a')
    const seen: string[] = []
    for (const ms of [10, 20]) process.clock.after(ms, () => seen.push(`${ms} at ${world.scheduler.now}`))
    world.scheduler.plan(5, () => process.halt())
    world.scheduler.plan(50, () => process.resume())
    await world.scheduler.runUntil(() => false, 100)
    expect(seen).toEqual(['10 at 50', '20 at 50'])
  })

  test('has a system clock that jumps, and a monotonic one that does not', async () => {
    const process = new SimulatedWorld({ seed: 1 }).process('a')
    const before = [process.clock.now(), process.clock.monotonic()]
    process.jump(-60_000)
    expect([process.clock.now(), process.clock.monotonic()]).toEqual([(before[0] ?? 0) - 60_000, before[1]])
  })
})

describe('a disk', () => {
  /** Writes batches a, b, c …, and kills whoever wrote them. */
  async function written(world: SimulatedWorld, keys: readonly string[]): Promise<void> {
    const process = world.process('writer')
    const backend = await done(world, world.stateDirectory(process, 'm').open(task))
    for (const key of keys) await done(world, backend.write([put(key)]))
    process.kill()
  }

  async function kept(world: SimulatedWorld, keys: readonly string[]): Promise<string[]> {
    const backend = await done(world, world.stateDirectory(world.process('reader'), 'm').open(task))
    return keys.filter((key) => backend.get(Buffer.from(key)) !== undefined)
  }

  const keys = ['a', 'b', 'c', 'd', 'e', 'f']

  test('keeps everything over a kill', async () => {
    const world = new SimulatedWorld({ seed: 1 })
    await written(world, keys)
    expect(await kept(world, keys)).toEqual(keys)
  })

  test('keeps a prefix over a power cut', async () => {
    const lengths = new Set<number>()
    for (let seed = 1; seed <= 20; seed++) {
      const world = new SimulatedWorld({ seed })
      await written(world, keys)
      await world.disk('m').powerCut(false)
      const left = await kept(world, keys)
      expect(left).toEqual(keys.slice(0, left.length))
      lengths.add(left.length)
    }
    expect(lengths.size).toBeGreaterThan(2)
  })

  test('that is torn shows the hole when it is opened', async () => {
    const outcomes = new Set<string>()
    for (let seed = 1; seed <= 40; seed++) {
      const world = new SimulatedWorld({ seed })
      await written(world, keys)
      await world.disk('m').powerCut(true)
      outcomes.add(
        await kept(world, keys).then(
          () => 'opened',
          (error: { code: string }) => error.code,
        ),
      )
    }
    expect([...outcomes].toSorted()).toEqual(['STATE_CORRUPT', 'opened'])
  })

  test('is open once at most while its process lives', async () => {
    const world = new SimulatedWorld({ seed: 1 })
    const directory = world.stateDirectory(world.process('a'), 'm')
    await done(world, directory.open(task))
    await expect(done(world, directory.open(task))).rejects.toMatchObject({ code: 'STATE_LOCKED' })
  })

  test('that is full takes no batch, and takes them again once there is room', async () => {
    const world = new SimulatedWorld({ seed: 1 })
    const directory = world.stateDirectory(world.process('a'), 'm')
    const backend = await done(world, directory.open(task))
    world.disk('m').isFull = true
    await expect(done(world, backend.write([put('a')]))).rejects.toMatchObject({ code: 'STATE_IO' })
    world.disk('m').isFull = false
    await backend.close()
    const again = await done(world, directory.open(task))
    await done(world, again.write([put('b')]))
    expect(again.get(Buffer.from('b'))).toBeDefined()
  })
})

describe('retention', () => {
  test('leaves what a group that has no position yet has to read', async () => {
    const readers = (): readonly string[] => ['quick', 'slow']
    const world = new SimulatedWorld({ seed: 1, faults: ['retention'], brokers: 1, readers })
    const opened = world.openLog(world.process('client'), { application: 'a', slot: 'client' })
    const log = await done(world, opened)
    const kept = { retentionMs: FOREVER, retentionBytes: FOREVER, cleanup: 'delete' } as const
    const topic = { name: 'orders', partitions: 1, timestamps: 'CreateTime', ...kept } as const
    await done(world, log.ensureTopics([topic]))
    const lineage = { eventId: '01977000-0000-7000-8000-000000000001' }
    const record = { topic: 'orders', partition: 0, key: null, value: Buffer.from('1'), timestamp: 1 }
    await done(world, log.append([{ ...record, lineage, headers: [] }]))
    const reads = (group: string): void =>
      world.brokers.group(group).positions.commit(new Map([['orders-0', { offset: 1, metadata: null }]]))
    const partition = world.brokers.topics.partition('orders-0')
    world.beginStorm()
    reads('quick')
    await world.scheduler.runUntil(() => false, world.scheduler.now + 60_000)
    expect(partition?.start).toBe(0)
    reads('slow')
    await world.scheduler.runUntil(() => false, world.scheduler.now + 60_000)
    expect(partition?.start).toBe(1)
    world.endStorm()
    await done(world, log.close())
  })
})
