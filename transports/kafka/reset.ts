/**
 * Makes a cluster forget a topology: its group's positions, its changelogs, its internal topics. All other topics and
 * their records stay.
 *
 * | step | what | a crash after it |
 * | --- | --- | --- |
 * | 0 | the group has no members; what dead producers left open is ended | nothing has happened |
 * | 1 | every input's position becomes a mark; the coordinator refuses that while there are members | no task opens: `RESET_REQUIRED`, run it again |
 * | 2 | changelogs go, then internal topics | the same: positions in the other inputs still are marks, and a task that reads internal topics only finds either its old changelog, which it refuses, or nothing at all |
 * | 3 | the group goes, with the marks; the coordinator refuses that while there are members | the topology starts anew |
 *
 * Where the topology reads what it wrote to a topic that stays, 3 is: (a) the positions there become the topic's end, as
 * all that is in it comes again; (b) the other marks go. Between the two, tasks that read only such topics may start
 * anew, and all others are refused.
 *
 * Positions must not go first: a start in between would read the inputs again, over old records in internal topics.
 * Changelogs must not go before the mark: a start in between would go on from old positions without its state.
 *
 * Not its job: the tasks' databases on any disk. One of before names a changelog that is not there any more, and is
 * refused.
 */
import { type GroupSpec, type Position, StreamsError, type TopicPartition } from '../../streams/index.ts'
import { refusal } from './errors.ts'
import { fence, listProducers } from './group/fence.ts'
import { encodeOffsetMetadata, inputTag, RESET_MARK, topicTag } from './offset-metadata.ts'
import {
  ask,
  existing,
  markPositions,
  type OfflineParts,
  PATIENCE_MS,
  patiently,
  positionsOf,
  refuseMembers,
  setPositions,
} from './offline-group.ts'
import { deleteGroups } from './protocol/group-list.ts'
import { GROUP_ID_NOT_FOUND, KafkaError, NONE, UNKNOWN_TOPIC_OR_PARTITION } from './protocol/errors.ts'
import { offsetDelete } from './protocol/offsets.ts'
import type { KafkaRequest } from './protocol/request.ts'
import { deleteTopics } from './protocol/topics.ts'
import { groupName } from './topology-group.ts'
import { codeOfPartitions } from './transaction-errors.ts'

export interface ClusterReset {
  readonly group: string
  /** What the group has, marks of an earlier reset included. */
  readonly positions: readonly Position[]
  /** Those that are there. */
  readonly changelogs: readonly string[]
  readonly internalTopics: readonly string[]
}

export interface ClusterResetRequest {
  readonly spec: GroupSpec
  /** Of the topology's own, each with all that there may be. */
  readonly changelogs: readonly string[]
  readonly internalTopics: readonly string[]
  /** Topics that it writes and reads and that stay: it goes on behind what is in them. */
  readonly intermediateTopics: readonly string[]
}

export interface ClusterResetParts extends OfflineParts {
  /** End of a partition. */
  readonly endOf: (partition: TopicPartition) => Promise<number>
}

/** What `resetOnCluster` would take; changes nothing. Throws `TOPOLOGY_RUNNING`, `ACCESS_DENIED`, the broker's answer. */
export async function planClusterReset(
  parts: ClusterResetParts,
  { spec, changelogs, internalTopics }: ClusterResetRequest,
): Promise<ClusterReset> {
  const group = groupName(spec)
  await refuseMembers(parts, group)
  const partitions = await existing(parts, [...changelogs, ...internalTopics])
  const isThere = (name: string): boolean => partitions.has(name)
  return {
    group,
    positions: (await positionsOf(parts, group)).map(({ topic, partition, offset }) => ({
      topic,
      partition,
      offset,
    })),
    changelogs: changelogs.filter(isThere),
    internalTopics: internalTopics.filter(isThere),
  }
}

/** Answers what it took. Every step may be repeated. Throws as `planClusterReset`, and `LOG_BUSY`: try again. */
export async function resetOnCluster(
  parts: ClusterResetParts,
  request: ClusterResetRequest,
): Promise<ClusterReset> {
  // 0
  const taken = await planClusterReset(parts, request)
  await endTransactions(parts, request.spec)
  // 1
  await markPositions(parts, groupName(request.spec), inputsOf(request.spec), RESET_MARK)
  // 2
  await removeTopics(parts, taken.changelogs)
  await removeTopics(parts, taken.internalTopics)
  // 3
  if (request.intermediateTopics.length === 0) await removeGroup(parts, taken.group)
  else {
    await positionBehind(parts, request)
    await removePositions(parts, request)
  }
  return taken
}

