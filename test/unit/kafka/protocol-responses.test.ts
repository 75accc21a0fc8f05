/** Every answer as Kafka's own broker writes it, and what becomes of answers that are damaged. */
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
import { listOffsets } from '../../../transports/kafka/protocol/list-offsets.ts'
import { metadata } from '../../../transports/kafka/protocol/metadata.ts'
import { offsetCommit, offsetDelete, offsetFetch } from '../../../transports/kafka/protocol/offsets.ts'
import { produce, type ProduceVersion } from '../../../transports/kafka/protocol/produce.ts'
import { ProtocolError } from '../../../transports/kafka/protocol/protocol-error.ts'
import type { KafkaRequest } from '../../../transports/kafka/protocol/request.ts'
import {
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
import { type MessageFixture, messageFixtures } from './fixtures/index.ts'

const BIG_ID = 9007199254740993n
const TOPIC_ID = 'AQIDBAUGBwgJCgsMDQ4PEA'
const NO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'

const producer = { transactionalId: 'tx-1', ...NO_PRODUCER }
const member = { group: 'shop', generation: 12, member: 'm-1', instance: null }
const change = { timeoutMs: 1, validateOnly: false }
const bytes = (hex: string) => Buffer.from(hex, 'hex')
const orders = <P>(...partitions: P[]) => [{ topic: 'orders', partitions }]
const nothing = { apis: new Map(), supportedFeatures: new Map(), finalizedFeatures: new Map() }

const client = apiVersions({ name: 'millrace', version: '0.1.0' })
const joining = joinGroup(
  {
    ...member,
    sessionTimeoutMs: 1,
    rebalanceTimeoutMs: 1,
    protocolType: 'consumer',
    protocols: [],
    reason: null,
  },
  1,
)
const listed = {
  throttleMs: 1,
  errorCode: 0,
  unknownStates: ['Odd'],
  transactions: [{ transactionalId: 'tx-1', producerId: BIG_ID, state: 'Ongoing' }],
}
const offsetsAnswer = {
  throttleMs: 1,
  topics: orders({ partition: 0, errorCode: 0 }, { partition: 1, errorCode: 22 }),
}

function produced(version: ProduceVersion): [KafkaRequest<unknown>, unknown] {
  const partitions = [
    {
      partition: 0,
      errorCode: 0,
      baseOffset: 123_456_789_012,
      logAppendTimeMs: -1,
      logStartOffset: 5,
      recordErrors: [],
      errorMessage: null,
      currentLeader: undefined,
    },
    {
      partition: 7,
      errorCode: 6,
      baseOffset: -1,
      logAppendTimeMs: 1_700_000_000_000,
      logStartOffset: -1,
      recordErrors: [
        { index: 2, message: 'bad key' },
        { index: 3, message: null },
      ],
      errorMessage: 'not here',
      currentLeader: version >= 10 ? { leader: 3, leaderEpoch: 9 } : undefined,
    },
  ]
  const request = produce(version, { transactionalId: null, timeoutMs: 1, topics: [] })
  return [request, { throttleMs: 11, topics: [{ topic: 'orders', partitions }] }]
}

const answers: Readonly<Record<string, [KafkaRequest<unknown>, unknown]>> = {
  'ApiVersions v3 response': [
    client,
    {
      errorCode: 0,
      throttleMs: 7,
      apis: new Map([
        [0, { min: 3, max: 13 }],
        [18, { min: 0, max: 4 }],
      ]),
      supportedFeatures: new Map([['transaction.version', { min: 0, max: 2 }]]),
      finalizedFeatures: new Map([['transaction.version', { min: 1, max: 2 }]]),
    },
  ],
  'ApiVersions v3 response of a bare broker': [client, { ...nothing, errorCode: 0, throttleMs: 0 }],
  'ApiVersions v0 response of an old broker': [
    client,
    { ...nothing, errorCode: 35, throttleMs: 0, apis: new Map([[18, { min: 0, max: 2 }]]) },
  ],
  'Metadata v12 response': [
    metadata(null),
    {
      throttleMs: 3,
      brokers: [
        { nodeId: 1, host: 'kafka-1', port: 9092, rack: 'a' },
        { nodeId: 2, host: 'kafka-2', port: 9093, rack: null },
      ],
      clusterId: 'abc',
      controllerId: 2,
      topics: [
        {
          errorCode: 0,
          topic: 'orders',
          topicId: TOPIC_ID,
          internal: false,
          partitions: [
            {
              errorCode: 0,
              partition: 0,
              leader: 1,
              leaderEpoch: 5,
              replicas: [1, 2],
              isr: [1],
              offlineReplicas: [2],
            },
            {
              errorCode: 5,
              partition: 1,
              leader: -1,
              leaderEpoch: 6,
              replicas: [2],
              isr: [],
              offlineReplicas: [],
            },
          ],
        },
        { errorCode: 3, topic: 'gone', topicId: NO_ID, internal: true, partitions: [] },
      ],
    },
  ],
  'Produce v9 response': produced(9),
  'Produce v10 response': produced(10),
  'Produce v11 response': produced(11),
  'Produce v12 response': produced(12),
  'Fetch v13 response': [
    fetch({ maxWaitMs: 1, minBytes: 1, maxBytes: 1, isolationLevel: 'read_committed', topics: [] }, 1),
    {
      throttleMs: 2,
      errorCode: 0,
      topics: [
        {
          topicId: TOPIC_ID,
          partitions: [
            {
              partition: 0,
              errorCode: 0,
              highWatermark: 5_000_000_010,
              lastStableOffset: 5_000_000_009,
              logStartOffset: 1,
              divergingEpoch: undefined,
              currentLeader: undefined,
              abortedTransactions: [
                { producerId: BIG_ID, firstOffset: 5_000_000_001 },
                { producerId: 4n, firstOffset: 12 },
              ],
              records: bytes('0102030405060708'),
            },
            {
              partition: 1,
              errorCode: 6,
              highWatermark: -1,
              lastStableOffset: -1,
              logStartOffset: -1,
              divergingEpoch: undefined,
              currentLeader: { leader: 2, leaderEpoch: 8 },
              abortedTransactions: null,
              records: bytes(''),
            },
            {
              partition: 2,
              errorCode: 0,
              highWatermark: 10,
              lastStableOffset: 9,
              logStartOffset: 1,
              divergingEpoch: { epoch: 4, endOffset: 6 },
              currentLeader: undefined,
              abortedTransactions: [],
              records: bytes(''),
            },
          ],
        },
      ],
    },
  ],
  'ListOffsets v7 response': [
    listOffsets('read_uncommitted', []),
    {
      throttleMs: 1,
      topics: orders(
        { partition: 0, errorCode: 0, timestamp: -1, offset: 99, leaderEpoch: 5 },
        { partition: 1, errorCode: 78, timestamp: 1_700_000_000_000, offset: -1, leaderEpoch: -1 },
      ),
    },
  ],
  'InitProducerId v4 response': [
    initProducerId({ transactionalId: null, transactionTimeoutMs: 1, producer: NO_PRODUCER }),
    { throttleMs: 1, errorCode: 51, producerId: BIG_ID, producerEpoch: 4 },
  ],
  'AddPartitionsToTxn v3 response': [
    addPartitionsToTxn(producer, []),
    {
      throttleMs: 1,
      topics: orders({ partition: 0, errorCode: 0 }, { partition: 7, errorCode: 55 }),
    },
  ],
  'AddOffsetsToTxn v3 response': [addOffsetsToTxn(producer, 'shop'), { throttleMs: 1, errorCode: 51 }],
  'EndTxn v3 response': [endTxn(3, producer, true), { throttleMs: 1, errorCode: 0, next: undefined }],
  'EndTxn v4 response': [endTxn(4, producer, true), { throttleMs: 1, errorCode: 0, next: undefined }],
  'EndTxn v5 response': [
    endTxn(5, producer, true),
    { throttleMs: 1, errorCode: 0, next: { producerId: BIG_ID, producerEpoch: 4 } },
  ],
  'TxnOffsetCommit v3 response': [txnOffsetCommit(3, producer, member, []), offsetsAnswer],
  'TxnOffsetCommit v4 response': [txnOffsetCommit(4, producer, member, []), offsetsAnswer],
  'TxnOffsetCommit v5 response': [txnOffsetCommit(5, producer, member, []), offsetsAnswer],
  'ListTransactions v0 response': [listTransactions({ states: [], producerIds: [] }), listed],
  'ListTransactions v1 response': [listTransactions({ states: [], producerIds: [], openForMs: 1 }), listed],
  'DescribeTransactions v0 response': [
    describeTransactions([]),
    {
      throttleMs: 1,
      transactions: [
        {
          errorCode: 0,
          transactionalId: 'tx-1',
          state: 'Ongoing',
          timeoutMs: 60_000,
          startTimeMs: 1_700_000_000_000,
          producerId: BIG_ID,
          producerEpoch: 3,
          topics: orders(0, 7),
        },
      ],
    },
  ],
  'FindCoordinator v4 response': [
    findCoordinator('transaction', []),
    {
      throttleMs: 1,
      coordinators: [
        { key: 'tx-1', nodeId: 1, host: 'kafka-1', port: 9092, errorCode: 0, errorMessage: '' },
        { key: 'tx-2', nodeId: -1, host: '', port: -1, errorCode: 15, errorMessage: null },
      ],
    },
  ],
  'JoinGroup v9 response': [
    joining,
    {
      throttleMs: 1,
      errorCode: 0,
      generation: 12,
      protocolType: 'consumer',
      protocolName: 'millrace',
      leader: 'm-1',
      skipAssignment: true,
      member: 'm-1',
      members: [
        { member: 'm-1', instance: 'i-1', metadata: bytes('000102') },
        { member: 'm-2', instance: null, metadata: bytes('') },
      ],
    },
  ],
  'JoinGroup v9 response at first': [
    joining,
    {
      throttleMs: 0,
      errorCode: 79,
      generation: -1,
      protocolType: null,
      protocolName: null,
      leader: '',
      skipAssignment: false,
      member: 'm-9',
      members: [],
    },
  ],
  'SyncGroup v5 response': [
    syncGroup({ ...member, protocolType: 'consumer', protocolName: 'millrace', assignments: [] }, 1),
    {
      throttleMs: 1,
      errorCode: 0,
      protocolType: 'consumer',
      protocolName: null,
      assignment: bytes('0a0b'),
    },
  ],
  'Heartbeat v4 response': [heartbeat(member), { throttleMs: 1, errorCode: 27 }],
  'LeaveGroup v5 response': [
    leaveGroup('shop', []),
    {
      throttleMs: 1,
      errorCode: 0,
      members: [
        { member: 'm-1', instance: null, errorCode: 25 },
        { member: '', instance: 'i-2', errorCode: 0 },
      ],
    },
  ],
  'DescribeGroups v5 response': [
    describeGroups([]),
    {
      throttleMs: 1,
      groups: [
        {
          errorCode: 0,
          group: 'shop',
          state: 'Stable',
          protocolType: 'consumer',
          protocolName: 'millrace',
          members: [
            {
              member: 'm-1',
              instance: 'i-1',
              clientId: 'c',
              clientHost: '/127.0.0.1',
              metadata: bytes('01'),
              assignment: bytes('0203'),
            },
          ],
        },
      ],
    },
  ],
  'OffsetDelete v0 response': [
    offsetDelete('', []),
    {
      throttleMs: 1,
      errorCode: 0,
      topics: [{ topic: 'orders', partitions: [{ partition: 0, errorCode: 86 }] }],
    },
  ],
  'DeleteGroups v2 response': [
    deleteGroups([]),
    {
      throttleMs: 1,
      results: [
        { group: 'shop', errorCode: 0 },
        { group: 'other', errorCode: 68 },
      ],
    },
  ],
  'OffsetFetch v8 response': [
    offsetFetch([], true),
    {
      throttleMs: 1,
      groups: [
        {
          group: 'shop',
          errorCode: 0,
          topics: orders(
            { partition: 0, offset: 5_000_000_000, leaderEpoch: 5, metadata: '{}', errorCode: 0 },
            { partition: 1, offset: -1, leaderEpoch: -1, metadata: null, errorCode: 88 },
          ),
        },
        { group: 'all', errorCode: 16, topics: [] },
      ],
    },
  ],
  'OffsetCommit v8 response': [
    offsetCommit(member, []),
    { throttleMs: 1, topics: orders({ partition: 0, errorCode: 27 }) },
  ],
  'CreateTopics v7 response': [
    createTopics([], change),
    {
      throttleMs: 1,
      topics: [
        {
          name: 'orders',
          topicId: TOPIC_ID,
          errorCode: 0,
          errorMessage: null,
          partitions: 60,
          replicationFactor: 3,
        },
        {
          name: 't',
          topicId: NO_ID,
          errorCode: 36,
          errorMessage: 'exists',
          partitions: -1,
          replicationFactor: -1,
        },
      ],
    },
  ],
  'CreatePartitions v3 response': [
    createPartitions([], change),
    { throttleMs: 1, topics: [{ name: 'orders', errorCode: 37, errorMessage: 'fewer' }] },
  ],
  'DeleteTopics v6 response': [
    deleteTopics([], 1),
    {
      throttleMs: 1,
      topics: [
        { name: 'orders', errorCode: 0, errorMessage: null },
        { name: 't', errorCode: 3, errorMessage: 'unknown' },
      ],
    },
  ],
  'DeleteRecords v2 response': [
    deleteRecords([], 1),
    {
      throttleMs: 1,
      topics: orders(
        { partition: 0, lowWatermark: 5_000_000_000, errorCode: 0 },
        { partition: 1, lowWatermark: -1, errorCode: 6 },
      ),
    },
  ],
  'DescribeConfigs v4 response': [
    describeConfigs([]),
    {
      throttleMs: 1,
      resources: [
        {
          errorCode: 0,
          errorMessage: null,
          name: 'orders',
          configs: [
            { name: 'retention.ms', value: '1', readOnly: false, sensitive: false, inherited: false },
            { name: 'min.insync.replicas', value: '2', readOnly: false, sensitive: false, inherited: true },
          ],
        },
        {
          errorCode: 0,
          errorMessage: '',
          name: '1',
          configs: [
            { name: 'min.insync.replicas', value: '2', readOnly: false, sensitive: false, inherited: false },
            { name: 'ssl.key', value: null, readOnly: true, sensitive: true, inherited: true },
          ],
        },
      ],
    },
  ],
  'IncrementalAlterConfigs v1 response': [
    incrementalAlterConfigs([], false),
    { throttleMs: 1, resources: [{ errorCode: 40, errorMessage: 'no', name: 'orders' }] },
  ],
}

const fixtures = messageFixtures('response')
/** Those that end with an empty tag section. */
const untagged = fixtures.filter(({ name }) => !/^(ApiVersions|OffsetDelete|Produce v1)/.test(name))

/** ApiVersions is answered without the tag section that ends other headers. */
function responseOf({ message, bytes: body }: MessageFixture): Buffer {
  return /^(ApiVersions|OffsetDelete)/.test(message) ? body : Buffer.concat([Buffer.from([0]), body])
}

function decode(name: string, response: Buffer): unknown {
  return answers[name]?.[0].decode(response)
}

describe('answers', () => {
  it.each(fixtures)('$name', (fixture) => {
    const [request, expected] = answers[fixture.name] ?? []
    expect(`${request?.apiName}ResponseData`).toBe(fixture.message)
    expect(request?.decode(responseOf(fixture))).toEqual(expected)
  })

  it('are all compared', () => {
    expect(Object.keys(answers).toSorted()).toEqual(fixtures.map(({ name }) => name).toSorted())
  })

  it('hold records as a view of the response', () => {
    const fixture = fixtures.find(({ name }) => name === 'Fetch v13 response') as MessageFixture
    const response = responseOf(fixture)
    const request = fetch(
      { maxWaitMs: 1, minBytes: 1, maxBytes: 1, isolationLevel: 'read_committed', topics: [] },
      1,
    )
    const records = request.decode(response).topics[0]?.partitions[0]?.records
    expect(records?.buffer).toBe(response.buffer)
  })
})

describe('damaged answers', () => {
  it.each(fixtures)('$name cut anywhere is refused', (fixture) => {
    const response = responseOf(fixture)
    for (let length = 0; length < response.length; length++) {
      expect(() => decode(fixture.name, response.subarray(0, length)), `${length} bytes`).toThrow(
        ProtocolError,
      )
    }
  })

  it.each(fixtures)('$name with a byte too many is refused', (fixture) => {
    const longer = Buffer.concat([responseOf(fixture), Buffer.from([0])])
    expect(() => decode(fixture.name, longer)).toThrow(ProtocolError)
  })

  it.each(fixtures)('$name with any byte changed is read or refused, and nothing else', (fixture) => {
    const response = responseOf(fixture)
    for (let at = 0; at < response.length; at++) {
      for (const value of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
        const changed = Buffer.from(response)
        changed[at] = value
        try {
          decode(fixture.name, changed)
        } catch (error) {
          expect(error, `byte ${at} as ${value}`).toBeInstanceOf(ProtocolError)
        }
      }
    }
  })

  it.each(untagged)('$name with tagged fields nobody knows is read all the same', (fixture) => {
    const unknown = Buffer.from([2, 90, 1, 0xaa, 91, 0])
    const changed = Buffer.concat([responseOf(fixture).subarray(0, -1), unknown])
    expect(decode(fixture.name, changed)).toEqual(answers[fixture.name]?.[1])
  })
})
