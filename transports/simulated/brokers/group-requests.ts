/** Requests about groups and their positions, as coordinators answer them. */
import { NONE, type Reader, UNKNOWN_MEMBER_ID } from '../../kafka/wire/index.ts'
import type { MemberRequest } from './group.ts'
import type { Arrived, BrokerModel } from './model.ts'
import type { Position } from './positions.ts'

/** From this version on a group joins the transaction by being written to. */
const OFFSETS_V2 = 5

export function groupRequest(model: BrokerModel, request: Arrived, from: Reader): void {
  switch (request.apiName) {
    case 'JoinGroup':
      return joinGroup(model, request, from)
    case 'SyncGroup':
      return syncGroup(model, request, from)
    case 'Heartbeat': {
      const { group, ...member } = readMember(from)
      const refusal = model.refusalOf(request.node, 'group', group)
      const errorCode = refusal === NONE ? model.group(group).heartbeat(member) : refusal
      return request.answer({ throttleMs: 0, errorCode })
    }
    default:
      return request.answer(leaveGroup(model, request.node, from))
  }
}

function joinGroup(model: BrokerModel, { node, answer, onBroken }: Arrived, from: Reader): void {
  const group = from.string()
  const sessionTimeoutMs = from.int32()
  const rebalanceTimeoutMs = from.int32()
  const member = from.string()
  const instance = from.nullableString()
  const protocolType = from.string()
  const [protocol] = from.array(() => {
    const one = { name: from.string(), metadata: from.bytes() }
    from.tags()
    return one
  })
  const refusal = model.refusalOf(node, 'group', group)
  if (refusal !== NONE || protocol === undefined) {
    const nothing = { protocolType: null, protocolName: null, leader: '', skipAssignment: false }
    return answer({ throttleMs: 0, errorCode: refusal, generation: -1, member: '', members: [], ...nothing })
  }
  const { name: protocolName, metadata } = protocol
  const times = { sessionTimeoutMs, rebalanceTimeoutMs }
  onBroken(() => model.group(group).forget(member))
  model.group(group).join({ member, instance, ...times, protocolName, protocolType, metadata }, answer)
}

function syncGroup(model: BrokerModel, { node, answer, onBroken }: Arrived, from: Reader): void {
  const { group, ...member } = readMember(from)
  from.nullableString()
  from.nullableString()
  const assignments = from.array(() => {
    const one = [from.string(), from.bytes()] as const
    from.tags()
    return one
  })
  const errorCode = model.refusalOf(node, 'group', group)
  if (errorCode !== NONE) {
    return answer({
      throttleMs: 0,
      errorCode,
      protocolType: null,
      protocolName: null,
      assignment: Buffer.alloc(0),
    })
  }
  onBroken(() => model.group(group).forget(member.member))
  model.group(group).sync(member, new Map(assignments), answer)
}

function leaveGroup(model: BrokerModel, node: number, from: Reader) {
  const group = from.string()
  const members = from.array(() => {
    const one = { member: from.string(), instance: from.nullableString() }
    from.nullableString()
    from.tags()
    return one
  })
  const refusal = model.refusalOf(node, 'group', group)
  const left = members.map(({ member, instance }) => {
    const errorCode = refusal === NONE ? model.group(group).leave(member, instance) : UNKNOWN_MEMBER_ID
    return { member, instance, errorCode }
  })
  return { throttleMs: 0, errorCode: refusal, members: left }
}

export function txnOffsetCommit(model: BrokerModel, node: number, version: number, from: Reader) {
  const id = from.string()
  const group = from.string()
  const producer = { producerId: from.bigint64(), producerEpoch: from.int16() }
  const member: MemberRequest = {
    generation: from.int32(),
    member: from.string(),
    instance: from.nullableString(),
  }
  const topics = readOffsets(from)
  const code = ((): number => {
    const refusal = model.refusalOf(node, 'group', group)
    if (refusal !== NONE) return refusal
    const membership = model.group(group).mayCommit(member)
    if (membership !== NONE) return membership
    const { transactions } = model
    const isV2 = version >= OFFSETS_V2
    const joined = isV2
      ? transactions.join(id, producer, 'groups', group)
      : transactions.isIn(id, producer, 'groups', group)
    if (joined !== NONE && !isV2)
      model.group(group).positions.dropPending(producer.producerId, positionsOf(topics).keys())
    return joined
  })()
  if (code === NONE) model.group(group).positions.commitPending(producer.producerId, positionsOf(topics))
  return answered(topics, code)
}

export function offsetCommit(model: BrokerModel, node: number, from: Reader) {
  const { group, ...member } = readMember(from)
  const topics = readOffsets(from)
  const refusal = model.refusalOf(node, 'group', group)
  const code = refusal === NONE ? model.group(group).mayCommit(member) : refusal
  if (code === NONE) model.group(group).positions.commit(positionsOf(topics))
  return answered(topics, code)
}

export function offsetFetch(model: BrokerModel, node: number, from: Reader) {
  const asked = from.array(() => {
    const group = from.string()
    const topics =
      from.nullableArray(() => {
        const topic = from.string()
        const partitions = from.array(() => from.int32())
        from.tags()
        return { topic, partitions }
      }) ?? []
    from.tags()
    return { group, topics }
  })
  const requireStable = from.boolean()
  return {
    throttleMs: 0,
    groups: asked.map(({ group, topics }) => {
      const errorCode = model.refusalOf(node, 'group', group)
      const found = topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((partition) => {
          const position = model.group(group).positions.position(`${topic}-${partition}`, requireStable)
          return { partition, leaderEpoch: -1, ...position }
        }),
      }))
      return { group, errorCode, topics: errorCode === NONE ? found : [] }
    }),
  }
}

interface Offsets {
  readonly topic: string
  readonly partitions: readonly ({ readonly partition: number } & Position)[]
}

function readOffsets(from: Reader): Offsets[] {
  return from.array(() => {
    const topic = from.string()
    const partitions = from.array(() => {
      const partition = from.int32()
      const offset = from.int64()
      from.int32()
      const one = { partition, offset, metadata: from.nullableString() }
      from.tags()
      return one
    })
    from.tags()
    return { topic, partitions }
  })
}

function positionsOf(topics: readonly Offsets[]): Map<string, Position> {
  return new Map(
    topics.flatMap(({ topic, partitions }) =>
      partitions.map(
        ({ partition, offset, metadata }) => [`${topic}-${partition}`, { offset, metadata }] as const,
      ),
    ),
  )
}

function answered(topics: readonly Offsets[], errorCode: number) {
  return {
    throttleMs: 0,
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) => ({ partition, errorCode })),
    })),
  }
}

function readMember(from: Reader): MemberRequest & { readonly group: string } {
  return {
    group: from.string(),
    generation: from.int32(),
    member: from.string(),
    instance: from.nullableString(),
  }
}
