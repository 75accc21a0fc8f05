/** What the engine does as tasks come and go: the rest goes on, and every row comes back from the changelogs. */
import { describe, expect, test } from 'vitest'
import { StateError } from '../../state/index.ts'
import { StreamsError, taskName, TaskNotHere, TOMBSTONE_RETENTION_MS } from '../../streams/index.ts'
import { MemoryStorage } from '../../transports/simulated/index.ts'
import { changelog, one, Rig, untilIdle, zero } from './counting-rig.ts'

const HOUR = 3_600_000

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

  test('that was revoked answers nothing, also while a commit still waits for the log', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero])
    await rig.runner.ready()
    const { promise: held, resolve: release } = Promise.withResolvers<never[]>()
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
    rig.log.memory.commit = () => {
      ask()
      return held
    }
    await rig.append(0)
    await rig.turn()
    const commit = rig.runner.commitNow()
    await asked
    const revoked = rig.log.listener.revoked(new StreamsError('COMMIT_FENCED', 'no answer'))
    expect(catching(() => rig.runner.stores.of('seen', 0))).toMatchObject({ code: 'TASK_NOT_HERE' })
    release([])
    await Promise.all([commit, revoked])
    await rig.streams.close()
  })

  test('that comes after the group went on finds every task at its last commit', async () => {
    const rig = await Rig.open()
    await countOne(rig)
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

describe('a database that fails', () => {
  const full = new StateError('STATE_IO', 'no space')

  test('F19: as it is closed neither holds up the assignment nor ends the topology', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero, one])
    await rig.runner.ready()
    rig.directory.beforeClose = () => Promise.reject(full)
    await rig.log.assign([one])
    expect(rig.events.at(-1)).toBe('counting.0_0 closed badly: STATE_IO')
    rig.directory.beforeClose = () => Promise.resolve()
    await rig.log.assign([zero, one])
    await rig.runner.ready()
    await rig.append(0)
    await rig.settle()
    expect(rig.written()).toEqual(['k1'])
    await rig.streams.close()
  })

  test('F19: with the rows of a commit answers nobody before they are there, also where it closes badly', async () => {
    const rig = await Rig.open()
    await rig.log.assign([zero])
    await rig.runner.ready()
    rig.directory.beforeWrite = () => Promise.reject(full)
    rig.directory.beforeClose = () => Promise.reject(full)
    await rig.append(0)
    await rig.settle()
    expect(rig.written()).toEqual(['k1'])
    expect(rig.runner.progress.position('lines', 0)).toBe(0)
    rig.directory.beforeWrite = () => Promise.resolve()
    await tryAgain(rig)
    expect(rig.events).toContain('counting.0_0 closed badly: STATE_IO')
    expect(rig.events.at(-1)).toBe('counting.0_0 restored 1')
    expect(rig.runner.progress.position('lines', 0)).toBe(1)
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
    await countOne(rig)
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
    await countOne(rig)
    await rig.log.assign([])
    rig.directory.clear()
    const release = rig.log.hold(changelog)
    await rig.log.assign([zero])
    const stuck = rig.runner.ready().catch((error: unknown) => error)
    await untilIdle()
    rig.clock.advance(30_000)
    expect(await stuck).toMatchObject({ code: 'RESTORE_STALLED' })
    release()
    await tryAgain(rig)
    await rig.append(0)
    await rig.settle()
    expect(rig.written()).toEqual(['k1', 'k2'])
    await rig.streams.close()
  })

  test('F18 of a damaged database begins with an empty one, and the damaged one is kept', async () => {
    const rig = await Rig.open()
    await countOne(rig)
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
    await countOne(rig)
    const [task] = rig.runner.tasks
    if (task !== undefined) {
      task.state.seal = () => {
        throw new StateError('STATE_CORRUPT', 'a row')
      }
    }
    await rig.append(0)
    await rig.settle()
    expect(rig.runner.notRunning).toEqual([zero])
    await tryAgain(rig)
    expect(rig.events.at(-1)).toBe('counting.0_0 restored 1')
    await rig.settle()
    expect(rig.written()).toEqual(['k1', 'k2'])
    await rig.streams.close()
  })

  test('of a database that lacks something, and is older than tombstones are kept, begins anew', async () => {
    const [rig, other] = await sharing()
    await countOne(rig)
    await rig.log.assign([])
    await other.log.assign([zero])
    await other.runner.ready()
    await other.appendKeys(2)
    await other.settle()
    rig.clock.advance(TOMBSTONE_RETENTION_MS + HOUR)
    await rig.log.assign([zero])
    await expect(rig.runner.ready()).rejects.toMatchObject({ code: 'STATE_CORRUPT' })
    await tryAgain(rig)
    expect(rig.events.at(-1)).toBe('counting.0_0 restored 3')
    await rig.streams.close()
    await other.streams.close()
  })

  test('of a database that lacks nothing is done, however long nothing was written', async () => {
    const rig = await Rig.open()
    await countOne(rig)
    rig.clock.advance(TOMBSTONE_RETENTION_MS + HOUR)
    await rig.restart()
    await rig.log.assign([zero])
    await rig.runner.ready()
    expect(rig.events.at(-1)).toBe('counting.0_0 restored 0')
    await rig.streams.close()
  })

  test('that was interrupted makes a database no younger: it may still miss deletions', async () => {
    const [rig, other] = await sharing()
    await countOne(rig)
    await rig.log.assign([])
    await other.log.assign([zero])
    await other.runner.ready()
    // More than one slice.
    await other.appendKeys(2_500)
    await other.settle()
    rig.clock.advance(TOMBSTONE_RETENTION_MS - HOUR)
    let writes = 0
    rig.directory.beforeWrite = () => {
      return ++writes === 2 ? Promise.reject(new StateError('STATE_IO', 'no space')) : Promise.resolve()
    }
    await rig.log.assign([zero])
    await expect(rig.runner.ready()).rejects.toMatchObject({ code: 'STATE_IO' })
    await rig.log.assign([])
    rig.clock.advance(2 * HOUR)
    await rig.log.assign([zero])
    await expect(rig.runner.ready()).rejects.toMatchObject({ code: 'STATE_CORRUPT' })
    await tryAgain(rig)
    expect(rig.events.at(-1)).toBe('counting.0_0 restored 2501')
    await rig.streams.close()
    await other.streams.close()
  })

  test('F20 from a changelog that was made again is refused: a reset is required', async () => {
    const rig = await Rig.open()
    await countOne(rig)
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
    await countOne(rig)
    await rig.streams.close()
    rig.log.forgetOffsets()
    await rig.restart()
    await rig.log.assign([zero])
    await expect(rig.runner.ready()).rejects.toMatchObject({ code: 'RESET_REQUIRED' })
    await rig.streams.close()
  })
})

/** The task opens, and counts a record. */
async function countOne(rig: Rig): Promise<void> {
  await rig.log.assign([zero])
  await rig.runner.ready()
  await rig.append(0)
  await rig.settle()
}

/** What did not open is tried again after a second. */
async function tryAgain(rig: Rig): Promise<void> {
  rig.clock.advance(1_000)
  await rig.turn()
  await rig.runner.ready()
}

/** Two processes on one log. */
async function sharing(): Promise<[Rig, Rig]> {
  const storage = new MemoryStorage()
  const rig = await Rig.open({ storage })
  return [rig, await Rig.open({ storage, clock: rig.clock })]
}

function catching(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}
