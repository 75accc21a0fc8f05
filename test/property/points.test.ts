/** I12, I13 and I21: points against a plain model, over random messages, repeats, late undos, expiries and crashes. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PointMessage } from '../../processors/index.ts'
import { topics } from '../../schemas/index.ts'
import { pointAccountStore, pointLedgerStore, points } from '../../topologies/index.ts'
import { START } from '../support/services.ts'
import { cancelled, completed, deduct, giveBack, grant, returned } from '../unit/points/given.ts'
import { answersOf, decidedOtherwise, historiesOf, play, played, SAMPLE, sentBy } from './service-history.ts'
import { PointModel } from './points-model.ts'

/** Waits are whole hundreds of seconds and terms end between them: nothing expires while commands wait. */
const WAIT_MS = 100_000
const rules = { validForMs: 4 * WAIT_MS + 50_000, rateBp: 1_000 }

const orderId = fc.constantFrom('o1', 'o2', 'o3')
const epoch = fc.constantFrom(0, 0, 0, 1)
const few = fc.integer({ min: 1, max: 9 })
const soon = fc.integer({ min: 0, max: 5 }).map((waits) => START + waits * WAIT_MS + 50_000)
const message: fc.Arbitrary<PointMessage> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({ amount: few, to: fc.record({ orderId, epoch }) })
      .map(({ amount, to }): PointMessage => ({ kind: 'DEDUCT', message: deduct(amount, to) })),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({
        amount: fc.nat(5),
        to: fc.record({
          orderId,
          epoch,
          returnId: fc.option(fc.constantFrom('r1', 'r2')),
          refundAmount: fc.constantFrom(0, 25, 40),
        }),
      })
      .map(({ amount, to }): PointMessage => ({ kind: 'RESTORE', message: giveBack(amount, to) })),
  },
  {
    weight: 4,
    arbitrary: fc
      .record({ amount: fc.integer({ min: -4, max: 9 }), expiresAt: fc.option(soon), name: fc.nat(20) })
      .map(
        ({ amount, expiresAt, name }): PointMessage => ({
          kind: 'ADJUST',
          message: grant(amount, { expiresAt, adjustId: `a${name}` }),
        }),
      ),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({
        paid: fc.integer({ min: 0, max: 99 }),
        to: fc.record({ orderId, completedAt: fc.constantFrom(START, START + 1) }),
      })
      .map(({ paid, to }): PointMessage => ({ kind: 'COMPLETED', message: completed(paid, to) })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ refund: fc.nat(50), to: fc.record({ orderId, returnId: fc.constantFrom('r1', 'r2', 'r3') }) })
      .map(({ refund, to }): PointMessage => ({ kind: 'RETURNED', message: returned(refund, to) })),
  },
  {
    weight: 1,
    arbitrary: orderId.map(
      (order): PointMessage => ({ kind: 'CANCELLED', message: cancelled({ orderId: order }) }),
    ),
  },
)
const histories = historiesOf(message, fc.constantFrom(WAIT_MS, 2 * WAIT_MS))

const topicOf = {
  DEDUCT: topics.pointDeductRequested,
  RESTORE: topics.pointRestoreRequested,
  ADJUST: topics.pointAdjustRequested,
  COMPLETED: topics.orderCompleted,
  RETURNED: topics.orderReturned,
  CANCELLED: topics.orderCancelled,
}

describe.each(played)('%s', (_, mode) => {
  test('I12 I13 I21 points are the plain model’s, never below 0, the sum of the ledger and of what is told', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const service = points({ ...rules, tellEntries: true })
        const { driver, sent } = await play(
          service,
          // Facts about orders go through a second topic: only what is settled has an order.
          history.flatMap((step) => [step, { kind: 'settle' } as const]),
          ({ kind, message: value }) => [topicOf[kind] as never, value],
          mode,
        )
        const model = new PointModel({ per: 10, validForMs: rules.validForMs })
        for (const { command, at } of sent) model.apply(command, at)
        model.expire(driver.clock.now())
        expect(answersOf(driver, topics.pointDeductResult)).toEqual(model.deducted)
        expect(answersOf(driver, topics.restoreResult)).toEqual(model.restored)
        const earned = answersOf(driver, topics.pointEarned)
        expect(earned.map((each) => `${each.orderId} ${each.points}`).sort()).toEqual(model.earned.sort())
        const { value: account } = driver.store(service, pointAccountStore).get('ann')
        const balance = (account?.lots ?? []).reduce((sum, lot) => sum + lot.points, 0)
        expect(balance).toBe(model.balance)
        const { value: rows } = await driver
          .store(service, pointLedgerStore)
          .page('ann', { prefix: ['ann'], limit: 1_000 })
        let sum = 0
        for (const [, entry] of rows) {
          sum += entry.points
          expect(entry.balance).toBe(sum)
          expect(sum).toBeGreaterThanOrEqual(0)
        }
        expect(sum).toBe(balance)
        const told = driver.read(topics.pointEntry).map(({ value }) => value)
        expect(told.map((each) => [each?.entry, each?.kind, each?.points, each?.balanceAfter])).toEqual(
          rows.map(([[, entry], { kind, points: amount, balance: after }]) => [entry, kind, amount, after]),
        )
        if (mode.stateHome !== 'task') expect(await decidedOtherwise(driver, service, mode)).toEqual([])
        await driver.close()
      }),
      { numRuns: 40 },
    )
  })
})

test('points are tried on histories in which everything happens', () => {
  const seen = new Set<string>()
  for (const history of fc.sample(histories, SAMPLE)) {
    const model = new PointModel({ per: 10, validForMs: rules.validForMs })
    const { sent, end } = sentBy(history)
    for (const { command, at } of sent) model.apply(command, at)
    model.expire(end)
    for (const { status, reason } of [...model.deducted, ...model.restored]) seen.add(reason ?? status)
    for (const { shortfall } of model.restored) if (shortfall > 0) seen.add('shortfall')
    for (const { place, expiresAt } of model.points) {
      if (place === 'gone')
        seen.add(expiresAt !== null && expiresAt <= end ? 'gone, past its time' : 'gone before')
    }
    if (model.earned.length > 0) seen.add('earned')
  }
  expect([...seen].sort()).toEqual([
    'ALREADY',
    'CANCELLED',
    'DEDUCTED',
    'EXCEEDS_SPENT',
    'INSUFFICIENT_POINTS',
    'NOT_SPENT',
    'RESTORED',
    'earned',
    'gone before',
    'gone, past its time',
    'shortfall',
  ])
})
