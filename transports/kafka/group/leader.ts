/**
 * What the group's leader does between JoinGroup and SyncGroup: fences producers that belong to nobody, then gives every
 * member its tasks, and tells each who else runs what.
 *
 * The fence comes first: a member that is given a dead one's tasks reads its committed positions next, and they are
 * stable only once the dead one's transaction has ended.
 */
import type { GroupSpec } from '../../../streams/index.ts'
import { assign, type AssignedSubTopology, type GroupMember } from './assignor.ts'
import { deadProducers, fence, type FenceBrokers, listProducers } from './fence.ts'
import { decodeSubscription, encodeAssignment, type Subscription } from './metadata.ts'
import { parseTransactionalId } from './transactional-ids.ts'

export interface LeaderOptions {
  readonly spec: GroupSpec
  readonly brokers: FenceBrokers
  /** Partitions of a topic. */
  readonly partitions: (topic: string) => number
  /** Told of every id that was fenced. */
  readonly onFenced: (ids: readonly string[]) => void
  /** Told of members that get nothing, and why. */
  readonly onUnreadable: (member: string, reason: string) => void
}

/** Every member's assignment, by member id. Members whose metadata cannot be read get nothing. */
export async function leadGroup(
  options: LeaderOptions,
  members: ReadonlyMap<string, Buffer>,
): Promise<ReadonlyMap<string, Buffer>> {
  const { onUnreadable } = options
  const subscriptions = new Map<string, Subscription>()
  for (const [member, metadata] of members) {
    const read = decodeSubscription(metadata)
    if (read.kind === 'understood') subscriptions.set(member, read.subscription)
    else onUnreadable(member, read.kind === 'newer' ? `written by version ${read.version}` : read.reason)
  }
  await fenceTheDead(options, [...subscriptions.values()])
  return assignments(options, members, subscriptions)
}

async function fenceTheDead(
  { spec, brokers, onFenced }: LeaderOptions,
  subscriptions: readonly Subscription[],
): Promise<void> {
  const live = subscriptions.flatMap((each) => parseTransactionalId(spec, each.transactionalId) ?? [])
  const listed = await listProducers(brokers, spec)
  // A producer whose coordinator could not be asked may have something open.
  const seen = new Set(listed.map(({ id }) => id))
  const remembered = [...new Set(subscriptions.flatMap(({ rememberedIds }) => rememberedIds))]
  const unseen = remembered.flatMap((id) => {
    const name = seen.has(id) ? undefined : parseTransactionalId(spec, id)
    return name === undefined ? [] : [{ ...name, id, open: true }]
  })
  const dead = deadProducers([...listed, ...unseen], live).map(({ id }) => id)
  if (dead.length > 0) onFenced(await fence(brokers, dead))
}

function assignments(
  { spec, partitions }: LeaderOptions,
  members: ReadonlyMap<string, Buffer>,
  subscriptions: ReadonlyMap<string, Subscription>,
): ReadonlyMap<string, Buffer> {
  const subTopologies = spec.subTopologies.map(({ id, inputs, hasState }): AssignedSubTopology => {
    return { id, partitions: Math.max(...inputs.map(partitions)), stateful: hasState }
  })
  const known = [...subscriptions].map(([memberId, subscription]): GroupMember => {
    return { memberId, ...subscription }
  })
  const standbys = Math.max(0, ...known.map(({ memberId }) => subscriptions.get(memberId)?.standbys ?? 0))
  const tasks = assign({ subTopologies, members: known, standbys })
  const liveIds = [...subscriptions.values()].map(({ transactionalId }) => transactionalId)
  const peers = [...subscriptions].flatMap(([memberId, { address }]) => {
    return address === undefined ? [] : [{ memberId, address, tasks: tasks.get(memberId)?.active ?? [] }]
  })
  return new Map(
    [...members.keys()].map((memberId) => {
      const { active, standby } = tasks.get(memberId) ?? { active: [], standby: [] }
      const others = peers.flatMap((peer) =>
        peer.memberId === memberId ? [] : [{ address: peer.address, tasks: peer.tasks }],
      )
      const assignment = { active, standby, peers: others, liveIds }
      return [memberId, encodeAssignment(assignment, spec.subTopologies)] as const
    }),
  )
}
