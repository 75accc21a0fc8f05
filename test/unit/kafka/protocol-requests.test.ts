/** Every request, byte for byte as Kafka's own client writes it. */
import { describe, expect, it } from 'vitest'
import { describeConfigs, incrementalAlterConfigs } from '../../../transports/kafka/protocol/configs.ts'
import { fetch } from '../../../transports/kafka/protocol/fetch.ts'
import { deleteGroups, describeGroups } from '../../../transports/kafka/protocol/group-list.ts'
import {
  findCoordinator,
  heartbeat,
  joinGroup,
  leaveGroup,
  syncGroup,
} from '../../../transports/kafka/protocol/groups.ts'
import { LATEST, listOffsets } from '../../../transports/kafka/protocol/list-offsets.ts'
import { metadata } from '../../../transports/kafka/protocol/metadata.ts'
import { offsetCommit, offsetDelete, offsetFetch } from '../../../transports/kafka/protocol/offsets.ts'
import { produce, type ProduceVersion } from '../../../transports/kafka/protocol/produce.ts'
import type { KafkaRequest } from '../../../transports/kafka/protocol/request.ts'
import {
  BROKER_DEFAULT,
  createPartitions,
  createTopics,
  deleteRecords,
  deleteTopics,
} from '../../../transports/kafka/protocol/topics.ts'
import {
  describeTransactions,
  listTransactions,
} from '../../../transports/kafka/protocol/transaction-list.ts'
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  endTxn,
  initProducerId,
  NO_PRODUCER,
  txnOffsetCommit,
} from '../../../transports/kafka/protocol/transactions.ts'
import { apiVersions } from '../../../transports/kafka/protocol/versions.ts'
import { messageFixtures } from './fixtures/index.ts'

/** The empty tag section that ends the header of a flexible version. */
const HEADER_TAGS = Buffer.from([0])
/** One that is none. */
const CLASSIC = 'OffsetDelete v0 request'
const BIG_ID = 9007199254740993n

const producer = { transactionalId: 'tx-1', producerId: BIG_ID, producerEpoch: 3 }
const member = { group: 'shop', generation: 12, member: 'm-1', instance: 'i-1' }
const bytes = (hex: string) => Buffer.from(hex, 'hex')

function produced(version: ProduceVersion): KafkaRequest<unknown> {
  return produce(version, {
    transactionalId: 'tx-1',
    timeoutMs: 30_000,
    topics: [
      {
        topic: 'orders',
        partitions: [
          { partition: 0, batch: bytes('0102030405') },
          { partition: 7, batch: bytes('aa') },
        ],
      },
      { topic: 't', partitions: [{ partition: 1, batch: bytes('bbcc') }] },
    ],
  })
}

function committed(version: 3 | 4 | 5): KafkaRequest<unknown> {
  const by = version === 4 ? { ...member, instance: null } : member
  return txnOffsetCommit(version, producer, by, [
    {
      topic: 'orders',
      partitions: [
        { partition: 0, offset: 5_000_000_000, metadata: '{}' },
        { partition: 1, offset: 0, metadata: null },
      ],
    },
  ])
}

