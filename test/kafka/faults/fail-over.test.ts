/** How soon tasks run again, in place and elsewhere: reported, not asserted. What came of it meanwhile is judged. */
import { expect, test } from 'vitest'
import { seedOfRun } from '../../support/random.ts'
import { CouponRun } from './coupon-run.ts'
import type { Engine, EngineLine } from './engine.ts'
import { everyTaskOnce, TAKEOVER_SLACK_MS, troubles } from './engines.ts'
import { kafkaRuns } from './runs.ts'

const SESSION_MS = 3_000
/** Nobody may miss a process that is started again. */
const LONG_SESSION_MS = 30_000
const seed = seedOfRun()
const times = kafkaRuns(2)

test(
  `a killed process that starts again in its place has its tasks back without a rebalance, ${times} × (CRASH_SEED=${seed})`,
  async () => {
    const engine = { log: { sessionTimeoutMs: LONG_SESSION_MS } }
    const run = await CouponRun.open({ name: 'in-place', seed, users: 800, engine })
    let a = run.start('a')
    const b = run.start('b')
    await everyTaskOnce([a, b])
    await run.openCampaigns()
    run.startLoad()
    for (let time = 0; time < times; time++) {
      await run.acceptedMore(100)
      const before = { of: [...a.running].toSorted(), others: b.assignments }
      await a.kill()
      a = run.start('a')
      await everyTaskOnce([a, b])
      expect({ of: [...a.running].toSorted(), others: b.assignments }).toEqual(before)
      console.log(`in place: ${startPhases(a)}`)
    }
    console.log(`in place: seed ${seed}: ${await run.finish()}`)
  },
  60_000 + times * 30_000,
)

test(
  `the tasks of a killed process run elsewhere soon after its session, ${times} × (CRASH_SEED=${seed})`,
  async () => {
    const engine = { log: { sessionTimeoutMs: SESSION_MS } }
    const run = await CouponRun.open({ name: 'elsewhere', seed, users: 800, engine })
    const a = run.start('a')
    let b = run.start('b')
    await everyTaskOnce([a, b])
    await run.openCampaigns()
    run.startLoad()
    for (let time = 0; time < times; time++) {
      await run.acceptedMore(100)
      const known = a.lines.length
      const killedAt = Date.now()
      await b.kill()
      await everyTaskOnce([a], { timeoutMs: SESSION_MS + TAKEOVER_SLACK_MS })
      const opened = a.lines.slice(known).filter(({ at }) => at === 'task')
      const [first, last] = [opened[0], opened.at(-1)] as [EngineLine, EngineLine]
      console.log(
        `elsewhere: first task opened ${first.ms - killedAt} ms after the kill (session ${SESSION_MS}), ` +
          `all running ${last.ms - first.ms} ms later`,
      )
      b = run.start('b')
      await everyTaskOnce([a, b])
    }
    console.log(`elsewhere: seed ${seed}: ${await run.finish()}`)
  },
  60_000 + times * 40_000,
)

test(`a process whose place another one took while it was halted stops, and says why (CRASH_SEED=${seed})`, async () => {
  const engine = { log: { sessionTimeoutMs: LONG_SESSION_MS } }
  const run = await CouponRun.open({ name: 'replaced', seed, users: 800, engine })
  const halted = run.start('a')
  await everyTaskOnce([halted])
  await run.openCampaigns()
  run.startLoad()
  await run.acceptedMore(100)
  await halted.next('committed')
  halted.halt()
  // As on another machine: what is on this one's disk is not there.
  const other = run.start('a', { directory: run.directoryOf('elsewhere') })
  await everyTaskOnce([other])
  await run.acceptedMore(100)
  halted.goOn()
  const stopped = await Promise.all(
    ['coupon-issuance', 'coupon-wallet'].map((topology) => {
      return halted.stage('runner', (line) => line.topology === topology && line.to === 'failed')
    }),
  )
  expect(stopped.map(({ code }) => code)).toEqual(['COMMIT_FENCED', 'COMMIT_FENCED'])
  await run.acceptedMore(100)
  await run.finish()
  expect(troubles([other])).toEqual([])
})

function startPhases(engine: Engine): string {
  const at = (line: EngineLine | undefined): number => line?.ms ?? Number.NaN
  const [opening] = engine.told('opening')
  const [assigned] = engine.told('runner').filter(({ to }) => to === 'running')
  const running = engine.told('task').findLast(({ to }) => to === 'running')
  return `assigned ${at(assigned) - at(opening)} ms after the start, all running ${at(running) - at(assigned)} ms later`
}
