/**
 * F23: the system clock jumps an hour, and events say that they are of the year 2099. What is decided stays right; what
 * falls due by the wall clock waits until the clocks have agreed for five minutes, and is right then.
 */
import { expect, test } from 'vitest'
import { CLOCK_AGREEMENT_MS } from '../../../streams/wall-clock.ts'
import { deadLetterTopic } from '../../../streams/index.ts'
import { topicNamed } from '../../support/engine-shop.ts'
import { produce, readCommitted } from '../../support/kafka/oracle.ts'
import { seedOfRun } from '../../support/random.ts'
import { CouponRun } from './coupon-run.ts'
import type { Engine } from './engine.ts'
import { everyTaskOnce, troubles } from './engines.ts'
import { kafkaRuns } from './runs.ts'

const HOUR_MS = 3_600_000
const ORDERS = 'order.confirmed'
/** Said when they fall due, and at no other time. */
const BOARDS = 'ranking.snapshot'
const TOPOLOGIES = ['coupon-issuance', 'coupon-wallet', 'best-sellers']
const FUTURE_ORDERS = 20
const seed = seedOfRun()
const isLong = kafkaRuns(1) > 1
/** More than the clocks have to agree. */
const AGREEING_MS = CLOCK_AGREEMENT_MS + 1_000

test(
  `F23: the system clock jumps an hour ahead, an hour back, and is an hour behind at a restart, each time until it is right again; orders of the year 2099 (CRASH_SEED=${seed})`,
  async () => {
    const engine = { pipelines: ['coupons', 'ranking'] as const }
    const run = await CouponRun.open({ name: 'f23', seed, users: 2_000, engine })
    const a = run.start('a')
    await everyTaskOnce([a])
    await run.openCampaigns()
    run.startLoad()
    await run.acceptedMore(100)
    await produce(run.bootstrap, ORDERS, ordersOf2099())
    for (const jump of [HOUR_MS, -HOUR_MS]) {
      const frozen = eachTopology(a, 'clock-frozen')
      await a.order({ do: 'jump', ms: jump })
      for (const { gapMs } of await frozen) expect(Math.sign(gapMs)).toBe(Math.sign(jump))
      await nothingFallsDue(run, a)
      await a.order({ do: 'jump', ms: -jump })
      await agreeing(a)
    }
    await a.stop()
    // What passed at once for the one before has not passed for this one.
    const behindMs = isLong ? HOUR_MS : HOUR_MS + 2 * AGREEING_MS
    const again = run.start('a', { clockAheadMs: -HOUR_MS })
    const frozen = TOPOLOGIES.map((topology) => again.stage('clock', (line) => line.topology === topology))
    for (const { kind } of await Promise.all(frozen)) expect(kind).toBe('clock-frozen')
    await everyTaskOnce([again])
    await nothingFallsDue(run, again)
    await again.order({ do: 'jump', ms: behindMs })
    await agreeing(again)

    const summary = await run.finish()
    const aside = await readCommitted(run.bootstrap, deadLetterTopic(ORDERS))
    const keys = aside.map(({ key }) => String(key))
    expect(keys.toSorted()).toEqual(
      ordersOf2099()
        .map(({ key }) => key)
        .toSorted(),
    )
    expect(troubles([a, again])).toEqual([])
    console.log(`F23: seed ${seed}: ${summary}`)
  },
  240_000 + (isLong ? 4 * AGREEING_MS : 0),
)

/** Coupons are given out meanwhile, and orders are counted; no board is said. */
async function nothingFallsDue(run: CouponRun, engine: Engine): Promise<void> {
  await twoCommits(engine)
  const said = await boardsSaid(run)
  await run.acceptedMore(100)
  await twoCommits(engine)
  expect(await boardsSaid(run)).toBe(said)
}

/** The clocks agree from now on; resolves when that has lasted. */
async function agreeing(engine: Engine): Promise<void> {
  const thawed = eachTopology(engine, 'clock-thawed')
  await twoCommits(engine)
  if (!isLong) await engine.order({ do: 'pass', ms: AGREEING_MS })
  await thawed
}

function eachTopology(engine: Engine, kind: string) {
  return Promise.all(
    TOPOLOGIES.map((topology) => {
      return engine.next('clock', (line) => line.topology === topology && line.kind === kind)
    }),
  )
}

/** The second began after it was asked for. */
async function twoCommits(engine: Engine): Promise<void> {
  await Promise.all(
    TOPOLOGIES.map(async (topology) => {
      for (let n = 0; n < 2; n++) await engine.next('committed', (line) => line.topology === topology)
    }),
  )
}

async function boardsSaid({ bootstrap }: CouponRun): Promise<number> {
  return (await readCommitted(bootstrap, BOARDS)).length
}

function ordersOf2099() {
  return Array.from({ length: FUTURE_ORDERS }, (_, i) => {
    const at = Date.UTC(2099, 0, 1) + i
    const item = { lineNo: 1, productId: 'p1', categoryId: null, quantity: 1_000, unitPrice: 1 }
    const money = { finalAmount: 0, currency: 'GBP', pointsUsed: 0, userCouponId: null }
    const order = { orderId: `o-2099-${i}`, userId: 'somebody', items: [item], ...money }
    const value = topicNamed(ORDERS).value.serialize({ ...order, paidAt: at, confirmedAt: at }) as Buffer
    // Also where the record itself says so.
    return { key: order.orderId, value, ...(i % 2 === 0 && { timestamp: at }) }
  })
}
