import { describe, expect, it } from 'vitest'
import { checkTogether, compileProfile, type Profile, ProfileError } from '../../../../connectors/index.ts'
import { topics } from '../../../../schemas/index.ts'
import { profileOf, shipped } from './given.ts'

const FIELDS = { couponId: '$id(c)', userId: '$id(u)', requestId: '$id(r)' }
const write = { to: 'coupon.issue.requested', fields: FIELDS }
const good = profileOf({ writes: [write] })

function problems(profile: unknown): string[] {
  try {
    compileProfile(profile, 'shop.json', topics)
  } catch (error) {
    if (error instanceof ProfileError) return error.problems.map(({ path, message }) => `${path}: ${message}`)
    throw error
  }
  return []
}

const changed = (changes: Partial<Profile>) => ({ ...good, ...changes })
const writing = (changes: object) => profileOf({ writes: [{ ...write, ...changes }] })

describe('a profile', () => {
  it('is taken', () => {
    expect(problems(good)).toEqual([])
  })

  it.each([
    ['nothing', undefined, 'profile: must be an object'],
    ['an unknown word', changed({ shp: 1 } as never), 'shp: is not known here; there are'],
    ['no bindings', changed({ bindings: [] }), 'bindings: must be a list, not empty'],
    ['a shop that is no name', changed({ shop: 'Shop A' }), 'shop: must be up to 40'],
    [
      'a direction that is none',
      profileOf({ direction: 'both' as never, writes: [write] }),
      'bindings.0.direction: must be in or out',
    ],
    [
      'a topic that the profile does not have',
      profileOf({ from: 'others', writes: [write] }),
      "bindings.one.from: the profile's topics do not name others",
    ],
    [
      'a topic that this program does not have',
      writing({ to: 'coupon.isue' }),
      'bindings.one.writes.0.to: this program has no topic coupon.isue',
    ],
    [
      'a topic that is not for others',
      writing({ to: 'privacy.key', fields: { userId: 'u' } }),
      'bindings.one.writes.0.to: privacy.key is not for others',
    ],
    [
      'a key of its own for one of ours',
      writing({ key: 'u' }),
      'bindings.one.writes.0.key: ours stand under',
    ],
    [
      'a field that the record has not',
      writing({ fields: { ...FIELDS, user: 'u' } }),
      'bindings.one.writes.0.fields.user: CouponIssueRequested has requestId',
    ],
    [
      'a field that is missing',
      writing({ fields: { userId: 'u', couponId: 'c' } }),
      'bindings.one.writes.0.fields.requestId: CouponIssueRequested needs it',
    ],
    [
      'JSONata that is none',
      writing({ fields: { ...FIELDS, userId: '$id(' } }),
      'bindings.one.writes.0.fields.userId: ',
    ],
    [
      'two of one name',
      changed({ bindings: [...good.bindings, ...good.bindings] }),
      'bindings.one: there are two of this name',
    ],
    ['a topic without use', changed({ topics: { theirs: {}, idle: {} } }), 'topics.idle: no binding uses it'],
    [
      'one of our own names',
      changed({ topics: { theirs: {}, 'order.completed': {} } }),
      'topics.order.completed: order.completed is a topic of this program; give the profile a prefix',
    ],
    [
      'Avro without a schema',
      changed({ topics: { theirs: { format: 'avro' } } }),
      'topics.theirs: Avro needs schema and schemaId',
    ],
    [
      'a view of what there is not',
      changed({ views: ['nowhere'] }),
      'views.0: this program has no topic nowhere',
    ],
  ])('with %s is refused', (_, profile, problem) => {
    expect(problems(profile).some((one) => one.startsWith(problem))).toBe(true)
  })

  it('says everything that is wrong at once, and in which file', () => {
    const bad = writing({ to: 'coupon.issue.requested', fields: { couponId: '$idd(c)', shrad: '1' } })
    expect(() => compileProfile(bad, 'shop.json', topics)).toThrow(/^shop.json: .*\$idd\nshop.json: .*shrad/)
    expect(problems(bad)).toHaveLength(4)
  })

  it('that reads what it writes is a loop', () => {
    const out = {
      name: 'two',
      direction: 'out',
      from: 'coupon.issued',
      writes: [{ to: 'theirs', fields: { a: 'userId' } }],
    } as const
    expect(problems(changed({ bindings: [...good.bindings, out] }))).toEqual([
      'topics.theirs: is read and written: a loop',
    ])
  })
})

describe('profiles together', () => {
  it('ship for five shops', async () => {
    const all = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((shop) => shipped(`${shop}/profile`)))
    expect(() => checkTogether(all)).not.toThrow()
  })

  it('may not have one name twice, nor a loop between them', async () => {
    const [c, own] = [await shipped('c/profile'), await shipped('c/own-saga')]
    expect(() => checkTogether([c, c])).toThrow('another profile has a binding c-coupon-issue')
    expect(() => checkTogether([own, c])).toThrow(
      /own-saga.json: topics.coupon-restore-topic: c \(.*\) writes it: a loop/,
    )
  })
})
