/**
 * Standbys: the state of a task that runs elsewhere is kept up here, so that it runs here at once. Two processes on one
 * log, each with a disk of its own.
 */
import { expect, onTestFinished, test } from 'vitest'
import { StateError } from '../../state/index.ts'
import { StreamsError, type TaskId, TOMBSTONE_RETENTION_MS } from '../../streams/index.ts'
import { ManualClock } from '../../testing/index.ts'
import { MemoryStorage } from '../../transports/simulated/index.ts'
import { changelog, one, Rig, until, untilIdle, zero } from './counting-rig.ts'

const RETRY_MS = 5_000
const DAY_MS = 24 * 3_600_000
const NAME = 'counting.0_0'

/** One process runs both tasks; the other one has the standby of the first, and is at its end. */
async function pair({ commits = 1 } = {}) {
  const shared = { storage: new MemoryStorage(), clock: new ManualClock(Date.UTC(2026, 0, 1)) }
  const [active, spare] = [await Rig.open(shared), await Rig.open(shared)]
  onTestFinished(async () => {
    await active.streams.close()
    await spare.streams.close()
  })
  await spare.log.assign([], { standbys: [zero] })
  await active.log.assign([zero, one])
  await active.runner.ready()
  for (let commit = 0; commit < commits; commit++) await countOne(active)
  await caughtUp(spare)
  return { active, spare }
}

async function countOne(rig: Rig): Promise<void> {
  await rig.append(0)
  await rig.settle()
}

function caughtUp(rig: Rig, task: TaskId = zero): Promise<void> {
  return until(() => rig.runner.standbys.some((each) => same(each.task, task) && each.lag === 0))
}

function same(a: TaskId, b: TaskId): boolean {
  return a.subTopology === b.subTopology && a.partition === b.partition
}

function standbyStates(rig: Rig): string[] {
  return rig.runner.standbys.map(({ state }) => state)
}

/** The other process is gone: this one has the task now. */
async function takeOver(rig: Rig): Promise<void> {
  await rig.log.assign([zero])
  await rig.runner.ready()
}

/** The next batch of this process's database is on its way until the answer is called. */
function holdWrite(rig: Rig) {
  let release = (): void => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  const held = new Promise<void>((resolve) => {
    rig.directory.beforeWrite = () => {
      resolve()
      return released
    }
  })
  return { held, release }
}

test('a standby has what its task committed, and a task that takes over restores nothing', async () => {
  const { spare } = await pair({ commits: 3 })
  expect(spare.runner.notRunning).toEqual([])
  expect(spare.runner.tasks).toEqual([])
  await takeOver(spare)
  expect(spare.events.slice(-2)).toEqual([`standby ${NAME} closed`, `${NAME} restored 0`])
  await countOne(spare)
  expect(spare.written()).toEqual(['k1', 'k2', 'k3', 'k4'])
})

test('what a standby lacked when its task took over is all that is restored', async () => {
  const { active, spare } = await pair({ commits: 3 })
  const release = spare.log.hold(changelog)
  await countOne(active)
  await countOne(active)
  await untilIdle()
  expect(spare.runner.standbys).toMatchObject([{ state: 'following', lag: 2 }])
  await spare.log.assign([zero])
  release()
  await spare.runner.ready()
  expect(spare.events.at(-1)).toBe(`${NAME} restored 2`)
  await countOne(spare)
  expect(spare.written().at(-1)).toBe('k6')
})

test('a task that moved away is followed from where it was', async () => {
  const { active, spare } = await pair()
  const before = active.log.taken(changelog)
  await takeOver(spare)
  await active.log.listener.assigned({ epoch: 0, tasks: [], standbys: [zero], peers: [] })
  await countOne(spare)
  await caughtUp(active)
  expect(active.log.taken(changelog) - before).toBe(1)
  await takeOver(active)
  expect(active.events.at(-1)).toBe(`${NAME} restored 0`)
  await countOne(active)
  expect(active.written()).toEqual(['k1', 'k2', 'k3'])
})

test('a standby that becomes active in the middle of a slice ends it first: no database is open twice', async () => {
  const { active, spare } = await pair()
  const { held, release } = holdWrite(spare)
  await countOne(active)
  await held
  await spare.log.assign([zero])
  await untilIdle()
  expect(spare.runner.notRunning).toEqual([zero])
  release()
  await spare.runner.ready()
  expect(spare.events.at(-1)).toBe(`${NAME} restored 0`)
  await countOne(spare)
  expect(spare.written()).toEqual(['k1', 'k2', 'k3'])
})

