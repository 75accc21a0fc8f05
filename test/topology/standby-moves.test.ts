/**
 * Two processes that a task moves between, in any order of moves, standbys, commits, zombies and failing disks: it counts
 * on as if there were one. Chance comes from a seed; `CRASH_SEED` repeats a run.
 */
import { expect, test } from 'vitest'
import { StateError } from '../../state/index.ts'
import { StreamsError } from '../../streams/index.ts'
import { ManualClock } from '../../testing/index.ts'
import { MemoryStorage } from '../../transports/simulated/index.ts'
import { type Random, seededRandom, seedOfRun } from '../support/random.ts'
import { one, Rig, zero } from './counting-rig.ts'

const RUNS = 150
const STEPS = 40
const RETRY_MS = 5_000
const seed = seedOfRun()

test(`whatever moves where and when, every count comes once and in order (CRASH_SEED=${seed})`, async () => {
  for (let run = 0; run < RUNS; run++) {
    const random = seededRandom(seed + run)
    const { counts, appended } = await play(random)
    expect(counts, `run ${run}`).toEqual([0, 1].map((task) => countsUpTo(appended[task] as number)))
  }
}, 120_000)

async function play(random: Random) {
  const shared = { storage: new MemoryStorage(), clock: new ManualClock(Date.UTC(2026, 0, 1)) }
  const rigs = [await Rig.open(shared), await Rig.open(shared)] as const
  const appended = [0, 0]
  let [owner, spare] = rigs
  await owner.log.assign([zero, one])
  for (const { directory } of rigs) {
    directory.beforeWrite = async () => {
      await pause(random)
      if (random.chance(0.03)) throw new StateError('STATE_IO', 'no space')
    }
  }
  for (let step = 0; step < STEPS; step++) {
    const choice = random.below(10)
    if (choice < 5) {
      const partition = random.below(2)
      appended[partition] = (appended[partition] as number) + 1
      await owner.append(partition)
      if (random.chance(0.7)) await owner.settle()
    } else if (choice < 8) {
      const moves = random.chance(0.6)
      if (moves) [owner, spare] = [spare, owner]
      // Who is not told goes on as if nothing had happened: the log refuses what it commits.
      if (random.chance(0.7)) await spare.log.assign([], { standbys: some([zero, one], random) })
      // Whatever it still has, another one had in between.
      if (moves) await owner.log.listener.revoked(new StreamsError('COMMIT_FENCED', 'the group went on'))
      await owner.log.assign([zero, one])
    } else if (choice === 8) await spare.settle()
    else shared.clock.advance(RETRY_MS)
    await pause(random)
  }
  for (const { directory } of rigs) directory.beforeWrite = () => Promise.resolve()
  await spare.log.assign([])
  await owner.log.assign([zero, one])
  for (let round = 0; round < 20; round++) {
    shared.clock.advance(RETRY_MS)
    await owner.settle()
    await owner.runner.ready().catch(() => undefined)
  }
  const records = owner.log.memory.records('counts').map(({ value }) => String(value))
  const counts = ['k', 'l'].map((key) =>
    records.filter((text) => text.startsWith(key)).map((text) => text.slice(1)),
  )
  for (const { streams } of rigs) await streams.close()
  return { counts, appended }
}

function countsUpTo(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i + 1))
}

function some<T>(items: readonly T[], random: Random): T[] {
  return items.filter(() => random.chance(0.7))
}

async function pause(random: Random): Promise<void> {
  for (let i = random.below(4); i > 0; i--) await new Promise(setImmediate)
}
