/** What a member of a group is told: who it is, how patient it is, and what it may call. */
import type { Clock, GroupListener, GroupSpec } from '../../../streams/index.ts'
import type { KafkaRequest } from '../protocol/request.ts'

export interface MembershipTimes {
  /** A member that sends nothing for so long is dead. Milliseconds. */
  readonly sessionTimeoutMs: number
  /** How long a rebalance waits for members to end their commits. Milliseconds. */
  readonly rebalanceTimeoutMs: number
  /** Milliseconds between heartbeats: how soon a member hears of a rebalance. */
  readonly heartbeatMs: number
}

/** Who this member is. */
export interface MemberIdentity {
  readonly group: string
  /** A process that is started again under the same instance id has its tasks back without a rebalance. */
  readonly instance: string | null
  readonly processId: string
  readonly slot: string
  /** Where this process answers queries. */
  readonly address: string | undefined
  /** Of the program, for people who look at the group. */
  readonly version: string
}

export interface MembershipOptions extends MembershipTimes {
  readonly clock: Clock
  readonly identity: MemberIdentity
  readonly spec: GroupSpec
  readonly listener: GroupListener
  /** Sends to the group's coordinator; throws when it cannot be reached. */
  readonly send: <R>(request: KafkaRequest<R>) => Promise<R>
  /** The coordinator has moved, or is gone. */
  readonly forgetCoordinator: () => void
  /** What every member must get. Called on the leader only, before SyncGroup; fences dead producers. */
  readonly assign: (members: ReadonlyMap<string, Buffer>) => Promise<ReadonlyMap<string, Buffer>>
  /** The id with which this process writes. */
  readonly transactionalId: () => string
  /** Gives up that id for a new one: the group went on without this member. */
  readonly renewProducer: () => Promise<void>
  /** The epoch of the next assignment. */
  readonly nextEpoch: () => number
  /** Standbys wanted per task with state; the most that any member wants count. */
  readonly standbys: number
  /** Whether the member always leaves the group at the end, or keeps its place until its session is over. */
  readonly leaves: boolean
  /** Ends what is under way: a JoinGroup may wait for long. */
  readonly disconnect: () => Promise<void>
}
