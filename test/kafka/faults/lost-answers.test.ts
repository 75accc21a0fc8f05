/** Requests of a commit, and answers to them, that are lost on the way: nobody knows what became of it. */
import { describe, expect, test } from 'vitest'
import { API, type SeenRequest } from '../../support/kafka-proxy.ts'
import { readCommitted } from '../../support/kafka/oracle.ts'
import { seedOfRun } from '../../support/random.ts'
import { CouponRun } from './coupon-run.ts'
import { troubles } from './engines.ts'
import { proxiedBroker } from './proxied-broker.ts'
import { kafkaRuns } from './runs.ts'

const seed = seedOfRun()
const times = kafkaRuns(1)
const TIMEOUT_MS = 90_000 + times * 60_000
/** So long is an answer waited for that does not come. */
const TRANSACTION_TIMEOUT_MS = 3_000
/** In an answer to EndTxn: after length, correlation id, tags of the header, and throttle time. */
const END_ERROR_AT = 13
const V1_ONLY = ['addPartitionsToTxn', 'addOffsetsToTxn'] as const
const ALWAYS = ['produce', 'txnOffsetCommit'] as const
const DECISIONS = ['coupon.issued', 'coupon.issue.rejected']

describe.each([1, 2])('Transactions V%i', (version) => {
  const cluster = proxiedBroker({ features: { 'transaction.version': version === 1 ? 0 : 2 } })

  async function started() {
    const { bootstrap, proxy } = cluster()
    const engine = { log: { transactionTimeoutMs: TRANSACTION_TIMEOUT_MS } }
    const run = await CouponRun.open({ name: 'lost', seed, users: times * 400 + 200, bootstrap, engine })
    const a = run.start('a')
    await a.stage('ready')
    await run.openCampaigns()
    run.startLoad()
    return { run, a, proxy }
  }

  test(
    `F9: ${times} × EndTxn, or the answer to it, is lost: what was committed is read back, nothing is processed again (CRASH_SEED=${seed})`,
    async () => {
      const { run, a, proxy } = await started()
      const restored = { 'lose answer': 0, cut: 0, 'lose request': 0 }
      const lose = async (fate: keyof typeof restored): Promise<void> => {
        await run.acceptedMore(50)
        const refused = a.next('task', ({ code }) => code === 'COMMIT_UNKNOWN')
        await proxy.once(isOfIssuance(API.endTxn), fate)
        const { task } = await refused
        restored[fate] += (await a.next('restored', (line) => line.task === task)).records
        await a.next('committed', ({ topology }) => topology === 'coupon-issuance')
      }
      for (let time = 0; time < times; time++) {
        await lose('lose answer')
        await lose('cut')
      }
      // Nothing was written twice.
      await run.drain()
      expect(await abortedIn(run.bootstrap, DECISIONS)).toBe(0)
      run.startLoad()
      for (let time = 0; time < times; time++) await lose('lose request')
      console.log(`F9, V${version}: ${JSON.stringify(restored)} changes restored; ${await run.finish()}`)
      expect(restored['lose answer']).toBeGreaterThan(0)
      expect(restored['cut']).toBeGreaterThan(0)
      expect(restored['lose request']).toBe(0)
      expect(await abortedIn(run.bootstrap, DECISIONS)).toBeGreaterThan(0)
      expect(troubles([a])).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    `F8: ${times} × EndTxn is held up until its client has given up, and comes while the next transaction is open: it is refused (CRASH_SEED=${seed})`,
    async () => {
      const { run, a, proxy } = await started()
      for (let time = 0; time < times; time++) {
        await run.acceptedMore(50)
        const unknown = a.next('task', ({ code }) => code === 'COMMIT_UNKNOWN')
        const late = await proxy.putAside(isOfIssuance(API.endTxn))
        await unknown
        const next = await proxy.hold(isOfIssuance(API.txnOffsetCommit))
        const answer = await late.deliver()
        expect(answer.readInt16BE(END_ERROR_AT)).not.toBe(0)
        next.letGo()
        await a.next('committed', ({ topology }) => topology === 'coupon-issuance')
      }
      console.log(`F8, V${version}: ${await run.finish()}`)
      expect(troubles([a])).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    `F10: ${times} × the answer to each other request of a commit is lost, alone and with its connection (CRASH_SEED=${seed})`,
    async () => {
      const { run, a, proxy } = await started()
      const apis = version === 1 ? [...V1_ONLY, ...ALWAYS] : ALWAYS
      for (const api of Array.from({ length: times }, () => apis).flat()) {
        for (const fate of ['lose answer', 'cut'] as const) {
          await run.acceptedMore(20)
          await proxy.once(isOfIssuance(API[api]), fate)
          await a.next('committed', ({ topology }) => topology === 'coupon-issuance')
        }
      }
      console.log(`F10, V${version}: ${await run.finish()}`)
      expect(troubles([a])).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    `F1: killed before the end of its first commit, ${times + 2} times: nothing is there, and it starts (CRASH_SEED=${seed})`,
    async () => {
      const { bootstrap, proxy } = cluster()
      const run = await CouponRun.open({ name: 'f1', seed, users: 400, bootstrap })
      const campaigns = await run.askForCampaigns()
      for (let time = 0; time < times + 2; time++) {
        const engine = run.start('a')
        await proxy.once(isOfIssuance(API.endTxn), 'lose request')
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
})

describe('at least once', () => {
  const cluster = proxiedBroker()

  test(
    `F24: killed between its records and its positions, ${times + 1} times: nothing is lost, and the judge sees what comes twice (CRASH_SEED=${seed})`,
    async () => {
      const { bootstrap, proxy } = cluster()
      const engine = { log: { guarantee: 'at-least-once' } as const }
      const run = await CouponRun.open({ name: 'f24', seed, users: 400, bootstrap, engine })
      let a = run.start('a')
      await run.openCampaigns()
      run.startLoad()
      for (let time = 0; time <= times; time++) {
        await a.stage('ready')
        await run.acceptedMore(50)
        await proxy.once(isOfIssuance(API.offsetCommit), 'lose request')
        await a.kill()
        a = run.start('a')
      }
      await run.drain()
      const { complaints } = await run.judge()
      expect(complaints).not.toEqual([])
      const { complaints: real } = await run.judge({ repeats: true })
      expect(real).toEqual([])
      expect(troubles([a])).toEqual([])
    },
    TIMEOUT_MS,
  )
})

function isOfIssuance(wanted: number) {
  return ({ api, clientId }: SeenRequest) => api === wanted && clientId === 'a-coupon-issuance-commit'
}

/** Records that were written and aborted. */
async function abortedIn(bootstrap: string, topics: readonly string[]): Promise<number> {
  const counts = topics.map(async (topic) => {
    const all = await readCommitted(bootstrap, topic, { isolation: 'read_uncommitted' })
    return all.length - (await readCommitted(bootstrap, topic)).length
  })
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}
