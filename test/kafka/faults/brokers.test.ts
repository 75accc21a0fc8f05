/**
 * Three brokers. F11: one of them is killed, by what it is for; the cluster goes on, and the engine with it. F24: the
 * same at least once. F14: nobody dies, but one process and one broker do not hear each other.
 */
import { expect, onTestFinished, test } from 'vitest'
import { eventually, within } from '../../support/kafka/eventually.ts'
import type { Fate, SeenRequest } from '../../support/kafka-proxy.ts'
import { seedOfRun } from '../../support/random.ts'
import { allInSync, playing, type Role } from './broker-roles.ts'
import { CouponRun } from './coupon-run.ts'
import type { Engine, EngineOptions } from './engine.ts'
import { everyTaskOnce, troubles } from './engines.ts'
import { threeProxiedBrokers } from './proxied-broker.ts'
import { kafkaRuns } from './runs.ts'
import { tasksOf } from './shop-topics.ts'

/** Within which decisions go on after a broker was killed. */
const PROGRESS_LIMIT_MS = 60_000
const SESSION_MS = 3_000
/** Within which the others have the tasks of one that the group does not hear; a commit that hangs may come first. */
const TAKEOVER_LIMIT_MS = 40_000
const seed = seedOfRun()
const bounces = Math.ceil(kafkaRuns(1) / 4)
const times = kafkaRuns(1)

const cluster = threeProxiedBrokers()

function open(name: string, users: number, engine: Partial<EngineOptions>): Promise<CouponRun> {
  return CouponRun.open({ name, seed, users, bootstrap: cluster().bootstrap, engine })
}

/** The broker in this role dies, and comes back once decisions go on without it. Answers how long that took. */
async function bounce(role: Role, run: CouponRun, engine: Engine): Promise<string> {
  await run.acceptedMore(100)
  const id = await playing(role, run)
  const broker = cluster().brokers.find((one) => one.id === id)
  if (broker === undefined) throw new Error(`no broker is the ${role}`)
  await broker.kill()
  const begin = performance.now()
  const what = `progress after the ${role} was killed`
  // What is accepted now was not before the kill; what is committed next decides it or something after it.
  await within(PROGRESS_LIMIT_MS, what, run.acceptedMore(20))
  const decided = engine.next('committed', ({ topology }) => topology === 'coupon-issuance')
  await within(PROGRESS_LIMIT_MS, what, decided)
  const pause = performance.now() - begin
  await broker.start()
  await allInSync(run.bootstrap)
  return `${role} ${Math.round(pause)} ms`
}

test(
  `F11: ${bounces} × each: the leader, the controller, both coordinators are killed and come back (CRASH_SEED=${seed})`,
  async () => {
    const run = await open('f11', bounces * 3_000, { pipelines: ['coupons', 'ranking'] })
    const engine = run.start('a')
    await engine.stage('ready')
    await run.openCampaigns()
    run.startLoad()
    const pauses: string[] = []
    const roles: Role[] = ['leader', 'controller', "group's coordinator", "transaction's coordinator"]
    for (const role of Array.from({ length: bounces }, () => roles).flat())
      pauses.push(await bounce(role, run, engine))
    expect(troubles([engine])).toEqual([])
    console.log(`F11: seed ${seed}: ${pauses.join(', ')}: ${await run.finish()}`)
  },
  120_000 + bounces * 200_000,
)

test(
  `F24, F11: at least once, ${bounces} × the leader and the coordinator are killed: nothing is lost, what comes twice is counted (CRASH_SEED=${seed})`,
  async () => {
    const run = await open('f24', bounces * 1_500, { log: { guarantee: 'at-least-once' } })
    const engine = run.start('a')
    await engine.stage('ready')
    await run.openCampaigns()
    run.startLoad()
    const roles: Role[] = bounces === 1 ? ['leader'] : ['leader', "group's coordinator"]
    for (const role of Array.from({ length: bounces }, () => roles).flat()) await bounce(role, run, engine)
    await run.drain()
    const { complaints, repeated } = await run.judge({ repeats: true })
    expect(complaints).toEqual([])
    expect(troubles([engine])).toEqual([])
    console.log(`F24, F11: seed ${seed}: ${run.accepted.length} accepted, ${repeated} said more than once`)
  },
  60_000 + bounces * 100_000,
)

const cuts: readonly (readonly [what: string, role: Role, fate: Fate])[] = [
  ['the coordinator of its group', "group's coordinator", 'refuse'],
  ['the leader of one of its partitions', 'leader', 'refuse'],
  ['the coordinator of its group, whose connections stay open', "group's coordinator", 'half-open'],
]

test.each(cuts)(
  `F14: ${times} × a process is cut off from one broker, %s (CRASH_SEED=${seed})`,
  async (what, role, fate) => {
    const run = await open('f14', times * 800, {
      log: { sessionTimeoutMs: SESSION_MS, transactionTimeoutMs: SESSION_MS },
    })
    onTestFinished(healed)
    const [a, b] = [run.start('a'), run.start('b')]
    await everyTaskOnce([a, b])
    await run.openCampaigns()
    run.startLoad()
    for (let time = 0; time < times; time++) {
      await run.acceptedMore(50)
      const id = await playing(role, run)
      await cutOff(id, ({ clientId }) => clientId.startsWith('a-'), fate)
      if (role !== 'leader') await takenOver(b)
      await run.acceptedMore(100)
      healed()
      await everyTaskOnce([a, b])
      await run.acceptedMore(50)
    }
    expect(troubles([a, b])).toEqual([])
    console.log(`F14, ${what}: seed ${seed}: ${await run.finish()}`)
  },
  60_000 + times * 60_000,
)

/** From now on; resolves when it was felt. */
function cutOff(broker: number, wanted: (request: SeenRequest) => boolean, fate: Fate): Promise<void> {
  return new Promise((resolve) => {
    for (const proxy of cluster().proxies) {
      proxy.fateOf = (request) => {
        if (request.broker !== broker || !wanted(request)) return 'pass'
        resolve()
        return fate
      }
    }
  })
}

function healed(): void {
  for (const proxy of cluster().proxies) proxy.each(() => false, 'pass')
}

/** The group goes on without the one that it does not hear. */
async function takenOver(engine: Engine): Promise<void> {
  const mine = (): number => [...engine.running].filter((task) => task.startsWith('coupon-issuance.')).length
  const all = tasksOf(['coupons']).filter((task) => task.startsWith('coupon-issuance.')).length
  await eventually(() => mine() === all, {
    timeoutMs: TAKEOVER_LIMIT_MS,
    describe: () => `${mine()} of ${all} tasks of the coupons are taken over`,
  })
}
