/** kill -9 of a shop with topics of its own: each of its messages counts once, and each verdict is told once. */
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { jsonSerde } from '../../connectors/bindings/external.ts'
import { type Topic, topics } from '../../schemas/index.ts'
import { deadLetterTopic } from '../../streams/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { type Child, startChild } from '../support/child.ts'
import { APPLICATION } from '../support/engine-shop.ts'
import { crashRuns, seededRandom, seedOfRun } from '../support/random.ts'
import { valuesOf } from '../support/read-all.ts'
import { scratchDirectory } from '../support/scratch.ts'
import type { BindingsProcessOptions } from './bindings-process.ts'

const script = join(import.meta.dirname, 'bindings-process.ts')
const profile = join(import.meta.dirname, '../../samples/shops/e/profile.json')
const seed = seedOfRun()
const kills = crashRuns(4)
/** Deliveries of a life after which it is killed, at most. */
const MOST_DELIVERIES = 30
const QUOTA = 100

vi.setConfig({ testTimeout: 60_000 + kills * 20_000 })

/** Resolves when so many lines that begin so were said. */
async function seen(child: Child, begin: string, count: number): Promise<void> {
  let left = count
  await child.line((line) => line.startsWith(begin) && --left <= 0)
}

interface Verdict {
  readonly requestId: string
  readonly userId: string
  readonly userCouponId?: string
}

test(`after ${kills} kills -9 every message of theirs counts once, and is answered once (CRASH_SEED=${seed})`, async () => {
  const random = seededRandom(seed)
  const directory = await scratchDirectory('bindings')
  const start = (life: number): Child => {
    const options: BindingsProcessOptions = { directory, profile, life, quota: QUOTA }
    return startChild(script, [JSON.stringify(options)])
  }
  for (let life = 0; life < kills; life++) {
    const child = start(life)
    await seen(child, 'delivered', 1 + random.below(MOST_DELIVERIES))
    await child.kill()
  }
  const last = start(kills)
  await seen(last, 'delivered', MOST_DELIVERIES)
  last.send('no more')
  await last.line((line) => line === 'drained')
  last.send('end')
  expect((await last.exited).code).toBe(0)

  const log = await openEmbeddedLog({ directory, application: APPLICATION })
  const theirs = (name: string) => {
    const topic = { ...topics.couponIssued, name, value: jsonSerde } as unknown as Topic<Partial<Verdict>>
    return valuesOf(log, topic)
  }
  const messages = await theirs('coupon-issue')
  const asked = messages.flatMap(({ userId }) => userId ?? []).toSorted()
  const requested = await valuesOf(log, topics.couponIssueRequested)
  const refused = await theirs(deadLetterTopic('coupon-issue'))
  const issued = await theirs('coupon-issue-success')
  const rejected = await theirs('coupon-issue-failure')
  const ours = await valuesOf(log, topics.couponIssued)
  await log.close()
  console.log(`seed ${seed}: ${kills} kills, ${messages.length} messages`)
  expect(requested.map(({ userId }) => userId).toSorted()).toEqual(asked)
  expect(refused).toHaveLength(messages.length - asked.length)
  const told = [...issued, ...rejected].flatMap(({ userId }) => userId ?? [])
  expect(told.toSorted()).toEqual(asked)
  const coupons = issued.flatMap(({ userCouponId }) => userCouponId ?? [])
  expect(coupons.toSorted()).toEqual(ours.map(({ userCouponId }) => userCouponId).toSorted())
  expect(new Set(coupons).size).toBe(Math.min(QUOTA, asked.length))
})
