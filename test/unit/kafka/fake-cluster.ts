/** Answers of a cluster for `FakeBroker`: Metadata v12 and FindCoordinator v4, and what Kafka 3.9 knows. */
import { Reader } from '../../../transports/kafka/protocol/reader.ts'
import { Writer } from '../../../transports/kafka/protocol/writer.ts'
import type { FakeApi } from './fake-broker.ts'

const UNKNOWN_TOPIC_OR_PARTITION = 3
const UUID_BYTES = 16

/** What a broker of 3.9 says to ApiVersions. */
export const kafka39: readonly FakeApi[] = [
  [0, 11],
  [1, 17],
  [2, 9],
  [3, 12],
  [8, 9],
  [9, 9],
  [10, 6],
  [11, 9],
  [12, 4],
  [13, 5],
  [14, 5],
  [15, 5],
  [18, 4],
  [19, 7],
  [20, 6],
  [21, 2],
  [22, 5],
  [24, 5],
  [25, 4],
  [26, 4],
  [28, 4],
  [32, 4],
  [37, 3],
  [44, 1],
  [65, 0],
  [66, 1],
].map(([key = 0, max = 0]) => ({ key, min: 0, max }))

export interface FakeNode {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

export interface FakeTopic {
  readonly name: string
  readonly id?: string
  readonly errorCode?: number
  readonly partitions: readonly { readonly leader: number; readonly leaderEpoch: number }[]
}

export interface FakeMetadata {
  readonly clusterId: string
  readonly brokers: readonly FakeNode[]
  readonly topics: readonly FakeTopic[]
}

/** Answers what `question`, the body of the request, asks for. */
export function metadataAnswer(question: Buffer, { clusterId, brokers, topics }: FakeMetadata): Buffer {
  const from = new Reader(question, 'Metadata')
  from.tags()
  const names = from.array(() => {
    from.uuid()
    const name = from.string()
    from.tags()
    return name
  })
  const into = new Writer().noTags().int32(0)
  into.array(brokers, ({ nodeId, host, port }) =>
    into.int32(nodeId).string(host).int32(port).nullableString(null).noTags(),
  )
  into.string(clusterId).int32(brokers[0]?.nodeId ?? -1)
  into.array(names, (name) => {
    const topic = topics.find((one) => one.name === name)
    into.int16(topic === undefined ? UNKNOWN_TOPIC_OR_PARTITION : (topic.errorCode ?? 0)).string(name)
    into.raw(Buffer.alloc(UUID_BYTES, topic?.id ?? name)).boolean(false)
    const partitions = [...(topic?.partitions ?? []).entries()]
    into.array(partitions, ([partition, { leader, leaderEpoch }]) => {
      into.int16(0).int32(partition).int32(leader).int32(leaderEpoch)
      for (const nodes of [[leader], [leader], []]) into.array(nodes, (node) => into.int32(node))
      into.noTags()
    })
    into.int32(0).noTags()
  })
  return into.noTags().finish()
}

/** `errorOf`: the error code for a key; 0: `node` coordinates it. */
export function coordinatorAnswer(
  question: Buffer,
  node: FakeNode,
  errorOf: (key: string) => number,
): Buffer {
  const from = new Reader(question, 'FindCoordinator')
  from.tags()
  from.int8()
  const keys = from.array(() => from.string())
  const into = new Writer().noTags().int32(0)
  into.array(keys, (key) => {
    into.string(key).int32(node.nodeId).string(node.host).int32(node.port)
    into.int16(errorOf(key)).nullableString(null).noTags()
  })
  return into.noTags().finish()
}
