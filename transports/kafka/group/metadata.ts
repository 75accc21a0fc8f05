/**
 * What the members of a topology's group say when they join (subscription) and get from its leader (assignment).
 *
 * Not its job: deciding who gets what (`assignor.ts`), the outer layout (`consumer-protocol.ts`), the bytes
 * (`user-data.ts`), what a member may be fenced for (`fence.ts`).
 *
 * Invariants:
 * 1. Whatever is read is as the types say and within the limits; nothing that another member writes makes reading throw.
 * 2. What can be written can be read: writing throws a `RangeError` for the rest.
 * 3. A member of a later release is no obstacle, nor is a leader: of its subscription the topics count, of its assignment
 *    the tasks, which both are in the outer layout. A leader that can write several versions writes the lowest that a
 *    member of the group reads.
 */
import type { SubTopologyMeta } from '../../../streams/index.ts'
import { ProtocolError } from '../protocol/protocol-error.ts'
import {
  readAssignment,
  readSubscription,
  type TopicPartitions,
  writeAssignment,
  writeSubscription,
} from './consumer-protocol.ts'
import { type TaskKey, taskKey, type WarmTask } from './task-key.ts'
import { Fields, MAX_TASKS, pack, packTasks, sortedTasks, unpack } from './user-data.ts'

const VERSION = 1
/** Members of a group, and live ids told to them. */
export const MAX_MEMBERS = 1_024
/** Ids that a member remembers from the last assignment. */
export const MAX_REMEMBERED_IDS = 1_024
export const MAX_STANDBYS = 8
export const MAX_CAPACITY = 1_000
/** Characters. */
const MAX_ADDRESS_LENGTH = 300
const MAX_GENERATION = 2 ** 31 - 1
/** Writing a lag that nobody knows. */
const UNKNOWN_LAG = -1

/** What a member says of itself. */
export interface Subscription {
  /** All input topics of the topology. */
  readonly topics: readonly string[]
  /** UUID of this start of the process. */
  readonly processId: string
  /** Name of its place in the group: one process at a time, the same over restarts. */
  readonly slot: string
  /** Where its queries are answered: `host:port` or an http(s) origin. Absent: it answers none. */
  readonly address?: string | undefined
  /** Of its live producer for this topology. */
  readonly transactionalId: string
  /** Live ids of all members at the last assignment, so that a leader's death forgets none. */
  readonly rememberedIds: readonly string[]
  /** Tasks it has. */
  readonly owned: readonly TaskKey[]
  /** The generation in which it got them; -1 before the first. */
  readonly ownedGeneration: number
  /** Tasks whose state it has on disk, whether it runs them or not. */
  readonly warm: readonly WarmTask[]
  /** Standbys per task that it was configured for. */
  readonly standbys: number
  /** How much it can take compared with others; absent: 1. */
  readonly capacity?: number | undefined
  readonly topologyFingerprint: string
  readonly engineVersion: string
}

/** A member that answers queries, and what it answers for. */
export interface Peer {
  /** As in its subscription. */
  readonly address: string
  readonly tasks: readonly TaskKey[]
}

/** What a member gets. */
export interface MemberAssignment {
  readonly active: readonly TaskKey[]
  readonly standby: readonly TaskKey[]
  /** Every task is with one peer at most, so a query needs one hop from any process. */
  readonly peers: readonly Peer[]
  /** Transactional ids of all members. */
  readonly liveIds: readonly string[]
}

export type ReadSubscription =
  | { readonly kind: 'understood'; readonly subscription: Subscription }
  /** From a later release. */
  | { readonly kind: 'newer'; readonly topics: readonly string[]; readonly version: number }
  /** `topics` is empty where not even those can be read. */
  | { readonly kind: 'malformed'; readonly topics: readonly string[]; readonly reason: string }

export type ReadAssignment =
  | { readonly kind: 'understood'; readonly assignment: MemberAssignment }
  /** From a leader of a later release: the tasks to run, without standbys, peers and live ids. */
  | { readonly kind: 'newer'; readonly active: readonly TaskKey[]; readonly version: number }
  | { readonly kind: 'malformed'; readonly reason: string }

/** Throws a `RangeError` for what is beyond a limit or not of its form. */
export function encodeSubscription({ topics, owned, warm, ...rest }: Subscription): Buffer {
  const lags = new Map(warm.map(({ task, lag }) => [task, lag ?? UNKNOWN_LAG]))
  const value = {
    ...rest,
    owned: packTasks(owned),
    warm: packTasks(warm.map(({ task }) => task)),
    lags: sortedTasks([...lags.keys()]).map(({ subTopology, partition }) =>
      lags.get(taskKey(subTopology, partition)),
    ),
  }
  const bytes = writeSubscription({ topics, userData: pack(VERSION, value) })
  return readable(bytes, decodeSubscription(bytes))
}

/** Never throws. */
export function decodeSubscription(bytes: Buffer): ReadSubscription {
  let topics: readonly string[] = []
  try {
    const outer = readSubscription(bytes)
    topics = outer.topics
    const unpacked = unpack(VERSION, outer.userData)
    if (unpacked.kind === 'newer') return { ...unpacked, topics }
    const fields = new Fields(unpacked.value, 'subscription')
    return { kind: 'understood', subscription: { topics, ...readFields(fields) } }
  } catch (error) {
    return { kind: 'malformed', topics, reason: reasonOf(error) }
  }
}

