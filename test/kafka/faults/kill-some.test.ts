/** Some of several processes are killed or halted; the others take over, and nothing is lost or comes twice. */
import { expect, test } from 'vitest'
import { seededRandom, seedOfRun } from '../../support/random.ts'
import { CouponRun } from './coupon-run.ts'
import type { Engine } from './engine.ts'
import { everyTaskOnce, TAKEOVER_SLACK_MS, troubles } from './engines.ts'
import { kafkaRuns } from './runs.ts'

const SESSION_MS = 3_000
const seed = seedOfRun()

test(
  `F2: ${kafkaRuns(3)} kills -9 of one of three processes (CRASH_SEED=${seed})`,
  async () => {
    const kills = kafkaRuns(3)
    const run = await CouponRun.open({
      name: 'f2',
      seed,
      users: kills * 400,
      engine: { pipelines: ['coupons', 'ranking'], log: { sessionTimeoutMs: SESSION_MS } },
    })
    const random = seededRandom(seed + 1)
    const slots = ['a', 'b', 'c']
    const engines = new Map<string, Engine>(slots.map((slot) => [slot, run.start(slot)]))
    const all = () => [...engines.values()]
    await everyTaskOnce(all())
    await run.openCampaigns()
    run.startLoad()
    const takeovers: number[] = []
    const returns: number[] = []
    for (let kill = 0; kill < kills; kill++) {
      const gone = kill % 3 === 2 ? [random.pick(slots), random.pick(slots)] : [random.pick(slots)]
      await run.acceptedMore(1 + random.below(200))
      for (const slot of gone) await engines.get(slot)?.kill()
      for (const slot of gone) engines.delete(slot)
      const begin = performance.now()
      // Every third comes back before anybody misses it, and every third time there are two.
      if (kill % 3 !== 1) {
        await everyTaskOnce(all(), { timeoutMs: SESSION_MS + TAKEOVER_SLACK_MS })
        takeovers.push(performance.now() - begin)
      }
      const back = performance.now()
      for (const slot of new Set(gone)) engines.set(slot, run.start(slot))
      await everyTaskOnce(all())
      returns.push(performance.now() - back)
      expect(troubles(all())).toEqual([])
    }
    const summary = await run.finish()
    console.log(
      `F2: seed ${seed}: taken over after ${takeovers.map(Math.round).join(', ')} ms, ` +
        `shared again after ${returns.map(Math.round).join(', ')} ms: ${summary}`,
    )
  },
  120_000 + kafkaRuns(3) * 40_000,
)

test(
  `F6: ${kafkaRuns(1)} × a process is halted for longer than its session, and goes on (CRASH_SEED=${seed})`,
  async () => {
    const halts = kafkaRuns(1)
    const run = await CouponRun.open({
      name: 'f6',
      seed,
      users: halts * 800,
      engine: {
        pipelines: ['coupons', 'ranking'],
        commitIntervalMs: 50,
        log: { sessionTimeoutMs: SESSION_MS },
      },
    })
    const [a, b] = [run.start('a'), run.start('b')]
    await everyTaskOnce([a, b])
    await run.openCampaigns()
    run.startLoad()
    for (let halt = 0; halt < halts; halt++) {
      await run.acceptedMore(100)
      await b.next('committed')
      b.halt()
      await everyTaskOnce([a], { timeoutMs: SESSION_MS + TAKEOVER_SLACK_MS })
      await run.acceptedMore(200)
      const before = a.assignments + b.assignments
      const revoked = b.next('revoked')
      b.goOn()
      await revoked
      await everyTaskOnce([a, b])
      await run.acceptedMore(200)
      await everyTaskOnce([a, b])
      // A task that moves back starts once, and no other starts at all.
      const [there, back] = [a.assignments + b.assignments - before, b.running.size]
      expect(there).toBeLessThanOrEqual(back)
    }
    expect(troubles([a, b])).toEqual([])
    console.log(`F6: seed ${seed}: ${await run.finish()}`)
  },
  120_000 + kafkaRuns(1) * 40_000,
)

test.each([
  ['keeps its place meanwhile', false],
  ['leaves, and joins again', true],
])(
  `F15: rolling restart of three processes; each %s (CRASH_SEED=${seed})`,
  async (how, leaves) => {
    const rounds = Math.ceil(kafkaRuns(1) / 2)
    const run = await CouponRun.open({
      name: 'f15',
      seed,
      users: rounds * 900,
      engine: { pipelines: ['coupons', 'ranking'], log: { sessionTimeoutMs: 10_000, leaves } },
    })
    const engines = new Map<string, Engine>(['a', 'b', 'c'].map((slot) => [slot, run.start(slot)]))
    const all = () => [...engines.values()]
    await everyTaskOnce(all())
    await run.openCampaigns()
    run.startLoad()
    for (let round = 0; round < rounds; round++) {
      for (const [slot, engine] of engines) {
        await run.acceptedMore(50)
        expect(await engine.stop()).toMatchObject({ code: 0 })
        expect(troubles([engine])).toEqual([])
        engines.set(slot, run.start(slot))
        await everyTaskOnce(all())
      }
    }
    expect(troubles(all())).toEqual([])
    expect(all().flatMap((engine) => engine.told('revoked'))).toEqual([])
    console.log(`F15, ${how}: seed ${seed}: ${rounds} rounds: ${await run.finish()}`)
  },
  120_000 + kafkaRuns(1) * 60_000,
)
