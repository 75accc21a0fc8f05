/** kill -9 of the engine at random points while orders run, judged by plain books over the log. */
import { expect, test, vi } from 'vitest'
import { crashRuns, seededRandom, seedOfRun } from '../support/random.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { type KillPlan } from './kill-switch.ts'
import { OrderRun } from './order-run.ts'

const ORDERS_PER_KILL = 6
/** Acknowledgements of one life at most. */
const MOST_EVENTS = 12

const seed = seedOfRun()
const kills = crashRuns(5)

vi.setConfig({ testTimeout: 400_000 + kills * 20_000 })

test(`I10 to I21, I24: ${kills} kills -9 while orders run leave none between states, nothing of those that failed, and books that add up (CRASH_SEED=${seed})`, async () => {
  const directory = await scratchDirectory('orders')
  const run = new OrderRun(directory, seed, kills * ORDERS_PER_KILL, seededRandom(seed))
  await run.open()
  const plans = seededRandom(seed + 1)
  for (let kill = 0; kill < kills; kill++) await run.untilKilled(planOf(plans))
  const { complaints, states, records } = await run.finish()

  const ended = [...states].map(([state, count]) => `${state} ${count}`).join(', ')
  console.log(`seed ${seed}: ${kills} kills (${run.summary}), ${records} records, ${ended}`)
  expect(complaints).toEqual([])
  expect(states.get('COMPLETED')).toBeGreaterThan(0)
})

/** One in ten hits a process that is still starting. */
function planOf(random: ReturnType<typeof seededRandom>): KillPlan {
  if (random.chance(0.1)) return { trigger: random.pick(['opening', 'opened']), count: 1 }
  return { trigger: random.pick(['sent', 'acknowledged']), count: 1 + random.below(MOST_EVENTS) }
}
