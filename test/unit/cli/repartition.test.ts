import { describe, expect, test } from 'vitest'
import { RowSum } from '../../../cli/pipeline/repartition/compare-rows.ts'
import { planRepartition } from '../../../cli/pipeline/repartition/plan.ts'
import { recordKeyOf, tells } from '../../../cli/pipeline/repartition/row-keys.ts'
import { timerStoreName } from '../../../state/index.ts'
import {
  bestSellers,
  campaignStore,
  carts,
  catalog,
  claimStore,
  couponIssuance,
  privacy,
  sentinel,
  users,
  wallet,
} from '../../../topologies/index.ts'

const deciding = [couponIssuance, wallet(), catalog, bestSellers()]

function topicsWith(topic: string, topologies = deciding): readonly string[] {
  return planRepartition(topologies, [topic]).topics.toSorted()
}

describe('what goes together', () => {
  test('is what the same tasks read, over however many', () => {
    expect(topicsWith('product.catalog')).toEqual(['product.catalog'])
    expect(topicsWith('order.returned')).toEqual(['order.cancelled', 'order.confirmed', 'order.returned'])
    expect(topicsWith('coupon.issue.requested')).toEqual([
      'coupon.campaign.requested',
      'coupon.issue.requested',
    ])
    expect(topicsWith('coupon.issue.requested', [...deciding, sentinel()])).toEqual([
      'coupon.campaign',
      'coupon.campaign.requested',
      'coupon.issue.rejected',
      'coupon.issue.requested',
      'coupon.issued',
      'coupon.quota',
    ])
  })

  test('has its readers, and their dead letters', () => {
    const { readers, deadLetters } = planRepartition(deciding, ['coupon.issue.requested'])
    expect(readers.map(({ topology }) => topology.name)).toEqual(['coupon-issuance'])
    expect(deadLetters.toSorted()).toEqual(['coupon.campaign.requested.dlq', 'coupon.issue.requested.dlq'])
  })
})

describe('the record that a row belongs to', () => {
  const specs = [campaignStore, claimStore]
  const keyOf = (store: string, key: string) =>
    recordKeyOf(specs, store, Buffer.from(key, 'latin1')).toString()

  test('is told by the key, its first part, or that of a timer', () => {
    expect(keyOf('campaigns', campaignStore.key.encode('spring'))).toBe('spring')
    expect(keyOf('claims', claimStore.key.encode(['spring', 'ann']))).toBe('spring')
    expect(keyOf(timerStoreName, 'wissuer/quota\x00spring')).toBe('spring')
    const ofPair = Buffer.from('["änn","c-1"]').toString('latin1')
    expect(keyOf(timerStoreName, `wwallet-keeper/expiry\x00${ofPair}`)).toBe('änn')
  })

  test.each([wallet(), carts, users, privacy, catalog, couponIssuance])(
    'is told by all keys of $name',
    ({ subTopologies }) => {
      expect(subTopologies.flatMap(({ stores }) => stores.filter((spec) => !tells(spec)))).toEqual([])
    },
  )

  test('is not told by every key', () => {
    expect(() => keyOf(timerStoreName, 'wranker/send\x00hour|5')).toThrow('set for no record')
    const untold = bestSellers().subTopologies.map(
      ({ stores }) => stores.filter((spec) => !tells(spec)).length,
    )
    expect(untold).toEqual([0, 5, 4])
  })
})

describe('the sum of rows', () => {
  const row = (key: string, value: string, version = 1) => {
    return { key: Buffer.from(key), value: Buffer.from(value), version }
  }
  const sumOf = (...rows: readonly ReturnType<typeof row>[]): RowSum => {
    const sum = new RowSum()
    for (const one of rows) sum.add(one)
    return sum
  }

  test('is the same in whatever order they come', () => {
    const rows = [row('a', '1'), row('b', '2'), row('c', '3')]
    expect(sumOf(...rows).equals(sumOf(...rows.toReversed()))).toBe(true)
  })

  test.each([[row('a', '2')], [row('a1', '')], [row('a', '1', 2)], [], [row('a', '1'), row('a', '1')]])(
    'is another for other rows',
    (...rows) => {
      expect(sumOf(...rows).equals(sumOf(row('a', '1')))).toBe(false)
    },
  )
})
