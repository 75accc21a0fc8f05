/**
 * The members of one consumer group as its coordinator has them: generations of the classic protocol.
 *
 * | state | meaning | next |
 * | --- | --- | --- |
 * | `empty` | no member | first JoinGroup → `preparing` |
 * | `preparing` | members are waited for | all have joined, or time is over → `completing` |
 * | `completing` | the leader's assignment is waited for | SyncGroup of the leader → `stable` |
 * | `stable` | heartbeats | a member comes, goes or changes → `preparing` |
 *
 * Static members only: a process always has a slot.
 */
import {
  FENCED_INSTANCE_ID,
  ILLEGAL_GENERATION,
  type JoinGroupAnswer,
  MEMBER_ID_REQUIRED,
  NONE,
  REBALANCE_IN_PROGRESS,
  type SyncGroupAnswer,
  UNKNOWN_MEMBER_ID,
} from '../../kafka/wire/index.ts'
import { GroupPositions } from './positions.ts'

/** Milliseconds that a group without members waits for others to join. */
const FIRST_REBALANCE_MS = 200
const NOBODY = Buffer.alloc(0)

export interface JoinRequest {
  readonly member: string
  readonly instance: string | null
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolName: string
  readonly protocolType: string
  readonly metadata: Buffer
}

export interface MemberRequest {
  readonly generation: number
  readonly member: string
  readonly instance: string | null
}

interface Member {
  readonly id: string
  readonly instance: string | null
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  metadata: Buffer
  assignment: Buffer
  join: ((answer: JoinGroupAnswer) => void) | undefined
  sync: ((answer: SyncGroupAnswer) => void) | undefined
  cancelSession: () => void
}

/** Calls `run` after `ms`; the answer cancels it. */
type Later = (ms: number, run: () => void) => () => void

export class ModelGroup {
  readonly #later: Later
  readonly positions = new GroupPositions()
  readonly #members = new Map<string, Member>()
  readonly #byInstance = new Map<string, string>()
  #state: 'empty' | 'preparing' | 'completing' | 'stable' = 'empty'
  #generation = 0
  #leader = ''
  #protocol = { name: '', type: '' }
  #made = 0
  #cancelRound: () => void = () => {}

  constructor(later: Later) {
    this.#later = later
  }

  get generation(): number {
    return this.#generation
  }

  // --- membership