const requests: Readonly<Record<string, KafkaRequest<unknown>>> = {
  'ApiVersions v3 request': apiVersions({ name: 'millrace', version: '0.1.0' }),
  'Metadata v12 request': metadata(['orders', 'größe']),
  'Metadata v12 request for all topics': metadata(null),
  'Produce v9 request': produced(9),
  'Produce v10 request': produced(10),
  'Produce v11 request': produced(11),
  'Produce v12 request': produced(12),
  'Produce v9 request outside transactions': produce(9, { transactionalId: null, timeoutMs: 1, topics: [] }),
  'Fetch v13 request': fetch(
    {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 52_428_800,
      isolationLevel: 'read_committed',
      topics: [
        {
          topicId: 'AQIDBAUGBwgJCgsMDQ4PEA',
          partitions: [
            {
              partition: 0,
              currentLeaderEpoch: 5,
              fetchOffset: 5_000_000_000,
              partitionMaxBytes: 1_048_576,
            },
            { partition: 3, currentLeaderEpoch: -1, fetchOffset: 0, partitionMaxBytes: 1 },
          ],
        },
      ],
    },
    10_000,
  ),
  'ListOffsets v7 request': listOffsets('read_committed', [
    {
      topic: 'orders',
      partitions: [
        { partition: 0, currentLeaderEpoch: 5, timestamp: LATEST },
        { partition: 1, currentLeaderEpoch: -1, timestamp: 1_700_000_000_000 },
      ],
    },
  ]),
  'InitProducerId v4 request': initProducerId({
    transactionalId: 'tx-1',
    transactionTimeoutMs: 60_000,
    producer,
  }),
  'InitProducerId v4 request of a new producer': initProducerId({
    transactionalId: null,
    transactionTimeoutMs: 60_000,
    producer: NO_PRODUCER,
  }),
  'AddPartitionsToTxn v3 request': addPartitionsToTxn(producer, [
    { topic: 'orders', partitions: [0, 7] },
    { topic: 't', partitions: [1] },
  ]),
  'AddOffsetsToTxn v3 request': addOffsetsToTxn(producer, 'shop'),
  'EndTxn v3 request': endTxn(3, producer, true),
  'EndTxn v4 request': endTxn(4, producer, false),
  'EndTxn v5 request': endTxn(5, producer, true),
  'TxnOffsetCommit v3 request': committed(3),
  'TxnOffsetCommit v4 request': committed(4),
  'TxnOffsetCommit v5 request': committed(5),
  'ListTransactions v0 request': listTransactions({ states: ['Ongoing'], producerIds: [BIG_ID] }),
  'ListTransactions v1 request': listTransactions({ states: [], producerIds: [], openForMs: 1000 }),
  'DescribeTransactions v0 request': describeTransactions(['tx-1', 'tx-2']),
  'FindCoordinator v4 request for a group': findCoordinator('group', ['shop']),
  'FindCoordinator v4 request for transactions': findCoordinator('transaction', ['tx-1', 'tx-2']),
  'JoinGroup v9 request': joinGroup(
    {
      ...member,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 60_000,
      protocolType: 'consumer',
      protocols: [
        { name: 'millrace', metadata: bytes('000102') },
        { name: 'other', metadata: bytes('') },
      ],
      reason: 'started',
    },
    60_000,
  ),
  'JoinGroup v9 request at first': joinGroup(
    {
      group: 'shop',
      member: '',
      instance: null,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 60_000,
      protocolType: 'consumer',
      protocols: [],
      reason: null,
    },
    60_000,
  ),
  'SyncGroup v5 request': syncGroup(
    {
      ...member,
      protocolType: 'consumer',
      protocolName: 'millrace',
      assignments: [
        { member: 'm-1', assignment: bytes('0a0b') },
        { member: 'm-2', assignment: bytes('') },
      ],
    },
    60_000,
  ),
  'Heartbeat v4 request': heartbeat({ ...member, instance: null }),
  'LeaveGroup v5 request': leaveGroup('shop', [
    { member: 'm-1', instance: null, reason: 'stopped' },
    { member: '', instance: 'i-2', reason: null },
  ]),
  'DescribeGroups v5 request': describeGroups(['shop']),
  'DeleteGroups v2 request': deleteGroups(['shop', 'other']),
  'OffsetFetch v8 request': offsetFetch(
    [
      { group: 'shop', topics: [{ topic: 'orders', partitions: [0, 1] }] },
      { group: 'all', topics: null },
    ],
    true,
  ),
  'OffsetCommit v8 request': offsetCommit(member, [
    { topic: 'orders', partitions: [{ partition: 0, offset: 5_000_000_000, metadata: '' }] },
  ]),
  'OffsetDelete v0 request': offsetDelete('shop', [{ topic: 'orders', partitions: [0, 5] }]),
  'CreateTopics v7 request': createTopics(
    [
      {
        name: 'orders',
        partitions: 60,
        replicationFactor: BROKER_DEFAULT,
        configs: [
          { name: 'cleanup.policy', value: 'compact' },
          { name: 'retention.ms', value: null },
        ],
      },
      { name: 't', partitions: 1, replicationFactor: 3, configs: [] },
    ],
    { timeoutMs: 30_000, validateOnly: true },
  ),
  'CreatePartitions v3 request': createPartitions([{ name: 'orders', partitions: 120 }], {
    timeoutMs: 30_000,
    validateOnly: false,
  }),
  'DeleteTopics v6 request': deleteTopics(['orders', 't'], 30_000),
  'DeleteRecords v2 request': deleteRecords(
    [
      {
        topic: 'orders',
        partitions: [
          { partition: 0, offset: 5_000_000_000 },
          { partition: 1, offset: -1 },
        ],
      },
    ],
    30_000,
  ),
  'DescribeConfigs v4 request': describeConfigs([
    { type: 'topic', name: 'orders', keys: ['retention.ms'] },
    { type: 'broker', name: '1', keys: null },
  ]),
  'IncrementalAlterConfigs v1 request': incrementalAlterConfigs(
    [
      {
        type: 'topic',
        name: 'orders',
        changes: [
          { name: 'retention.ms', operation: 'set', value: '1' },
          { name: 'cleanup.policy', operation: 'append', value: 'delete' },
          { name: 'segment.ms', operation: 'delete', value: null },
        ],
      },
    ],
    true,
  ),
}

describe('requests', () => {
  it.each(messageFixtures('request'))('$name', ({ name, message, version, bytes: expected }) => {
    const request = requests[name]
    expect(request).toBeDefined()
    expect(request?.apiVersion).toBe(version)
    expect(`${request?.apiName}RequestData`).toBe(message)
    const whole = name === CLASSIC ? expected : Buffer.concat([HEADER_TAGS, expected])
    expect(request?.encode().toString('hex')).toBe(whole.toString('hex'))
  })

  it('are all compared', () => {
    const compared = messageFixtures('request').map(({ name }) => name)
    expect(Object.keys(requests).toSorted()).toEqual(compared.toSorted())
  })

  it('say how long their answer may take where the broker waits with it', () => {
    const slow = ['Fetch v13 request', 'JoinGroup v9 request', 'SyncGroup v5 request']
    expect(slow.map((name) => requests[name]?.timeoutMs)).toEqual([10_000, 60_000, 60_000])
    expect(requests['Heartbeat v4 request']).not.toHaveProperty('timeoutMs')
  })

  it('give the same bytes when they are encoded again', () => {
    const request = produced(12)
    expect(request.encode()).toEqual(request.encode())
  })

  it('refuse offsets that are no safe integers', () => {
    const far = offsetCommit(member, [
      { topic: 't', partitions: [{ partition: 0, offset: 2 ** 53, metadata: null }] },
    ])
    expect(() => far.encode()).toThrow(RangeError)
  })

  it('refuse names of the client that brokers refuse', () => {
    expect(() => apiVersions({ name: 'mill race', version: '1' })).toThrow(RangeError)
  })
})
