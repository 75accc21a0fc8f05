import { describe, expect, test } from 'vitest'
import type { TopicSpec } from '../../../streams/index.ts'
import {
  checkedSpecs,
  alterableDifferences,
  fixedDifferences,
  newTopicConfigs,
} from '../../../transports/kafka/topic-configs.ts'

const orders: TopicSpec = {
  name: 'orders',
  partitions: 6,
  cleanup: 'delete',
  timestamps: 'CreateTime',
  retentionMs: 3_600_000,
  retentionBytes: Number.POSITIVE_INFINITY,
}
const changelog: TopicSpec = { ...orders, name: 'changelog', cleanup: 'compact' }

const configs = (spec: TopicSpec, minInSync?: number) =>
  Object.fromEntries(newTopicConfigs(spec, minInSync).map(({ name, value }) => [name, value]))

describe('a new topic', () => {
  test('leaves records from the future to the policy of the source', () => {
    expect(configs(orders)).toEqual({
      'cleanup.policy': 'delete',
      'message.timestamp.type': 'CreateTime',
      'message.timestamp.after.max.ms': '9223372036854775807',
      'retention.ms': '3600000',
      'retention.bytes': '-1',
    })
    expect(configs({ ...orders, timestamps: 'LogAppendTime' })).not.toHaveProperty([
      'message.timestamp.after.max.ms',
    ])
  })

  test('has no retention where it is compacted', () => {
    expect(configs(changelog)).toMatchObject({ 'cleanup.policy': 'compact', 'segment.bytes': '52428800' })
    expect(configs(changelog)).not.toHaveProperty(['retention.ms'])
  })

  test('is cleaned within a day where what is deleted must go, and else when it is worth it', () => {
    expect(configs({ ...changelog, erasable: true })).toMatchObject({ 'max.compaction.lag.ms': '86400000' })
    expect(configs(changelog)).not.toHaveProperty(['max.compaction.lag.ms'])
  })

  test('has as many copies in sync as the options say', () => {
    expect(configs(orders, 2)).toMatchObject({ 'min.insync.replicas': '2' })
  })
})

describe('an existing topic', () => {
  const found = {
    partitions: 3,
    configs: new Map([
      ['cleanup.policy', 'compact,delete'],
      ['message.timestamp.type', 'CreateTime'],
      ['retention.ms', '604800000'],
      ['retention.bytes', '-1'],
    ]),
  }

  test('differs in each setting that is not as wanted', () => {
    expect(fixedDifferences(orders, found)).toEqual([
      { setting: 'partitions', wanted: '6', found: '3' },
      { setting: 'cleanup.policy', wanted: 'delete', found: 'compact,delete' },
    ])
    expect(alterableDifferences(orders, found)).toEqual([
      { setting: 'retention.ms', wanted: '3600000', found: '604800000' },
    ])
  })

  test('may have any retention where it is compacted', () => {
    expect(alterableDifferences(changelog, found)).toEqual([])
  })

  test('is altered where what is deleted from it would stay', () => {
    expect(alterableDifferences({ ...changelog, erasable: true }, found)).toEqual([
      { setting: 'max.compaction.lag.ms', wanted: '86400000', found: 'nothing' },
    ])
  })

  test('whose configs are not told differs in all of them', () => {
    expect(fixedDifferences(orders, { partitions: 6, configs: new Map() })).toMatchObject([
      { setting: 'cleanup.policy', found: 'nothing' },
      { setting: 'message.timestamp.type', found: 'nothing' },
    ])
  })
})

describe('specs', () => {
  test('that are the same are one', () => {
    expect(checkedSpecs([orders, changelog, { ...orders }])).toEqual([orders, changelog])
  })

  test('of one name that differ are refused', () => {
    expect(() => checkedSpecs([orders, { ...orders, retentionMs: 1 }])).toThrow(
      'orders is wanted in two ways',
    )
  })

  test.each([
    { name: '' },
    { name: 'a b' },
    { name: '..' },
    { name: 'x'.repeat(250) },
    { partitions: 0 },
    { partitions: 1.5 },
    { partitions: -1 },
    { retentionMs: 0 },
    { retentionMs: Number.NaN },
    { retentionBytes: -1 },
  ])('with $name$partitions$retentionMs$retentionBytes are refused', (wrong) => {
    expect(() => checkedSpecs([{ ...orders, ...wrong }])).toThrow(
      expect.objectContaining({ code: 'TOPIC_MISMATCH' }),
    )
  })
})