function readFields(fields: Fields): Omit<Subscription, 'topics'> {
  const warm = fields.tasks('warm')
  const lags = fields.wholes('lags', MAX_TASKS, UNKNOWN_LAG, Number.MAX_SAFE_INTEGER)
  if (lags.length !== warm.length) throw new ProtocolError('subscription: as many lags as warm tasks')
  return {
    processId: fields.text('processId', isUuid),
    slot: fields.text('slot', isName),
    ...(fields.has('address') ? { address: fields.text('address', isAddress) } : {}),
    transactionalId: fields.text('transactionalId', isId),
    rememberedIds: fields.texts('rememberedIds', MAX_REMEMBERED_IDS, isId),
    owned: fields.tasks('owned'),
    ownedGeneration: fields.whole('ownedGeneration', -1, MAX_GENERATION),
    warm: warm.map((task, index) => (lags[index] === UNKNOWN_LAG ? { task } : { task, lag: lags[index] })),
    standbys: fields.whole('standbys', 0, MAX_STANDBYS),
    ...(fields.has('capacity') ? { capacity: fields.whole('capacity', 1, MAX_CAPACITY) } : {}),
    topologyFingerprint: fields.text('topologyFingerprint', isName),
    engineVersion: fields.text('engineVersion', isVersion),
  }
}

/**
 * `subTopologies` say which partitions a task reads, for the tools that look at the group.
 *
 * Throws a `RangeError` for what is beyond a limit or not of its form, and for a task of no sub-topology.
 */
export function encodeAssignment(
  assignment: MemberAssignment,
  subTopologies: readonly SubTopologyMeta[],
): Buffer {
  const value = {
    active: packTasks(assignment.active),
    standby: packTasks(assignment.standby),
    peers: assignment.peers.map(({ address, tasks }) => ({ address, tasks: packTasks(tasks) })),
    liveIds: assignment.liveIds,
  }
  const partitions = partitionsOf(assignment.active, subTopologies)
  const bytes = writeAssignment({ partitions, userData: pack(VERSION, value) })
  return readable(bytes, decodeAssignment(bytes, subTopologies))
}

/** Never throws. No bytes are what a member gets of whom the leader did not know: nothing. */
export function decodeAssignment(bytes: Buffer, subTopologies: readonly SubTopologyMeta[]): ReadAssignment {
  if (bytes.length === 0) {
    return { kind: 'understood', assignment: { active: [], standby: [], peers: [], liveIds: [] } }
  }
  try {
    const { partitions, userData } = readAssignment(bytes)
    const unpacked = unpack(VERSION, userData)
    if (unpacked.kind === 'newer') return { ...unpacked, active: tasksOf(partitions, subTopologies) }
    const fields = new Fields(unpacked.value, 'assignment')
    const assignment = {
      active: fields.tasks('active'),
      standby: fields.tasks('standby'),
      peers: readPeers(fields.list('peers', MAX_MEMBERS)),
      liveIds: fields.texts('liveIds', MAX_MEMBERS, isId),
    }
    return { kind: 'understood', assignment }
  } catch (error) {
    return { kind: 'malformed', reason: reasonOf(error) }
  }
}

function readPeers(values: readonly unknown[]): Peer[] {
  const peers = values.map((value) => {
    const fields = new Fields(value, 'peer')
    return { address: fields.text('address', isAddress), tasks: fields.tasks('tasks') }
  })
  const all = peers.flatMap(({ tasks }) => tasks)
  if (new Set(all).size < all.length) throw new ProtocolError('assignment: a task is with two peers')
  return peers
}

/** By topic, each with the partitions of the tasks that read it. */
function partitionsOf(
  tasks: readonly TaskKey[],
  subTopologies: readonly SubTopologyMeta[],
): TopicPartitions[] {
  const byTopic = new Map<string, Set<number>>()
  for (const { subTopology, partition } of sortedTasks(tasks)) {
    const meta = subTopologies.find(({ id }) => id === subTopology)
    if (meta === undefined) throw new RangeError(`there is no sub-topology ${subTopology}`)
    for (const topic of meta.inputs) byTopic.set(topic, (byTopic.get(topic) ?? new Set()).add(partition))
  }
  return [...byTopic].map(([topic, partitions]) => ({ topic, partitions: [...partitions] }))
}

/** The way back: a sub-topology has a task for each partition of its inputs. */
function tasksOf(assigned: readonly TopicPartitions[], subTopologies: readonly SubTopologyMeta[]): TaskKey[] {
  return subTopologies.flatMap(({ id, inputs }) => {
    const lists = assigned.filter(({ topic }) => inputs.includes(topic)).map(({ partitions }) => partitions)
    return [...new Set(lists.flat())].map((partition) => taskKey(id, partition))
  })
}

function readable(bytes: Buffer, read: ReadSubscription | ReadAssignment): Buffer {
  if (read.kind === 'malformed') throw new RangeError(`cannot be told to the group: ${read.reason}`)
  return bytes
}

/** What is wrong with the bytes; other errors are faults of this code and go on. */
function reasonOf(error: unknown): string {
  if (error instanceof ProtocolError) return error.message
  throw error
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
}

/** A slot or a fingerprint. */
function isName(text: string): boolean {
  return /^[A-Za-z0-9_-]{1,100}$/.test(text)
}

function isVersion(text: string): boolean {
  return /^[A-Za-z0-9.+-]{1,100}$/.test(text)
}

/** A transactional id of any program: printable, without blanks. */
function isId(text: string): boolean {
  return /^[!-~]{1,400}$/.test(text)
}

/** Nothing but a host and a port: no path, no credentials, no other scheme. */
const ADDRESS =
  /^(?<scheme>https?:\/\/)?([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(:(?<port>\d{1,5}))?$/

function isAddress(text: string): boolean {
  const parts = text.length > MAX_ADDRESS_LENGTH ? undefined : ADDRESS.exec(text)?.groups
  if (parts === undefined) return false
  if (parts['port'] === undefined) return parts['scheme'] !== undefined
  const port = Number(parts['port'])
  return port >= 1 && port <= 65_535
}
