/** I22: at most one mail per order and template, over random facts, repeats, late ones and crashes. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type MailRequested, type Topic, topics } from '../../schemas/index.ts'
import { mailer } from '../../topologies/index.ts'
import { cancelled, completed, failed, issued, profile, returned, suppressed } from '../unit/mail/given.ts'
import { decidedOtherwise, historiesOf, play, played } from './service-history.ts'
import { START } from '../support/services.ts'

interface Fact {
  readonly topic: Topic<never>
  readonly value: unknown
  /** What a mail of it is about; nothing where there is none to be. */
  readonly mail: string | undefined
}

const orderId = fc.constantFrom('o1', 'o2', 'o3')
const returnId = fc.constantFrom('r1', 'r2')
const amount = fc.constantFrom(0, 300)
/** An order belongs to one user. */
const ownerOf = (order: string): string => (order === 'o3' ? 'bob' : 'ann')

function about(order: string) {
  return { orderId: order, userId: ownerOf(order) }
}

const fact: fc.Arbitrary<Fact> = fc.oneof(
  orderId.map((order) => {
    return { topic: topics.orderCompleted, value: completed(about(order)), mail: `${order}|order-completed` }
  }),
  orderId.map((order) => {
    return { topic: topics.orderFailed, value: failed(about(order)), mail: `${order}|order-failed` }
  }),
  fc.tuple(orderId, amount).map(([order, refundAmount]) => {
    const mail = refundAmount > 0 ? `${order}|refund` : undefined
    return { topic: topics.orderCancelled, value: cancelled({ ...about(order), refundAmount }), mail }
  }),
  fc.tuple(orderId, returnId, amount).map(([order, id, refundAmount]) => {
    const mail = refundAmount > 0 ? `${order}|refund#${id}` : undefined
    const value = returned({ ...about(order), returnId: id, refundAmount })
    return { topic: topics.orderReturned, value, mail }
  }),
  fc.constantFrom('c1', 'c2').map((userCouponId) => {
    return { topic: topics.couponIssued, value: issued({ userCouponId }), mail: undefined }
  }),
  fc.constantFrom('a', 'b', null).map((email) => {
    return { topic: topics.userProfile, value: profile(email), mail: undefined }
  }),
  fc.constantFrom('a', 'b').map((email) => {
    return { topic: topics.mailSuppressed, value: suppressed(email), mail: undefined }
  }),
) as fc.Arbitrary<Fact>

const wait = fc.constantFrom(60_000, 3_600_000)

test.each(played)('I22: %s', async (_, options) => {
  await fc.assert(
    fc.asyncProperty(historiesOf(fact, wait), async (history) => {
      const topology = mailer({ currency: 'GBP' })
      const { driver, sent } = await play(topology, history, ({ topic, value }) => [topic, value], options)
      try {
        const mails = driver.read(topics.mailRequested)
        const names = mails.map(({ value }) => nameOf(value as MailRequested))
        expect(new Set(names).size).toBe(names.length)
        expect(new Set(mails.map(({ value }) => value?.mailId)).size).toBe(names.length)
        // None is missing either: nothing here is older than a day.
        const due = new Set(sent.flatMap(({ command }) => command.mail ?? []))
        const ofOrders = names.filter((name) => !name.startsWith('c'))
        if (driver.clock.now() - START < 86_400_000) expect(new Set(ofOrders)).toEqual(due)
        for (const { key, value } of mails) expect(key).toBe(value?.userCouponId ?? value?.orderId)
        if (options.stateHome !== 'task')
          expect(await decidedOtherwise(driver, topology, options)).toEqual([])
      } finally {
        await driver.close()
      }
    }),
    { numRuns: 40 },
  )
})

function nameOf({ orderId: order, userCouponId, template }: MailRequested): string {
  return `${userCouponId ?? order}|${template}`
}
