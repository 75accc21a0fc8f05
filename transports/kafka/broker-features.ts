/** What a broker must know for this client, and what its cluster has switched on. Pure. */
import { ClusterError } from './errors.ts'
import type { ApiVersionsAnswer } from './protocol/versions.ts'

interface RequiredApi {
  readonly name: string
  readonly key: number
  readonly version: number
}

/** The highest version of each request that is sent to every cluster; Kafka 3.9 knows them all. */
const REQUIRED: readonly RequiredApi[] = [
  { name: 'Produce', key: 0, version: 11 },
  { name: 'Fetch', key: 1, version: 13 },
  { name: 'ListOffsets', key: 2, version: 7 },
  { name: 'Metadata', key: 3, version: 12 },
  { name: 'OffsetCommit', key: 8, version: 8 },
  { name: 'OffsetFetch', key: 9, version: 8 },
  { name: 'FindCoordinator', key: 10, version: 4 },
  { name: 'JoinGroup', key: 11, version: 9 },
  { name: 'Heartbeat', key: 12, version: 4 },
  { name: 'LeaveGroup', key: 13, version: 5 },
  { name: 'SyncGroup', key: 14, version: 5 },
  { name: 'DescribeGroups', key: 15, version: 5 },
  { name: 'CreateTopics', key: 19, version: 7 },
  { name: 'DeleteTopics', key: 20, version: 6 },
  { name: 'DeleteRecords', key: 21, version: 2 },
  { name: 'InitProducerId', key: 22, version: 4 },
  { name: 'AddPartitionsToTxn', key: 24, version: 3 },
  { name: 'AddOffsetsToTxn', key: 25, version: 3 },
  { name: 'EndTxn', key: 26, version: 3 },
  { name: 'TxnOffsetCommit', key: 28, version: 3 },
  { name: 'DescribeConfigs', key: 32, version: 4 },
  { name: 'CreatePartitions', key: 37, version: 3 },
  { name: 'IncrementalAlterConfigs', key: 44, version: 1 },
  { name: 'DescribeTransactions', key: 65, version: 0 },
  // v1 is the newest of all: Kafka 3.8.
  { name: 'ListTransactions', key: 66, version: 1 },
]

/** Throws `BROKER_UNSUPPORTED`, naming every request that the broker does not know. */
export function checkBroker({ apis }: ApiVersionsAnswer): void {
  const missing = REQUIRED.filter(({ key, version }) => {
    const range = apis.get(key)
    return range === undefined || range.min > version || range.max < version
  })
  if (missing.length === 0) return
  const wanted = missing.map(({ name, key, version }) => {
    const range = apis.get(key)
    return `${name} ${version} (it knows ${range === undefined ? 'none' : `${range.min} to ${range.max}`})`
  })
  throw new ClusterError('BROKER_UNSUPPORTED', `it does not know ${wanted.join(', ')}`)
}

/** 2 and up: Transactions V2. What brokers could do does not count: one that is not switched on spoils the ids. */
export function transactionVersion({ finalizedFeatures }: ApiVersionsAnswer): number {
  return finalizedFeatures.get('transaction.version')?.max ?? 0
}
