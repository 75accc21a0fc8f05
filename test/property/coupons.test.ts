import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memoryBackend } from '../../state/index.ts'
import { redecide } from '../../streams/index.ts'
import type { DriverOptions } from '../../testing/index.ts'
import { campaignStore, couponIssuance } from '../../topologies/index.ts'
import { histories } from './coupon-history.ts'
import { invariants } from './coupon-invariants.ts'
import { CouponModel } from './coupon-model.ts'
import { placeOf, type Played, playOnEngine, playOnProcessors } from './coupon-played.ts'

const checks = Object.entries(invariants)

/** Every verdict is the model's; I3 says that there is one for each request. */
function expectModel(played: Played): CouponModel {
  const model = new CouponModel(played.inputs)
  const expected = model.said.map(({ request, verdict }) => [placeOf(request), verdict])
  const actual = played.verdicts.map(({ cause, issued, rejected }) => [cause, { ...(issued ?? rejected) }])
  expect(new Map(actual as [string, object][])).toEqual(new Map(expected as [string, object][]))
  return model
}

const everything = [
  'ISSUED',
  'IDEMPOTENCY_CONFLICT',
  'REQUEST_ID_CONFLICT',
  'UNKNOWN_COUPON',
  'NOT_OPEN',
  'CLOSED',
  'PAUSED',
  'NOT_ELIGIBLE',
  'DUPLICATE',
  'SOLD_OUT',
  'issued after sold out',
  'said again',
]

describe('the rules, over random histories', () => {
  test.each(checks)('%s', (_, check) => {
    fc.assert(
      fc.property(histories, (history) => check(playOnProcessors(history))),
      { numRuns: 300 },
    )
  })

  test('decide as the plain model does', () => {
    fc.assert(
      fc.property(histories, (history) => void expectModel(playOnProcessors(history))),
      { numRuns: 300 },
    )
  })

  test('are tried on histories in which everything happens', () => {
    const seen = new Map<string, number>()
    const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1)
    for (const history of fc.sample(histories, { numRuns: 300, seed: 1 })) {
      const played = playOnProcessors(history)
      const soldOut = new Set<string>()
      const causes = new Set<string>()
      for (const { issued, rejected } of played.verdicts) {
        const said = issued ?? rejected
        count(rejected?.reason ?? 'ISSUED')
        if (rejected?.reason === 'SOLD_OUT') soldOut.add(rejected.couponId)
        if (issued !== undefined && soldOut.has(issued.couponId)) count('issued after sold out')
        const cause = `${said?.couponId} ${said?.sourceOffset}`
        if (causes.has(cause)) count('said again')
        causes.add(cause)
      }
    }
    for (const what of everything) {
      expect(`${what}: ${(seen.get(what) ?? 0) >= 20}`).toBe(`${what}: true`)
    }
  })
})

const modes: [string, Partial<DriverOptions>][] = [
  ['one partition', {}],
  ['three partitions', { partitions: 3 }],
  ['three partitions, restarted after every record', { partitions: 3, restartAfterEachRecord: true }],
  ['three partitions, state from changelogs alone', { partitions: 3, stateHome: 'task' }],
]

describe.each(modes)('the engine: %s', (_, mode) => {
  test('decides as the plain model does, through crashes, and keeps I1–I7 and I9', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const played = await playOnEngine(history, mode)
        for (const [, check] of checks) check(played)
        const model = expectModel(played)
        for (const [couponId, campaign] of model.campaigns) {
          const { value } = played.driver.store(couponIssuance, campaignStore).get(couponId)
          expect(structuredClone({ ...value })).toEqual(campaign)
        }
        await played.driver.close()
      }),
      { numRuns: 40 },
    )
  })
})

test('disturbances change no byte of any verdict', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const calm = history.filter(({ kind }) => kind !== 'crash' && kind !== 'settle')
      const bytesOf = async (steps: typeof history, options: Partial<DriverOptions>) => {
        const { driver, verdicts } = await playOnEngine(steps, { partitions: 2, ...options })
        await driver.close()
        return verdicts.map(({ bytes, timestamp }) => `${timestamp} ${bytes.toString('hex')}`)
      }
      const steady = await bytesOf(calm, {})
      expect(await bytesOf(history, {})).toEqual(steady)
      expect(await bytesOf(history, { restartAfterEachRecord: true })).toEqual(steady)
    }),
    { numRuns: 15 },
  )
})

test('I24 deciding the retained inputs again gives the same bytes and the same state', async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const { driver } = await playOnEngine(history, {})
      const task = { topology: 'coupon-issuance', subTopology: 0, partition: 0 }
      const backend = memoryBackend()
      const journal = driver.journal(task)
      const result = await redecide({ topology: couponIssuance, task, log: driver.log, journal, backend })
      expect(result).toMatchObject({ batches: journal.length, firstDifference: undefined })
      const everything = { gte: Buffer.alloc(0), lt: Buffer.alloc(8, 0xff) }
      const live = await driver.log.taskState(task)
      const rows = await live.page(everything, { limit: 10_000 })
      expect(await backend.page(everything, { limit: 10_000 })).toEqual(rows)
      await driver.close()
    }),
    { numRuns: 15 },
  )
})
