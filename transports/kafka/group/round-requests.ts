/** The two requests of a rebalance, as a member of a topology's group sends them. */
import { joinGroup, type JoinGroupAnswer, syncGroup, type SyncGroupAnswer } from '../protocol/groups.ts'
import type { KafkaRequest } from '../protocol/request.ts'
import type { MembershipOptions } from './membership-options.ts'

const PROTOCOL_TYPE = 'consumer'
/** Grows when the members' metadata changes so that older versions could not assign by it. */
const PROTOCOL_NAME = 'millrace-1'
/** Milliseconds that an answer may take longer than the rebalance itself. */
const ANSWER_SLACK_MS = 10_000

type RoundOptions = Pick<MembershipOptions, 'identity' | 'sessionTimeoutMs' | 'rebalanceTimeoutMs'>

/** `member` is empty until the coordinator has named it; `metadata` is the encoded subscription. */
export function joinRequest(
  { identity, sessionTimeoutMs, rebalanceTimeoutMs }: RoundOptions,
  member: string,
  metadata: Buffer,
): KafkaRequest<JoinGroupAnswer> {
  const protocols = [{ name: PROTOCOL_NAME, metadata }]
  const { group, instance } = identity
  const times = { sessionTimeoutMs, rebalanceTimeoutMs }
  const join = { group, ...times, member, instance, protocolType: PROTOCOL_TYPE, protocols, reason: null }
  return joinGroup(join, rebalanceTimeoutMs + ANSWER_SLACK_MS)
}

/** `assignments`: encoded, by member; only the leader has any. */
export function syncRequest(
  { identity, rebalanceTimeoutMs }: RoundOptions,
  { generation, member }: JoinGroupAnswer,
  assignments: ReadonlyMap<string, Buffer>,
): KafkaRequest<SyncGroupAnswer> {
  const { group, instance } = identity
  const sync = {
    group,
    generation,
    member,
    instance,
    protocolType: PROTOCOL_TYPE,
    protocolName: PROTOCOL_NAME,
    assignments: [...assignments].map(([to, assignment]) => ({ member: to, assignment })),
  }
  return syncGroup(sync, rebalanceTimeoutMs + ANSWER_SLACK_MS)
}