/** A transaction that ends later would bring its positions back. */
async function endTransactions({ cluster, connections }: ClusterResetParts, spec: GroupSpec): Promise<void> {
  const brokers = {
    clock: cluster.clock,
    brokers: () => cluster.brokers(),
    coordinator: (kind: 'transaction', key: string) => cluster.coordinator(kind, key),
    forgetCoordinator: (kind: 'transaction', key: string) => cluster.forgetCoordinator(kind, key),
    send: <R>(node: number, request: KafkaRequest<R>) => connections.send(node, request),
  }
  const open = (await listProducers(brokers, spec)).filter((producer) => producer.open).map(({ id }) => id)
  const fenced = new Set(await fence(brokers, open))
  const left = open.filter((id) => !fenced.has(id))
  if (left.length > 0) throw new StreamsError('LOG_BUSY', `transactions of ${left.join(', ')} do not end`)
}

function inputsOf({ subTopologies }: GroupSpec): string[] {
  return [...new Set(subTopologies.flatMap((sub) => sub.inputs))]
}

/** Resolves once no broker that is asked knows them: made again too early, they would be taken for being there. */
async function removeTopics(parts: ClusterResetParts, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  const { cluster, connections } = parts
  await patiently(cluster, async () => {
    const { topics } = await connections.sendToAny(deleteTopics(names, PATIENCE_MS))
    for (const { name, errorCode, errorMessage } of topics) {
      if (errorCode === NONE || errorCode === UNKNOWN_TOPIC_OR_PARTITION) continue
      throw refusal('DeleteTopics', errorCode, { kind: 'topic', name }, errorMessage)
    }
    const [left] = (await existing(parts, names)).keys()
    // Is tried again, which does no harm.
    if (left !== undefined) throw new KafkaError('DeleteTopics', UNKNOWN_TOPIC_OR_PARTITION, left)
  })
}

async function removeGroup(parts: ClusterResetParts, group: string): Promise<void> {
  await ask(parts, group, deleteGroups([group]), ({ results: [result] }) => {
    const code = result?.errorCode ?? NONE
    return code === GROUP_ID_NOT_FOUND ? NONE : code
  })
}

/** (a) As a task's commit leaves them; one that was never read begins where its topic does. */
async function positionBehind(
  parts: ClusterResetParts,
  { spec, intermediateTopics }: ClusterResetRequest,
): Promise<void> {
  const { cluster } = parts
  const group = groupName(spec)
  const infos = await cluster.learn(intermediateTopics)
  const offsets = await Promise.all(
    infos.map(async ({ name, id, partitions }) => {
      const reader = spec.subTopologies.find(({ inputs }) => inputs.includes(name))
      const together = (reader?.inputs ?? []).filter((topic) => intermediateTopics.includes(topic))
      const metadata = encodeOffsetMetadata({
        times: { streamTime: -1, wallTime: -1, lastRecordAt: -1 },
        sequence: 0,
        topicTag: topicTag(id),
        inputTags: together.map(inputTag),
      })
      const ends = partitions.map((_, partition) => parts.endOf({ topic: name, partition }))
      return {
        topic: name,
        partitions: (await Promise.all(ends)).map((offset, partition) => ({ partition, offset, metadata })),
      }
    }),
  )
  await setPositions(parts, group, offsets)
}

/** (b) All but those. */
async function removePositions(
  parts: ClusterResetParts,
  { spec, intermediateTopics }: ClusterResetRequest,
): Promise<void> {
  const group = groupName(spec)
  const left = Map.groupBy(await positionsOf(parts, group), ({ topic }) => topic)
  const topics = [...left]
    .filter(([topic]) => !intermediateTopics.includes(topic))
    .map(([topic, some]) => ({ topic, partitions: some.map(({ partition }) => partition) }))
  if (topics.length === 0) return
  await ask(parts, group, offsetDelete(group, topics), (answer) =>
    answer.errorCode === NONE ? codeOfPartitions(answer, topics) : answer.errorCode,
  )
}
