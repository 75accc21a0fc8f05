/** What a coordinator tells of groups, and ends them: DescribeGroups v5, DeleteGroups v2. */
import type { Reader } from './reader.ts'
import { flexible, type KafkaRequest, type Throttled } from './request.ts'

export interface DescribedMember {
  readonly member: string
  readonly instance: string | null
  readonly clientId: string
  readonly clientHost: string
  /** Views of the response. */
  readonly metadata: Buffer
  readonly assignment: Buffer
}

export interface DescribedGroup {
  readonly errorCode: number
  readonly group: string
  /** `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty`, `Dead`. */
  readonly state: string
  readonly protocolType: string
  readonly protocolName: string
  readonly members: readonly DescribedMember[]
}

export interface DescribeGroupsAnswer extends Throttled {
  readonly groups: readonly DescribedGroup[]
}

/** Of groups of which the asked broker is the coordinator. A group that does not exist is answered as `Dead`. */
export function describeGroups(groups: readonly string[]): KafkaRequest<DescribeGroupsAnswer> {
  return flexible({
    apiKey: 15,
    apiName: 'DescribeGroups',
    apiVersion: 5,
    write: (into) => into.array(groups, (group) => into.string(group)).boolean(false),
    read: (from) => ({ throttleMs: from.int32(), groups: from.array(() => readGroup(from)) }),
  })
}

function readGroup(from: Reader): DescribedGroup {
  const group = {
    errorCode: from.int16(),
    group: from.string(),
    state: from.string(),
    protocolType: from.string(),
    protocolName: from.string(),
    members: from.array(() => readMember(from)),
  }
  from.int32() // authorized operations
  from.tags()
  return group
}

function readMember(from: Reader): DescribedMember {
  const member = {
    member: from.string(),
    instance: from.nullableString(),
    clientId: from.string(),
    clientHost: from.string(),
    metadata: from.bytes(),
    assignment: from.bytes(),
  }
  from.tags()
  return member
}

export interface DeletedGroup {
  readonly group: string
  readonly errorCode: number
}

export interface DeleteGroupsAnswer extends Throttled {
  readonly results: readonly DeletedGroup[]
}

/** With their offsets. One that has members is refused with `NON_EMPTY_GROUP`. */
export function deleteGroups(groups: readonly string[]): KafkaRequest<DeleteGroupsAnswer> {
  return flexible({
    apiKey: 42,
    apiName: 'DeleteGroups',
    apiVersion: 2,
    write: (into) => into.array(groups, (group) => into.string(group)),
    read: (from) => ({
      throttleMs: from.int32(),
      results: from.array(() => {
        const deleted = { group: from.string(), errorCode: from.int16() }
        from.tags()
        return deleted
      }),
    }),
  })
}
