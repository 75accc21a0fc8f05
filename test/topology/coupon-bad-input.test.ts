import { describe, expect, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { command, requested } from '../unit/coupons/given.ts'
import { CouponShop, modes } from './coupon-driver.ts'

const long = 'x'.repeat(201)
const longest = 'y'.repeat(200)
const requests = topics.couponIssueRequested
const commands = topics.couponCampaignRequested

/** Key, value, and the reason of the dead letter. */
const badRequests: [string, Buffer | null, Buffer | null, string][] = [
  ['without a key', null, requests.value.serialize(requested()), 'NullKey'],
  ['without a value', Buffer.from('spring'), null, 'NullValue'],
  ['that is empty', Buffer.from('spring'), Buffer.alloc(0), 'DeserializationError'],
  ['that is JSON', Buffer.from('spring'), Buffer.from('{"userId": "ann"}'), 'DeserializationError'],
  [
    'cut short',
    Buffer.from('spring'),
    requests.value.serialize(requested()).subarray(0, 9),
    'DeserializationError',
  ],
  [
    'of another record',
    Buffer.from('spring'),
    topics.cartChanged.value.serialize({ userId: 'ann', items: [] } as never),
    'DeserializationError',
  ],
  ['under another key', Buffer.from('summer'), requests.value.serialize(requested()), 'KeyMismatch'],
  [
    'for an empty coupon',
    Buffer.from(''),
    requests.value.serialize(requested({ couponId: '' })),
    'InvalidId',
  ],
  [
    'for a long coupon',
    Buffer.from(long),
    requests.value.serialize(requested({ couponId: long })),
    'InvalidId',
  ],
  [
    'of an empty user',
    Buffer.from('spring'),
    requests.value.serialize(requested({ userId: '' })),
    'InvalidId',
  ],
  [
    'of a long user',
    Buffer.from('spring'),
    requests.value.serialize(requested({ userId: long })),
    'InvalidId',
  ],
  [
    'with an empty id',
    Buffer.from('spring'),
    requests.value.serialize(requested({ requestId: '' })),
    'InvalidId',
  ],
  [
    'with a long id',
    Buffer.from('spring'),
    requests.value.serialize(requested({ requestId: long })),
    'InvalidId',
  ],
]

const badCommands: typeof badRequests = [
  ['without a key', null, commands.value.serialize(command()), 'NullKey'],
  ['without a value', Buffer.from('spring'), null, 'NullValue'],
  ['that is no Avro', Buffer.from('spring'), Buffer.from('hello'), 'DeserializationError'],
  ['under another key', Buffer.from('summer'), commands.value.serialize(command()), 'KeyMismatch'],
  ['for an empty coupon', Buffer.from(''), commands.value.serialize(command({ couponId: '' })), 'InvalidId'],
  [
    'for a long coupon',
    Buffer.from(long),
    commands.value.serialize(command({ couponId: long })),
    'InvalidId',
  ],
]

describe.each(modes)('%s', (_, mode) => {
  test.each(badRequests)(
    'a request %s is a dead letter and holds nobody up',
    async (_name, key, value, reason) => {
      const shop = await CouponShop.open(mode)
      await shop.command()
      await shop.driver.pipeBytes(requests.name, key, value)
      await shop.ask('ann')
      const [letter, ...more] = shop.driver.deadLetters(requests)
      expect(more).toEqual([])
      expect([letter?.key, letter?.value]).toEqual([key, value])
      expect(exceptionOf(letter?.headers)).toBe(reason)
      expect(shop.issued).toEqual(['ann #1'])
      expect(shop.rejected).toEqual([])
      await shop.driver.close()
    },
  )

  test.each(badCommands)(
    'a command %s is a dead letter and changes nothing',
    async (_name, key, value, reason) => {
      const shop = await CouponShop.open(mode)
      await shop.driver.pipeBytes(commands.name, key, value)
      await shop.command()
      const [letter, ...more] = shop.driver.deadLetters(commands)
      expect(more).toEqual([])
      expect([letter?.key, letter?.value]).toEqual([key, value])
      expect(exceptionOf(letter?.headers)).toBe(reason)
      expect(shop.outcomes()).toEqual(['APPLIED@1'])
      expect(shop.outcomes('summer')).toEqual([])
      await shop.driver.close()
    },
  )
})

test('ids may be as long as the limit and hold any characters', async () => {
  const shop = await CouponShop.open()
  const odd = 'ü/#-\0"🎟'
  await shop.command({ couponId: longest })
  await shop.command({ couponId: odd })
  await shop.ask(longest, { couponId: longest })
  await shop.ask(odd, { couponId: odd })
  expect(shop.issued).toEqual([`${longest} #1`, `${odd} #1`])
  expect(await shop.wallet(odd)).toMatchObject([{ userCouponId: `${odd}-1` }])
  await shop.driver.close()
})

test('a dead letter does not repeat the ids that were wrong', async () => {
  const shop = await CouponShop.open()
  await shop.ask('x', { userId: 'secret'.repeat(50) })
  const [letter] = shop.driver.deadLetters(requests)
  const texts = letter?.headers.map(([, value]) => value.toString()).join(' ')
  expect(texts).toContain('userId has 300 characters')
  expect(texts).not.toContain('secret')
  await shop.driver.close()
})

function exceptionOf(headers: readonly (readonly [string, Buffer])[] = []): string | undefined {
  return headers.find(([name]) => name === '__streams.errors.exception')?.[1].toString()
}
