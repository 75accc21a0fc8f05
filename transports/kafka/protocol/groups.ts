/**
 * Membership of a group under the classic protocol: FindCoordinator v4, JoinGroup v9, SyncGroup v5, Heartbeat v4,
 * LeaveGroup v5.
 *
 * Not its job: what members tell each other (subscriptions, assignments), which are bytes here.
 */
import type { Broker } from './metadata.ts'
import type { Reader } from './reader.ts'
import { flexible, type KafkaRequest, type Throttled } from './request.ts'
import { type GroupMember, type OutcomeAnswer, readOutcome } from './transactions.ts'
import type { Writer } from './writer.ts'

export type CoordinatorOf = 'group' | 'transaction'

export interface FoundCoordinator extends Omit<Broker, 'rack'> {
  readonly key: string
  readonly errorCode: number
  readonly errorMessage: string | null
}

export interface FindCoordinatorAnswer extends Throttled {
  readonly coordinators: readonly FoundCoordinator[]
}

/** `keys`: group ids or transactional ids. */
export function findCoordinator(
  of: CoordinatorOf,
  keys: readonly string[],
): KafkaRequest<FindCoordinatorAnswer> {
  return flexible({
    apiKey: 10,
    apiName: 'FindCoordinator',
    apiVersion: 4,
    write: (into) => into.int8(of === 'group' ? 0 : 1).array(keys, (key) => into.string(key)),
    read: (from) => ({
      throttleMs: from.int32(),
      coordinators: from.array(() => {
        const found = {
          key: from.string(),
          nodeId: from.int32(),
          host: from.string(),
          port: from.int32(),
          errorCode: from.int16(),
          errorMessage: from.nullableString(),
        }
        from.tags()
        return found
      }),
    }),
  })
}

export interface JoinGroup {
  readonly group: string
  /** A member that sends no heartbeat for so long is dead. Milliseconds. */
  readonly sessionTimeoutMs: number
  /** How long a rebalance waits for members to join again. Milliseconds. */
  readonly rebalanceTimeoutMs: number
  /** Empty at first: the broker answers MEMBER_ID_REQUIRED and the id to join with. */
  readonly member: string
  /** Of a static member, else null. */
  readonly instance: string | null
  /** `consumer` for what the tools understand. */
  readonly protocolType: string
  /** By falling preference. */
  readonly protocols: readonly { readonly name: string; readonly metadata: Uint8Array }[]
  /** For the broker's log. */
  readonly reason: string | null
}

export interface JoinedMember {
  readonly member: string
  readonly instance: string | null
  /** A view of the response. */
  readonly metadata: Buffer
}

export interface JoinGroupAnswer extends OutcomeAnswer {
  readonly generation: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  /** The leader's member id. */
  readonly leader: string
  /** The leader is back and the assignment stays: it must not send one. */
  readonly skipAssignment: boolean
  readonly member: string
  /** Empty for all but the leader. */
  readonly members: readonly JoinedMember[]
}

/** `timeoutMs`: the answer comes only when the rebalance is through. */
export function joinGroup(request: JoinGroup, timeoutMs: number): KafkaRequest<JoinGroupAnswer> {
  return flexible({
    apiKey: 11,
    apiName: 'JoinGroup',
    apiVersion: 9,
    timeoutMs,
    write(into) {
      into.string(request.group).int32(request.sessionTimeoutMs).int32(request.rebalanceTimeoutMs)
      into.string(request.member).nullableString(request.instance).string(request.protocolType)
      into.array(request.protocols, ({ name, metadata }) => into.string(name).bytes(metadata).noTags())
      into.nullableString(request.reason)
    },
    read: (from) => ({
      ...readOutcome(from),
      generation: from.int32(),
      protocolType: from.nullableString(),
      protocolName: from.nullableString(),
      leader: from.string(),
      skipAssignment: from.boolean(),
      member: from.string(),
      members: from.array(() => readJoined(from)),
    }),
  })
}

function readJoined(from: Reader): JoinedMember {
  const joined = { member: from.string(), instance: from.nullableString(), metadata: from.bytes() }
  from.tags()
  return joined
}

export interface SyncGroup extends GroupMember {
  readonly protocolType: string
  readonly protocolName: string
  /** Everybody's; sent by the leader only. */
  readonly assignments: readonly { readonly member: string; readonly assignment: Uint8Array }[]
}

export interface SyncGroupAnswer extends OutcomeAnswer {
  readonly protocolType: string | null
  readonly protocolName: string | null
  /** This member's. A view of the response. */
  readonly assignment: Buffer
}

/** `timeoutMs`: the answer comes only when the leader has sent the assignments. */
export function syncGroup(request: SyncGroup, timeoutMs: number): KafkaRequest<SyncGroupAnswer> {
  return flexible({
    apiKey: 14,
    apiName: 'SyncGroup',
    apiVersion: 5,
    timeoutMs,
    write(into) {
      writeMember(into, request)
      into.string(request.protocolType).string(request.protocolName)
      into.array(request.assignments, ({ member, assignment }) =>
        into.string(member).bytes(assignment).noTags(),
      )
    },
    read: (from) => ({
      ...readOutcome(from),
      protocolType: from.nullableString(),
      protocolName: from.nullableString(),
      assignment: from.bytes(),
    }),
  })
}

export function heartbeat(member: GroupMember): KafkaRequest<OutcomeAnswer> {
  return flexible({
    apiKey: 12,
    apiName: 'Heartbeat',
    apiVersion: 4,
    write: (into) => writeMember(into, member),
    read: readOutcome,
  })
}

export interface LeavingMember {
  readonly member: string
  readonly instance: string | null
  /** For the broker's log. */
  readonly reason: string | null
}

export interface LeaveGroupAnswer extends OutcomeAnswer {
  readonly members: readonly {
    readonly member: string
    readonly instance: string | null
    readonly errorCode: number
  }[]
}

export function leaveGroup(group: string, members: readonly LeavingMember[]): KafkaRequest<LeaveGroupAnswer> {
  return flexible({
    apiKey: 13,
    apiName: 'LeaveGroup',
    apiVersion: 5,
    write(into) {
      into.string(group).array(members, ({ member, instance, reason }) => {
        into.string(member).nullableString(instance).nullableString(reason).noTags()
      })
    },
    read: (from) => ({
      ...readOutcome(from),
      members: from.array(() => {
        const left = {
          member: from.string(),
          instance: from.nullableString(),
          errorCode: from.int16(),
        }
        from.tags()
        return left
      }),
    }),
  })
}

function writeMember(into: Writer, { group, generation, member, instance }: GroupMember): void {
  into.string(group).int32(generation).string(member).nullableString(instance)
}
