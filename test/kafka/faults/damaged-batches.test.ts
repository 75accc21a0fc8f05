/**
 * F21: a bit of a record batch changes. On its way to a process, what was read is read again, and nobody notices; in the
 * segment, the task stops and says where, and the others go on.
 */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { API } from '../../support/kafka-proxy.ts'
import { flipByteOf } from '../../support/kafka/flip-byte.ts'
import { seedOfRun } from '../../support/random.ts'
import { type Accepted } from './coupon-judge.ts'
import { CouponRun } from './coupon-run.ts'
import { everyTaskOnce, troubles } from './engines.ts'
import { proxiedBroker } from './proxied-broker.ts'
import { kafkaRuns } from './runs.ts'

const seed = seedOfRun()
const times = kafkaRuns(1)
const DAMAGES = 20 * times
/** In every request for a coupon, and in what is made of it. */
const TEXT = 'plenty'
const EVERY = 7
const REQUESTS = 'coupon.issue.requested'

const cluster = proxiedBroker()

test(
  `F21: ${DAMAGES} answers with records lose a bit on their way: they are read again, and nothing is lost (CRASH_SEED=${seed})`,
  async () => {
    const { bootstrap, proxy } = cluster()
    const run = await CouponRun.open({ name: 'f21', seed, users: times * 2_000, bootstrap })
    const a = run.start('a')
    await everyTaskOnce([a])
    await run.openCampaigns()
    let fetches = 0
    proxy.fateOf = ({ api, clientId }) => {
      const isTurn = api === API.fetch && clientId.startsWith('a') && ++fetches % EVERY === 0
      return isTurn ? { damage: TEXT } : 'pass'
    }
    run.startLoad()
    while (proxy.damaged < DAMAGES) await run.acceptedMore(10)
    proxy.fateOf = () => 'pass'
    console.log(`F21: ${proxy.damaged} of ${fetches} answers damaged; ${await run.finish()}`)
    expect(troubles([a])).toEqual([])
    expect(a.told('task').filter(({ code }) => code !== undefined)).toEqual([])
  },
  120_000 + times * 30_000,
)

test(`F21: a bit of a segment is lost: the task stops and names the offset, the others go on (CRASH_SEED=${seed})`, async () => {
  const { bootstrap, brokers } = cluster()
  const [broker] = brokers
  if (broker === undefined) throw new Error('there is a broker')
  const run = await CouponRun.open({ name: 'f21-disk', seed, users: 2_000, bootstrap })
  const before = run.start('a')
  await everyTaskOnce([before])
  await run.openCampaigns()
  await before.stop()
  run.startLoad()
  await run.acceptedMore(300)
  await run.stopLoad()
  const { ask, partition, offset } = run.accepted.at(-1) as Accepted
  await broker.stop()
  await flipByteOf(ask.requestId, join(broker.logDirectory, `${REQUESTS}-${partition}`))
  await broker.start()
  const after = run.start('a')
  const { task, why } = await after.stage('task', ({ to }) => to === 'failed')
  expect(task).toBe(`coupon-issuance.0_${partition}`)
  expect(why).toContain(`${REQUESTS}-${partition} at offset `)
  expect(Number(/at offset (\d+)/.exec(why ?? '')?.[1])).toBeLessThanOrEqual(offset)
  const elsewhere = run.accepted.filter((one) => one.partition !== partition)
  await run.reached('coupon-issuance', REQUESTS, lastOf(elsewhere))
}, 120_000)

function lastOf(accepted: readonly Accepted[]): Map<number, number> {
  return new Map(accepted.map(({ partition, offset }) => [partition, offset]))
}
