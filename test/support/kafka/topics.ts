/** Topics, their leaders and their offsets, asked of the brokers by Kafka's Java admin client. */
import { randomUUID } from 'node:crypto'
import { ask } from './oracle-client.ts'

const TIMEOUT_MS = 30_000

export interface TopicOptions {
  /** Else 1. */
  readonly partitions?: number
  /** Else the brokers' default. */
  readonly replicas?: number
  /** `{ 'cleanup.policy': 'compact' }` and so on. */
  readonly configs?: Readonly<Record<string, string>>
}

/** A name that no other test uses. */
export function freshName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`
}

/** Resolves when every partition has a leader, and every broker knows it. */
export async function createTopic(
  bootstrap: string,
  topic: string,
  options: TopicOptions = {},
): Promise<void> {
  const { partitions = 1, replicas, configs } = options
  await ask('createTopic', { bootstrap, topic, partitions, replicas, configs, timeoutMs: TIMEOUT_MS })
}

/** A topic that no other test knows; its name. */
export async function freshTopic(
  bootstrap: string,
  prefix: string,
  options: TopicOptions = {},
): Promise<string> {
  const topic = freshName(prefix)
  await createTopic(bootstrap, topic, options)
  return topic
}

/** By partition. */
export interface TopicOffsets {
  readonly start: Readonly<Record<number, number>>
  /** High watermarks. */
  readonly end: Readonly<Record<number, number>>
  /** Last stable offsets. */
  readonly stable: Readonly<Record<number, number>>
}

export async function topicOffsets(bootstrap: string, topic: string): Promise<TopicOffsets> {
  const { done } = await ask('offsets', { bootstrap, topic })
  return done as TopicOffsets
}

/** Makes `before` the first offset. */
export async function deleteRecords(
  bootstrap: string,
  topic: string,
  partition: number,
  before: number,
): Promise<void> {
  await ask('deleteRecords', { bootstrap, topic, partition, before })
}

/** Id of the broker that leads the partition; -1 where none does, and while the brokers do not agree. */
export async function leaderOf(bootstrap: string, topic: string, partition: number): Promise<number> {
  const { done } = await ask('leader', { bootstrap, topic, partition })
  return done as number
}

/** Resolves when that broker, which has a replica, leads the partition, and every broker knows it. */
export async function moveLeader(
  bootstrap: string,
  topic: string,
  partition: number,
  broker: number,
): Promise<void> {
  await ask('moveLeader', { bootstrap, topic, partition, broker, timeoutMs: TIMEOUT_MS })
}

export interface TransactionListing {
  readonly transactionalId: string
  readonly producerId: number
  /** `Ongoing`, `CompleteCommit`, `CompleteAbort`, … */
  readonly state: string
}

/** Every transactional id that the brokers remember. */
export async function transactions(bootstrap: string): Promise<TransactionListing[]> {
  const { done } = await ask('transactions', { bootstrap })
  return done as TransactionListing[]
}
