/** The writing half of the Kafka log on a real cluster, and members of groups that do nothing but commit. */
import { onTestFinished } from 'vitest'
import type { BatchRecord } from '../../transports/kafka/batches/encode.ts'
import { Cluster } from '../../transports/kafka/cluster.ts'
import { ClusterError } from '../../transports/kafka/errors.ts'
import { Connections } from '../../transports/kafka/connections.ts'
import type { Brokers } from '../../transports/kafka/producer-batches.ts'
import { KafkaError, MEMBER_ID_REQUIRED, NONE, retriable } from '../../transports/kafka/protocol/errors.ts'
import { joinGroup, leaveGroup, syncGroup } from '../../transports/kafka/protocol/groups.ts'
import { offsetFetch } from '../../transports/kafka/protocol/offsets.ts'
import type { KafkaRequest } from '../../transports/kafka/protocol/request.ts'
import type { GroupMember } from '../../transports/kafka/protocol/transactions.ts'
import type { RecordToAppend } from '../../transports/kafka/sender.ts'
import { eventually } from '../support/kafka/eventually.ts'

const SESSION_MS = 30_000
const REBALANCE_MS = 5_000

export interface OpenedWrites {
  readonly cluster: Cluster
  readonly connections: Connections
}

/** Closed at the end of the test. */
export async function openWrites(bootstrap: string, topics: readonly string[]): Promise<OpenedWrites> {
  const connections = new Connections({ brokers: bootstrap.split(','), clientId: 'test' }, 'writes')
  const cluster = new Cluster(connections)
  onTestFinished(async () => {
    cluster.close()
    await connections.close()
  })
  await cluster.open()
  await cluster.learn(topics)
  return { cluster, connections }
}

export function recordOf(value: string): BatchRecord {
  return { key: null, value: Buffer.from(value), timestamp: Date.now(), headers: [] }
}

export function appendsTo(topic: string, partition: number, values: readonly string[]): RecordToAppend[] {
  return values.map((value) => ({ topic, partition, record: recordOf(value) }))
}

export function groupOf(topic: string, partition: number, ...values: string[]) {
  return { topic, partition, records: values.map(recordOf) }
}

/** Joins as the only member, or as `member` again: then all that went before is of an older generation. */
export async function join(opened: OpenedWrites, group: string, member = ''): Promise<GroupMember> {
  const { cluster, connections } = opened
  const question = {
    group,
    sessionTimeoutMs: SESSION_MS,
    rebalanceTimeoutMs: REBALANCE_MS,
    member,
    instance: null,
    protocolType: 'consumer',
    protocols: [{ name: 'test', metadata: Buffer.alloc(0) }],
    reason: null,
  }
  // The first group of a cluster waits until the brokers have made the topic of the groups' offsets.
  const { node, joined } = await eventually(async () => {
    cluster.forgetCoordinator('group', group)
    const coordinator = await cluster.coordinator('group', group)
    const answer = await connections.send(coordinator, joinGroup(question, SESSION_MS))
    return !retriable(answer.errorCode) && { node: coordinator, joined: answer }
  })
  if (joined.errorCode === MEMBER_ID_REQUIRED) return join(opened, group, joined.member)
  if (joined.errorCode !== NONE) throw new KafkaError('JoinGroup', joined.errorCode, group)
  const identity = { group, generation: joined.generation, member: joined.member, instance: null }
  const assignments = [{ member: joined.member, assignment: Buffer.alloc(0) }]
  const sync = { ...identity, protocolType: 'consumer', protocolName: 'test', assignments }
  const { errorCode } = await connections.send(node, syncGroup(sync, SESSION_MS))
  if (errorCode !== NONE) throw new KafkaError('SyncGroup', errorCode, group)
  return identity
}

export async function leave({ cluster, connections }: OpenedWrites, member: GroupMember): Promise<void> {
  const node = await cluster.coordinator('group', member.group)
  await connections.send(node, leaveGroup(member.group, [{ ...member, reason: null }]))
}

/** The group's offset of a partition; undefined while an open transaction may replace it. */
export async function stableOffset(
  { cluster, connections }: OpenedWrites,
  group: string,
  topic: string,
  partition: number,
): Promise<number | undefined> {
  const node = await cluster.coordinator('group', group)
  const asked = [{ group, topics: [{ topic, partitions: [partition] }] }]
  const { groups } = await connections.send(node, offsetFetch(asked, true))
  const found = groups[0]?.topics[0]?.partitions[0]
  return found?.errorCode === 0 ? found.offset : undefined
}

/**
 * A way to the brokers on which a test keeps requests or answers back: the sender is told that it does not know the
 * outcome.
 */
export class HoldingBrokers implements Brokers {
  readonly #brokers: Brokers
  readonly #held: (() => Promise<unknown>)[] = []
  #holds = { api: '', times: 0 }
  #loses = ''

  constructor(brokers: Brokers) {
    this.#brokers = brokers
  }

  /** The next requests of this kind arrive when `release` is called. */
  hold(api: string, times = 1): void {
    this.#holds = { api, times }
  }

  /** The next answer of this kind is lost. */
  loseAnswer(api: string): void {
    this.#loses = api
  }

  async send<R>(node: number, request: KafkaRequest<R>): Promise<R> {
    const { apiName } = request
    const lost = new ClusterError('OUTCOME_UNKNOWN', apiName)
    if (apiName === this.#holds.api && this.#holds.times-- > 0) {
      // What a request says is fixed when it is sent.
      const body = request.encode()
      this.#held.push(() => this.#brokers.send(node, { ...request, encode: () => body }))
      throw lost
    }
    const answer = await this.#brokers.send(node, request)
    if (apiName !== this.#loses) return answer
    this.#loses = ''
    throw lost
  }

  /** The answers to what arrives now, in order. */
  async release<R>(): Promise<R[]> {
    this.#holds.times = 0
    const answers: R[] = []
    for (const arrive of this.#held.splice(0)) answers.push((await arrive()) as R)
    return answers
  }
}