test('a standby that is dropped holds nobody up, and goes on where it was', async () => {
  const { active, spare } = await pair({ commits: 2 })
  const { held, release } = holdWrite(spare)
  await countOne(active)
  await held
  await spare.log.assign([])
  expect(spare.runner.standbys).toEqual([])
  await spare.log.assign([], { standbys: [zero] })
  release()
  await caughtUp(spare)
  expect(spare.log.taken(changelog)).toBe(3)
})

test('a standby lets go of its database although the log does not say where its changelogs end', async () => {
  const { spare } = await pair()
  await spare.log.assign([])
  const bounds = spare.log.memory.bounds.bind(spare.log.memory)
  const asked = new Promise<void>((resolve) => {
    spare.log.memory.bounds = () => {
      resolve()
      return new Promise(() => {})
    }
  })
  await spare.log.assign([], { standbys: [zero] })
  await asked
  spare.log.memory.bounds = bounds
  await takeOver(spare)
  expect(spare.events.at(-1)).toBe(`${NAME} restored 0`)
})

test('a standby stays through a revocation: the changelogs are the same', async () => {
  const { active, spare } = await pair()
  await spare.log.listener.revoked(new StreamsError('COMMIT_FENCED', 'the session was over'))
  await countOne(active)
  await until(() => spare.events.filter((event) => event === `standby ${NAME} took 1`).length === 2)
  await takeOver(spare)
  expect(spare.events.at(-1)).toBe(`${NAME} restored 0`)
})

test('a process says how much it lacks of what lies on its disk', async () => {
  const { active, spare } = await pair()
  const release = spare.log.hold(changelog)
  await countOne(active)
  await countOne(active)
  await untilIdle()
  expect(await spare.log.listener.stored()).toEqual([{ task: zero, lag: 2 }])
  expect(await active.log.listener.stored()).toEqual([
    { task: zero, lag: 0 },
    { task: one, lag: 0 },
  ])
  release()
  await caughtUp(spare)
  await spare.log.assign([])
  expect(await spare.log.listener.stored()).toEqual([{ task: zero, lag: undefined }])
})

test('F1: what a task tried and never committed leaves no position in its standby', async () => {
  const { active, spare } = await pair({ commits: 0 })
  // What was aborted and its mark: offsets without a record.
  const bounds = spare.log.memory.bounds.bind(spare.log.memory)
  const openReader = spare.log.memory.openReader.bind(spare.log.memory)
  spare.log.memory.bounds = async (at) => {
    return at.topic === changelog ? { start: 0, end: 2, highWatermark: 2 } : bounds(at)
  }
  spare.log.memory.openReader = (at, from, readable) => {
    if (at.topic !== changelog) return openReader(at, from, readable)
    let position = from
    const take = () => {
      position = 2
      return []
    }
    return {
      ...at,
      end: 2,
      fault: undefined,
      get position() {
        return position
      },
      take,
      close: () => {},
    }
  }
  await spare.log.assign([])
  await spare.log.assign([], { standbys: [zero] })
  await caughtUp(spare)
  await active.log.assign([])
  await takeOver(spare)
  expect(spare.runner.notRunning).toEqual([])
})

test('F18: a damaged database is put aside, and followed anew; the tasks here notice nothing', async () => {
  const { spare, active } = await pair({ commits: 2 })
  await spare.log.assign([one])
  const aside: TaskId[] = []
  spare.directory.onSetAside = (task) => aside.push(task)
  spare.directory.damage = (task) => {
    return same(task, zero) && aside.length === 0 ? new StateError('STATE_CORRUPT', 'a hole') : undefined
  }
  await spare.log.assign([one], { standbys: [zero] })
  await caughtUp(spare)
  expect(aside).toEqual([zero])
  expect(spare.log.taken(changelog)).toBe(4)
  expect(spare.runner.notRunning).toEqual([])
  await active.log.assign([])
})

test('F19: a disk that fails ends a standby, which is tried again later; the tasks here go on', async () => {
  const { spare, active } = await pair({ commits: 1 })
  spare.directory.beforeWrite = (task) => {
    return same(task, zero) ? Promise.reject(new StateError('STATE_IO', 'no space')) : Promise.resolve()
  }
  await countOne(active)
  await until(() => standbyStates(spare).includes('failed'))
  expect(spare.events.at(-1)).toBe(`standby ${NAME} failed: STATE_IO`)
  await spare.log.assign([one], { standbys: [zero] })
  await spare.runner.ready()
  await spare.append(1)
  await spare.settle()
  expect(spare.written()).toEqual(['k1', 'k2', 'l1'])
  expect(spare.runner.state).toBe('running')
  spare.directory.beforeWrite = () => Promise.resolve()
  spare.clock.advance(RETRY_MS)
  await caughtUp(spare)
  expect(spare.events.slice(-3)).toEqual([
    `standby ${NAME} opening`,
    `standby ${NAME} following`,
    `standby ${NAME} took 1`,
  ])
})

