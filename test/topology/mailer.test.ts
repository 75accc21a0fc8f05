/** Which mails are asked for, and what they take along. */
import { describe, expect, test } from 'vitest'
import { type MailRequested, topics } from '../../schemas/index.ts'
import type { DriverOptions } from '../../testing/index.ts'
import { mailer, type MailerOptions, mailStore } from '../../topologies/index.ts'
import { DAY, modes, Service } from '../support/services.ts'
import { cancelled, completed, failed, issued, profile, returned, suppressed } from '../unit/mail/given.ts'

const { orderCompleted, orderFailed, orderCancelled, orderReturned, couponIssued, userProfile } = topics
const { mailSuppressed, mailRequested } = topics

function open(mode: Partial<DriverOptions> = {}, options: Partial<MailerOptions> = {}): Promise<Service> {
  return Service.open(mailer({ currency: 'GBP', ...options }), { partitions: 3, ...mode })
}

/** `order-completed of o1`, with what it is sent to. */
function asked(service: Service): string[] {
  return service.read(mailRequested).map(({ template, orderId, userCouponId, email, suppressed: not }) => {
    const to = email === null ? 'nobody' : Buffer.from(email).toString()
    return `${template} of ${userCouponId ?? orderId} to ${not ? 'suppressed ' : ''}${to}`
  })
}

describe.each(modes)('%s', (_, mode) => {
  test('one mail for each fact: an order that is complete, or failed, money that goes back, a coupon', async () => {
    const service = await open(mode)
    await service.send(userProfile, profile())
    await service.send(orderCompleted, completed())
    await service.send(orderReturned, returned(), returned({ returnId: 'r2', refundAmount: 0 }))
    await service.send(orderReturned, returned({ returnId: 'r3' }))
    await service.send(orderFailed, failed({ orderId: 'o2' }))
    await service.send(orderCancelled, cancelled({ orderId: 'o3' }))
    await service.send(couponIssued, issued())
    expect(asked(service).toSorted()).toEqual([
      'coupon-issued of spring-1 to sealed',
      'order-completed of o1 to sealed',
      'order-failed of o2 to sealed',
      'refund of o3 to sealed',
      'refund#r1 of o1 to sealed',
      'refund#r3 of o1 to sealed',
    ])
    await service.close()
  })

  test('I22: what comes twice is asked for once, and the same fact makes the same mailId', async () => {
    const service = await open(mode)
    await service.send(userProfile, profile())
    await service.send(orderCompleted, completed(), completed(), completed({ finalAmount: 7 }))
    await service.send(couponIssued, issued(), issued())
    expect(asked(service)).toHaveLength(2)
    const [one] = service.read(mailRequested).filter(({ template }) => template === 'order-completed')
    await service.close()
    const other = await open()
    await other.send(orderCompleted, completed())
    expect(other.read(mailRequested)[0]?.mailId).toBe(one?.mailId)
    await other.close()
  })

  test('an address that a mail came back from gets none, until the user has another or an operator says so', async () => {
    const service = await open(mode)
    const ofOrder = (orderId: string) => service.send(orderCompleted, completed({ orderId }))
    await service.send(userProfile, profile('old'))
    await service.send(mailSuppressed, suppressed('old'))
    await ofOrder('o1')
    await service.send(userProfile, profile('new'))
    await ofOrder('o2')
    await service.send(mailSuppressed, suppressed('new'))
    await ofOrder('o3')
    await service.driver.pipe(mailSuppressed, 'ann', null)
    await ofOrder('o4')
    expect(asked(service).toSorted()).toEqual([
      'order-completed of o1 to suppressed old',
      'order-completed of o2 to new',
      'order-completed of o3 to suppressed new',
      'order-completed of o4 to new',
    ])
    await service.close()
  })
})

test('without an address an order is answered for all the same, and a coupon is not told of', async () => {
  const service = await open()
  await service.send(orderCompleted, completed())
  await service.send(couponIssued, issued())
  await service.send(userProfile, profile(null))
  await service.send(couponIssued, issued({ userCouponId: 'spring-2' }))
  expect(asked(service)).toEqual(['order-completed of o1 to nobody'])
  expect(service.dropped).toEqual(['NoAddress', 'NoAddress'])
  await service.close()
})

test('what happened longer ago than two days is no news; what was asked for is forgotten after thirty', async () => {
  const service = await open({ partitions: 1 })
  await service.send(orderCompleted, completed())
  const [{ mailId } = { mailId: '' }] = service.read(mailRequested)
  service.driver.clock.advance(2 * DAY)
  await service.send(orderCompleted, completed({ orderId: 'o2' }), completed())
  expect(service.dropped).toEqual(['MailTooLate', 'MailTooLate'])
  const marks = service.driver.store(service.topology, mailStore)
  expect(marks.get(mailId).value).toBeDefined()
  await service.driver.advanceWallTime(30 * DAY, 30 * DAY)
  expect(marks.get(mailId).value).toBeUndefined()
  await service.close()
})

test('amounts, lines and reasons are what the facts say', async () => {
  const service = await open()
  await service.send(orderCompleted, completed())
  await service.send(
    orderFailed,
    failed({
      orderId: 'o2',
      failedStep: 'delivery',
      compensations: [{ step: 'payment', status: 'RESTORED' }],
    }),
  )
  await service.send(orderReturned, returned({ orderId: 'o3' }))
  const found = service.read(mailRequested).map((mail) => [mail.template, mail] as const)
  const byTemplate = new Map<string, MailRequested>(found)
  expect(byTemplate.get('order-completed')).toMatchObject({
    amount: 600,
    currency: 'GBP',
    items: [{ productId: 'mug', quantity: 2, amount: 600 }],
  })
  expect(byTemplate.get('order-failed')).toMatchObject({ reason: 'delivery', refunded: true, amount: null })
  expect(byTemplate.get('refund#r1')).toMatchObject({ amount: 300, orderId: 'o3' })
  await service.close()
})

test('a fact without an id, or under another key, is put aside', async () => {
  const service = await open()
  await service.send(orderCompleted, completed({ orderId: '' }))
  await service.driver.pipe(userProfile, 'bob', profile())
  expect(asked(service)).toEqual([])
  expect(service.deadLetters(userProfile as never)).toEqual([
    "KeyMismatch: the key is not the value's userId",
  ])
  await service.close()
})

test('durations that would ask twice are refused', () => {
  expect(() => mailer({ currency: 'GBP', maxAgeMs: 2, keepMs: 2 })).toThrow(RangeError)
})