  join(request: JoinRequest, answer: (answer: JoinGroupAnswer) => void): void {
    const { instance } = request
    this.#protocol = { name: request.protocolName, type: request.protocolType }
    if (instance === null && request.member === '') {
      return answer(this.#noJoin(MEMBER_ID_REQUIRED, `member-${++this.#made}`))
    }
    const before = instance === null ? undefined : this.#byInstance.get(instance)
    if (request.member === '') return this.#joinAnew(request, before, answer)
    if (before !== undefined && before !== request.member) return answer(this.#noJoin(FENCED_INSTANCE_ID))
    const member = this.#members.get(request.member)
    if (member === undefined) {
      if (instance !== null) return answer(this.#noJoin(UNKNOWN_MEMBER_ID))
      return this.#joinAnew(request, undefined, answer, request.member)
    }
    const isChanged = !member.metadata.equals(request.metadata)
    this.#update(member, request)
    if (this.#state === 'stable' && (isChanged || member.id === this.#leader)) this.#prepare()
    if (this.#state === 'completing' && isChanged) this.#prepare()
    if (this.#state === 'stable' || this.#state === 'completing') return answer(this.#joined(member))
    this.#awaitJoin(member, answer)
  }

  /** Somebody in a place, or in the place of somebody who had it before: then that one is fenced. */
  #joinAnew(
    request: JoinRequest,
    before: string | undefined,
    answer: (answer: JoinGroupAnswer) => void,
    id = `member-${++this.#made}`,
  ): void {
    const old = before === undefined ? undefined : this.#members.get(before)
    const member: Member = {
      id,
      instance: request.instance,
      sessionTimeoutMs: 0,
      rebalanceTimeoutMs: 0,
      metadata: NOBODY,
      assignment: old?.assignment ?? NOBODY,
      join: undefined,
      sync: undefined,
      cancelSession: () => {},
    }
    this.#update(member, request)
    if (old !== undefined) {
      old.cancelSession()
      old.join?.(this.#noJoin(FENCED_INSTANCE_ID))
      old.sync?.(noSync(FENCED_INSTANCE_ID))
      this.#members.delete(old.id)
      if (this.#leader === old.id) this.#leader = id
    }
    this.#members.set(id, member)
    if (request.instance !== null) this.#byInstance.set(request.instance, id)
    this.#renew(member)
    // A place that is taken again while the group is stable costs no rebalance: its tasks are its own.
    if (old !== undefined && this.#state === 'stable') {
      return answer({ ...this.#joined(member), skipAssignment: this.#leader === id })
    }
    this.#prepare()
    this.#awaitJoin(member, answer)
  }

  sync(
    request: MemberRequest,
    assignments: ReadonlyMap<string, Buffer>,
    answer: (answer: SyncGroupAnswer) => void,
  ): void {
    const found = this.#check(request)
    if (typeof found === 'number') return answer(noSync(found))
    this.#renew(found)
    switch (this.#state) {
      case 'empty':
        return answer(noSync(UNKNOWN_MEMBER_ID))
      case 'preparing':
        return answer(noSync(REBALANCE_IN_PROGRESS))
      case 'stable':
        return answer(this.#synced(found))
      case 'completing':
        found.sync = answer
        if (found.id === this.#leader) this.#assign(assignments)
    }
  }

  heartbeat(request: MemberRequest): number {
    const found = this.#check(request)
    if (typeof found === 'number') return found
    this.#renew(found)
    return this.#state === 'preparing' ? REBALANCE_IN_PROGRESS : NONE
  }

  leave(id: string, instance: string | null): number {
    const own = instance === null ? id : this.#byInstance.get(instance)
    const member = this.#members.get(own ?? '')
    if (member === undefined) return UNKNOWN_MEMBER_ID
    if (instance !== null && id !== '' && id !== member.id) return FENCED_INSTANCE_ID
    this.#remove(member)
    return NONE
  }

  /** Answers of requests that were broken off go nowhere. */
  forget(id: string): void {
    const member = this.#members.get(id)
    if (member === undefined) return
    member.join = undefined
    member.sync = undefined
  }

  #remove(member: Member): void {
    member.cancelSession()
    this.#members.delete(member.id)
    if (member.instance !== null && this.#byInstance.get(member.instance) === member.id)
      this.#byInstance.delete(member.instance)
    member.join?.(this.#noJoin(UNKNOWN_MEMBER_ID))
    member.sync?.(noSync(UNKNOWN_MEMBER_ID))
    if (this.#state === 'preparing') this.#completeIfAll()
    else this.#prepare()
  }

  #update(member: Member, request: JoinRequest): void {
    member.metadata = Buffer.from(request.metadata)
    member.sessionTimeoutMs = request.sessionTimeoutMs
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    this.#renew(member)
  }

  #renew(member: Member): void {
    member.cancelSession()
    member.cancelSession = this.#later(member.sessionTimeoutMs, () => {
      // Who waits for an answer is heard of through its connection.
      if (member.join === undefined && member.sync === undefined) this.#remove(member)
      else this.#renew(member)
    })
  }

  // --- rounds

  #prepare(): void {
    if (this.#state === 'preparing') return
    const wasEmpty = this.#state === 'empty'
    for (const member of this.#members.values()) {
      member.sync?.(noSync(REBALANCE_IN_PROGRESS))
      member.sync = undefined
    }
    this.#state = 'preparing'
    const patience = Math.max(0, ...[...this.#members.values()].map((one) => one.rebalanceTimeoutMs))
    this.#cancelRound()
    this.#cancelRound = this.#later(wasEmpty ? FIRST_REBALANCE_MS : patience, () => this.#complete())
    this.#awaitsFirst = wasEmpty
  }

  #awaitsFirst = false

  #awaitJoin(member: Member, answer: (answer: JoinGroupAnswer) => void): void {
    member.join = answer
    this.#completeIfAll()
  }

  #completeIfAll(): void {
    if (this.#awaitsFirst && this.#members.size > 0) return
    for (const member of this.#members.values()) if (member.join === undefined) return
    this.#complete()
  }

  /** Static members that did not come in time keep their place until their session is over. */
  #complete(): void {
    this.#cancelRound()
    this.#awaitsFirst = false
    const here = [...this.#members.values()]
    for (const member of here)
      if (member.join === undefined && member.instance === null) this.#members.delete(member.id)
    this.#generation++
    const joined = [...this.#members.values()].filter((member) => member.join !== undefined)
    const [first] = joined
    if (first === undefined) {
      this.#state = this.#members.size === 0 ? 'empty' : 'preparing'
      if (this.#state === 'preparing') this.#cancelRound = this.#later(1_000, () => this.#complete())
      return
    }
    this.#state = 'completing'
    if (!joined.some(({ id }) => id === this.#leader)) this.#leader = first.id
    for (const member of joined) {
      const answer = member.join
      member.join = undefined
      this.#renew(member)
      answer?.(this.#joined(member))
    }
    const generation = this.#generation
    this.#cancelRound = this.#later(first.rebalanceTimeoutMs, () => {
      // The leader never said who gets what.
      if (this.#state === 'completing' && this.#generation === generation) this.#prepare()
    })
  }

  #assign(assignments: ReadonlyMap<string, Buffer>): void {
    this.#state = 'stable'
    this.#cancelRound()
    for (const member of this.#members.values()) {
      member.assignment = Buffer.from(assignments.get(member.id) ?? NOBODY)
      const answer = member.sync
      member.sync = undefined
      answer?.(this.#synced(member))
    }
  }

  #check({ member: id, generation, instance }: MemberRequest): Member | number {
    const own = instance === null ? undefined : this.#byInstance.get(instance)
    if (own !== undefined && own !== id) return FENCED_INSTANCE_ID
    const member = this.#members.get(id)
    if (member === undefined) return UNKNOWN_MEMBER_ID
    return generation === this.#generation ? member : ILLEGAL_GENERATION
  }

  #joined(member: Member): JoinGroupAnswer {
    const isLeader = member.id === this.#leader
    return {
      throttleMs: 0,
      errorCode: NONE,
      generation: this.#generation,
      protocolType: this.#protocol.type,
      protocolName: this.#protocol.name,
      leader: this.#leader,
      skipAssignment: false,
      member: member.id,
      members: isLeader
        ? [...this.#members.values()].map(({ id, instance, metadata }) => ({
            member: id,
            instance,
            metadata,
          }))
        : [],
    }
  }

  #noJoin(errorCode: number, member = ''): JoinGroupAnswer {
    const { name: protocolName, type: protocolType } = this.#protocol
    const nothing = { generation: -1, leader: '', skipAssignment: false, members: [] }
    return { throttleMs: 0, errorCode, protocolType, protocolName, member, ...nothing }
  }

  #synced({ assignment }: Member): SyncGroupAnswer {
    const { name: protocolName, type: protocolType } = this.#protocol
    return { throttleMs: 0, errorCode: NONE, protocolType, protocolName, assignment }
  }

  /** Whether this member may commit in this generation. */
  mayCommit(request: MemberRequest): number {
    // Whoever names neither is taken for a tool, and fenced by nothing.
    if (request.member === '' && request.generation < 0) return NONE
    const found = this.#check(request)
    if (typeof found === 'number') return found
    this.#renew(found)
    return NONE
  }
}

function noSync(errorCode: number): SyncGroupAnswer {
  return { throttleMs: 0, errorCode, protocolType: null, protocolName: null, assignment: NOBODY }
}
