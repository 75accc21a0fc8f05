/** I10: wallets against a plain model, over random uses, undos, revocations, late coupons, expiries and crashes. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { WalletMessage } from '../../processors/index.ts'
import { type Campaign, type Topic, topics } from '../../schemas/index.ts'
import type { TopologyTestDriver } from '../../testing/index.ts'
import { wallet, walletStore } from '../../topologies/index.ts'
import { START } from '../support/services.ts'
import { campaign } from '../unit/coupons/given.ts'
import { issuedCoupon, revocation, undo, use } from '../unit/wallet/given.ts'
import { decidedOtherwise, historiesOf, play, played, SAMPLE, sentBy, type Step } from './service-history.ts'
import { WalletModel } from './wallet-model.ts'

/** Waits are whole hundreds of seconds and terms end between them: nothing is over while commands wait. */
const WAIT_MS = 100_000
const rules = { waitMs: 50_000 }

type Message = WalletMessage | { readonly kind: 'CAMPAIGN'; readonly message: Campaign }

const userCouponId = fc.constantFrom('spring-1', 'spring-2', 'spring-3')
const orderId = fc.constantFrom('o1', 'o2', 'o3')
const epoch = fc.constantFrom(0, 0, 0, 1, 2)
const soon = fc.integer({ min: 0, max: 5 }).map((waits) => START + waits * WAIT_MS + 50_000)
const message: fc.Arbitrary<Message> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({ userCouponId, expiresAt: fc.option(soon) })
      .map((to): Message => ({ kind: 'ISSUED', message: issuedCoupon({ issuedAt: START, ...to }) })),
  },
  {
    weight: 6,
    arbitrary: fc
      .record({ userCouponId, orderId, epoch })
      .map((to): Message => ({ kind: 'USE', message: use(to) })),
  },
  {
    weight: 4,
    arbitrary: fc.record({ orderId, epoch }).map((to): Message => ({ kind: 'RESTORE', message: undo(to) })),
  },
  {
    weight: 1,
    arbitrary: userCouponId.map(
      (id): Message => ({ kind: 'REVOKE', message: revocation({ userCouponId: id }) }),
    ),
  },
)
const opened: Step<Message> = { kind: 'send', command: { kind: 'CAMPAIGN', message: campaign() } }
const histories = historiesOf(message, fc.constantFrom(WAIT_MS, 2 * WAIT_MS)).map((steps) => [
  opened,
  ...steps,
])

const topicOf = {
  CAMPAIGN: topics.couponCampaign,
  ISSUED: topics.couponIssued,
  USE: topics.couponUseRequested,
  RESTORE: topics.couponRestoreRequested,
  REVOKE: topics.couponRevokeRequested,
}

/** Answers of a topic by order, in their turn. */
function byOrder<V extends { readonly orderId: string }>(
  driver: TopologyTestDriver,
  topic: Topic<V>,
  text: (value: V) => string,
): Map<string, string[]> {
  const all = new Map<string, string[]>()
  for (const { value } of driver.read(topic)) {
    if (value !== null) all.set(value.orderId, [...(all.get(value.orderId) ?? []), text(value)])
  }
  return all
}

describe.each(played)('%s', (_, mode) => {
  test('I10 coupons are as in the plain model, and each is used by one order at most', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const service = wallet(rules)
        const { driver, sent } = await play(
          service,
          // Coupons come through a second topic: only what is settled has an order.
          history.flatMap((step) => [step, { kind: 'settle' } as const]),
          ({ kind, message: value }) => [topicOf[kind] as never, value],
          { breaker: 'off', ...mode },
        )
        const model = new WalletModel(rules.waitMs)
        for (const { command, at } of sent) if (command.kind !== 'CAMPAIGN') model.apply(command, at)
        model.tick(driver.clock.now())

        const answers = byOrder(driver, topics.couponUseResult, ({ status, discountAmount, reason }) =>
          [status, discountAmount, reason].filter((part) => part !== null).join(' '),
        )
        expect(answers).toEqual(model.said)
        expect(byOrder(driver, topics.restoreResult, ({ status }) => status)).toEqual(model.restored)
        const { value: rows } = await driver
          .store(service, walletStore)
          .page('ann', { prefix: ['ann'], limit: 100 })
        const statuses = new Map([...model.coupons].map(([id, { status }]) => [id, status]))
        expect(new Map(rows.map(([[, id], { status }]) => [id, status]))).toEqual(statuses)
        for (const [, { status, orderId: user }] of rows) expect(status === 'USED').toBe(user !== null)
        if (mode.stateHome !== 'task') expect(await decidedOtherwise(driver, service, mode)).toEqual([])
        await driver.close()
      }),
      { numRuns: 40 },
    )
  })
})

test('wallets are tried on histories in which everything happens', () => {
  const seen = new Set<string>()
  for (const history of fc.sample(histories, SAMPLE)) {
    const model = new WalletModel(rules.waitMs)
    const { sent, end } = sentBy(history)
    for (const { command, at } of sent) if (command.kind !== 'CAMPAIGN') model.apply(command, at)
    model.tick(end)
    for (const answer of [...model.said.values(), ...model.restored.values()].flat()) seen.add(answer)
  }
  expect([...seen].sort()).toEqual([
    'ALREADY',
    'CANCELLED',
    'REJECTED ALREADY_USED',
    'REJECTED EXPIRED',
    'REJECTED REVOKED',
    'REJECTED UNKNOWN_COUPON',
    'RESTORED',
    'USED 500',
  ])
})
