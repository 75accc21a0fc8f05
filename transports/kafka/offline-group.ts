/**
 * Questions and orders to a group that has no members, from a command that joins none: what a reset and an import share.
 *
 * Every request may be sent again.
 */
import { StreamsError } from '../../streams/index.ts'
import { askCoordinator } from './ask-coordinator.ts'
import type { Cluster } from './cluster.ts'
import { refusal } from './errors.ts'
import type { BrokerConnections } from './network.ts'
import type { CommittedPosition } from './offset-metadata.ts'
import {
  GROUP_ID_NOT_FOUND,
  memberFenced,
  NON_EMPTY_GROUP,
  NONE,
  UNKNOWN_TOPIC_OR_PARTITION,
} from './protocol/errors.ts'
import { describeGroups } from './protocol/group-list.ts'
import { metadata } from './protocol/metadata.ts'
import { type GroupOffsets, offsetCommit, offsetFetch } from './protocol/offsets.ts'
import type { KafkaRequest } from './protocol/request.ts'
import type { TopicPartitions } from './protocol/topics-of.ts'
import type { OffsetToCommit } from './protocol/transactions.ts'
import { withRetries } from './retry.ts'
import { codeOfPartitions } from './transaction-errors.ts'

/** How long brokers that are away or busy are waited for, at each step. Milliseconds. */
export const PATIENCE_MS = 30_000
/** Of somebody who is in no generation. */
const NOBODY = { generation: -1, member: '', instance: null }

export interface OfflineParts {
  readonly cluster: Cluster
  readonly connections: BrokerConnections
}

/** Sets positions of the group, all or none of them. Throws `TOPOLOGY_RUNNING` while it has members. */
export async function setPositions(
  parts: OfflineParts,
  group: string,
  offsets: readonly TopicPartitions<OffsetToCommit>[],
): Promise<void> {
  if (offsets.length === 0) return
  const request = offsetCommit({ group, ...NOBODY }, offsets)
  await ask(parts, group, request, (answer) => codeOfPartitions(answer, offsets))
}

/** Puts the same mark into every position of the topics that are there. */
export async function markPositions(
  parts: OfflineParts,
  group: string,
  topics: readonly string[],
  mark: string,
): Promise<void> {
  const counts = await existing(parts, topics)
  const marks = [...counts].map(([topic, count]) => ({
    topic,
    partitions: Array.from({ length: count }, (_, partition) => ({ partition, offset: 0, metadata: mark })),
  }))
  await setPositions(parts, group, marks)
}

/** Throws `TOPOLOGY_RUNNING`, naming them. */
export async function refuseMembers(parts: OfflineParts, group: string): Promise<void> {
  const { groups } = await ask(parts, group, describeGroups([group]), ({ groups: [found] }) => {
    return found?.errorCode ?? NONE
  })
  const members = groups[0]?.members ?? []
  if (members.length === 0) return
  const names = members.map(({ instance, member }) => instance ?? member).join(', ')
  throw new StreamsError('TOPOLOGY_RUNNING', `group ${group} has ${names}`)
}

/** Every position that the group has, marks included. */
export async function positionsOf(parts: OfflineParts, group: string): Promise<CommittedPosition[]> {
  const codeOf = (answer: { readonly groups: readonly GroupOffsets[] }): number => {
    const found = answer.groups[0]
    // A group that does not exist has no positions.
    return found === undefined || found.errorCode === GROUP_ID_NOT_FOUND ? NONE : found.errorCode
  }
  const answer = await ask(parts, group, offsetFetch([{ group, topics: null }], false), codeOf)
  return (answer.groups[0]?.topics ?? []).flatMap(({ topic, partitions }) =>
    partitions.map(({ partition, offset, metadata: text }) => ({ topic, partition, offset, metadata: text })),
  )
}

/** Partition counts of those that are there. */
export async function existing(
  { cluster, connections }: OfflineParts,
  names: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>()
  if (names.length === 0) return found
  const { topics } = await patiently(cluster, () => connections.sendToAny(metadata(names)))
  for (const { topic, errorCode, partitions } of topics) {
    if (errorCode === UNKNOWN_TOPIC_OR_PARTITION) continue
    if (errorCode !== NONE) throw refusal('Metadata', errorCode, { kind: 'topic', name: topic })
    found.set(topic, partitions.length)
  }
  return found
}

/** Throws `TOPOLOGY_RUNNING` where the coordinator says that the group has members. */
export async function ask<R>(
  { cluster, connections }: OfflineParts,
  group: string,
  request: KafkaRequest<R>,
  codeOf: (answer: R) => number,
): Promise<R> {
  const asked = await askCoordinator(cluster, connections, {
    kind: 'group',
    key: group,
    request,
    codeOf,
    deadline: cluster.clock.monotonic() + PATIENCE_MS,
    isHarmless: true,
  })
  if (asked.outcome === 'unanswered') throw asked.error
  if (asked.code === NONE) return asked.answer
  if (asked.code === NON_EMPTY_GROUP || memberFenced(asked.code))
    throw new StreamsError('TOPOLOGY_RUNNING', `group ${group} has members`)
  throw refusal(request.apiName, asked.code, { kind: 'group', name: group })
}

/** Tries again while brokers are away or busy. */
export function patiently<T>({ clock }: Cluster, attempt: () => Promise<T>): Promise<T> {
  return withRetries(attempt, { clock, timeoutMs: PATIENCE_MS, signal: new AbortController().signal })
}
