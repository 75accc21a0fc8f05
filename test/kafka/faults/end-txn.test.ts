/** F9: nobody knows what became of a commit: its EndTxn, or the answer to it, was lost on the way. */
import { expect, test } from 'vitest'
import { API, type SeenRequest } from '../../support/kafka-proxy.ts'
import { seedOfRun } from '../../support/random.ts'
import { CouponRun } from './coupon-run.ts'
import { troubles } from './engines.ts'
import { proxiedBroker } from './proxied-broker.ts'
import { kafkaRuns } from './runs.ts'

const cluster = proxiedBroker()
const seed = seedOfRun()
const times = kafkaRuns(2)
const TIMEOUT_MS = 60_000 + times * 20_000
/** So long is an answer waited for that does not come. */
const TRANSACTION_TIMEOUT_MS = 3_000

const variants = [
  ['the answer is lost', 'lose answer', true],
  ['the answer is lost with its connection', 'cut', true],
  ['the request is lost', 'lose request', false],
] as const

test.each(variants)(
  `F9: ${times} × EndTxn: %s; its changes are restored, its records not processed again (CRASH_SEED=${seed})`,
  async (name, fate, isCommitted) => {
    const { bootstrap, proxy } = cluster()
    const run = await CouponRun.open({
      name: 'f9',
      seed,
      users: times * 400,
      bootstrap,
      engine: { log: { transactionTimeoutMs: TRANSACTION_TIMEOUT_MS } },
    })
    const engine = run.start('a')
    await engine.stage('ready')
    await run.openCampaigns()
    run.startLoad()
    let restored = 0
    for (let time = 0; time < times; time++) {
      await run.acceptedMore(100)
      const refused = engine.next('task', ({ code }) => code === 'COMMIT_UNKNOWN')
      await proxy.once(isEndOf('coupon-issuance'), fate)
      const { task } = await refused
      const { records } = await engine.next('restored', (line) => line.task === task)
      restored += records
      await engine.next('committed', ({ topology }) => topology === 'coupon-issuance')
    }
    console.log(`F9 ${name}: seed ${seed}: ${restored} changes restored; ${await run.finish()}`)
    if (isCommitted) expect(restored).toBeGreaterThan(0)
    else expect(restored).toBe(0)
    expect(troubles([engine])).toEqual([])
  },
  TIMEOUT_MS,
)

test(
  `F1: killed before the end of its first commit, ${times + 1} times: nothing is there, and it starts (CRASH_SEED=${seed})`,
  async () => {
    const { bootstrap, proxy } = cluster()
    const run = await CouponRun.open({ name: 'f1', seed, users: 400, bootstrap })
    const campaigns = await run.askForCampaigns()
    for (let time = 0; time <= times; time++) {
      const engine = run.start('a')
      await proxy.once(isEndOf('coupon-issuance'), 'lose request')
      await engine.kill()
    }
    const engine = run.start('a')
    await engine.stage('ready')
    await run.reached('coupon-issuance', 'coupon.campaign.requested', campaigns)
    run.startLoad()
    await run.acceptedMore(100)
    await run.finish()
    expect(troubles([engine])).toEqual([])
  },
  TIMEOUT_MS,
)

function isEndOf(topology: string) {
  return ({ api, clientId }: SeenRequest) => api === API.endTxn && clientId === `a-${topology}-commit`
}
