import { expect, test } from 'vitest'
import { topicSpecsOf, type TopicUse } from '../../../streams/index.ts'
import { catalog, wallet } from '../../../topologies/index.ts'

const couponWallet = wallet()

const topicSpec = ({ name, cleanup, timestamps }: TopicUse) => ({
  name,
  cleanup,
  timestamps,
  partitions: name === 'product.catalog' ? 3 : 6,
  retentionMs: 1_000,
  retentionBytes: 2_000,
})

test('topologies need what they read, what they cannot read, and their changelogs', () => {
  const specs = topicSpecsOf({ application: 'shop', topologies: [catalog], topicSpec, changelogs: true })
  expect(specs.map(({ name, partitions, cleanup }) => [name, partitions, cleanup])).toEqual([
    ['product.catalog', 3, 'compact'],
    ['product.catalog.dlq', 6, 'delete'],
    // One partition per task.
    ['shop-catalog-products-changelog', 3, 'compact'],
    ['shop-catalog-0-timers-changelog', 3, 'compact'],
  ])
  expect(specs.at(-1)).toMatchObject({ retentionMs: Number.POSITIVE_INFINITY, timestamps: 'CreateTime' })
})

test('a log that keeps the state itself needs no changelogs', () => {
  const specs = topicSpecsOf({ application: 'shop', topologies: [catalog], topicSpec, changelogs: false })
  expect(specs.map(({ name }) => name)).toEqual(['product.catalog', 'product.catalog.dlq'])
})

test('each is there once, unless it is wanted in two ways', () => {
  const topologies = [couponWallet, couponWallet]
  const options = { application: 'shop', topologies, changelogs: true }
  const names = topicSpecsOf({ ...options, topicSpec }).map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  let calls = 0
  const restless = (use: TopicUse) => ({ ...topicSpec(use), retentionMs: ++calls })
  const twice = topicSpecsOf({ ...options, topicSpec: restless }).filter(
    ({ name }) => name === 'coupon.issued',
  )
  expect(twice).toHaveLength(2)
})