test.each(['made again', 'truncated'])(
  'F20: a standby whose changelog was %s says that a reset is required, and is not tried again',
  async (what) => {
    const { spare, active } = await pair({ commits: 1 })
    await spare.log.assign([])
    if (what === 'made again') spare.log.recreated(changelog)
    else {
      const bounds = spare.log.memory.bounds.bind(spare.log.memory)
      spare.log.memory.bounds = async (at) => {
        const isIts = at.topic === changelog && at.partition === zero.partition
        return isIts ? { start: 10, end: 12, highWatermark: 12 } : bounds(at)
      }
    }
    await spare.log.assign([one], { standbys: [zero] })
    await until(() => standbyStates(spare).includes('failed'))
    expect(spare.events).toContain(`standby ${NAME} failed: RESET_REQUIRED`)
    spare.clock.advance(10 * RETRY_MS)
    await untilIdle()
    expect(standbyStates(spare)).toEqual(['failed'])
    await spare.runner.ready()
    expect(spare.runner.notRunning).toEqual([])
    await spare.log.assign([one])
    expect(spare.runner.standbys).toEqual([])
    await until(() => spare.events.at(-1) === `standby ${NAME} closed`)
    await active.log.assign([])
  },
)

test('F20: a standby whose changelog is truncated while it follows ends, and the tasks here go on', async () => {
  const { spare } = await pair()
  await spare.log.assign([])
  const fault = new StreamsError('OFFSET_OUT_OF_RANGE', 'its records are gone')
  const openReader = spare.log.memory.openReader.bind(spare.log.memory)
  spare.log.memory.openReader = (at, from, readable) => {
    const reader = openReader(at, from, readable)
    const isIts = at.topic === changelog && at.partition === zero.partition
    return isIts ? Object.defineProperty(reader, 'fault', { value: fault }) : reader
  }
  await spare.log.assign([one], { standbys: [zero] })
  await until(() => standbyStates(spare).includes('failed'))
  expect(spare.events).toContain(`standby ${NAME} failed: OFFSET_OUT_OF_RANGE`)
  await spare.append(1)
  await spare.runner.ready()
  await spare.settle()
  expect(spare.written()).toEqual(['k1', 'l1'])
})

test('a standby that could not read for longer than deletions are kept begins anew', async () => {
  const { spare, active } = await pair({ commits: 2 })
  const release = spare.log.hold(changelog)
  await countOne(active)
  await untilIdle()
  const aside: TaskId[] = []
  spare.directory.onSetAside = (task) => aside.push(task)
  spare.clock.advance(TOMBSTONE_RETENTION_MS + 1)
  release()
  await until(() => standbyStates(spare).includes('failed'))
  expect(spare.events.at(-1)).toBe(`standby ${NAME} failed: STATE_CORRUPT`)
  spare.clock.advance(RETRY_MS)
  await caughtUp(spare)
  expect(aside).toEqual([zero])
})

test('a standby that gets nothing for longer than deletions are kept, and lacks nothing, goes on', async () => {
  const { spare, active } = await pair()
  for (let quiet = 0; quiet <= TOMBSTONE_RETENTION_MS; quiet += DAY_MS) {
    spare.clock.advance(DAY_MS)
    await untilIdle()
  }
  await countOne(active)
  await until(() => spare.events.filter((event) => event === `standby ${NAME} took 1`).length === 2)
  expect(standbyStates(spare)).toEqual(['following'])
})

test('a standby that the log left without an answer for longer than deletions are kept begins anew', async () => {
  const { spare, active } = await pair()
  const { memory } = spare.log
  const bounds = memory.bounds.bind(memory)
  memory.bounds = () => Promise.reject(new StreamsError('LOG_BUSY', 'no broker'))
  for (let quiet = 0; quiet <= TOMBSTONE_RETENTION_MS; quiet += DAY_MS) {
    spare.clock.advance(DAY_MS)
    await untilIdle()
  }
  memory.bounds = bounds
  await countOne(active)
  await until(() => standbyStates(spare).includes('failed'))
  expect(spare.events.at(-1)).toBe(`standby ${NAME} failed: STATE_CORRUPT`)
})

test('a process that stops closes its standbys', async () => {
  const { spare } = await pair()
  await spare.streams.close()
  expect(spare.events.at(-1)).toBe(`standby ${NAME} closed`)
  // Else the directory would refuse.
  await (await spare.directory.open(zero)).close()
})
