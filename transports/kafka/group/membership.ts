/**
 * One process's place in a topology's group: joins, syncs, keeps the session alive, and tells the engine what it has.
 *
 * Its job: the order of a rebalance. Not its job: who gets what (`assignor.ts`), how it is written (`metadata.ts`),
 * committing.
 *
 * A round: the engine ends its commit → JoinGroup → the leader fences dead producers and assigns → SyncGroup → the
 * engine drops what left and opens what is new → heartbeats, until one says that the next round begins. Heartbeats go on
 * beside every step that takes time on this side.
 *
 * Invariants:
 * 1. No commit is under way from JoinGroup to the SyncGroup answer: `current` is undefined, and the engine was asked.
 * 2. A task counts as kept only when no generation passed between two assignments of this member; else the engine is
 *    told that everything is gone (`revoked`) before it hears of the next assignment.
 * 3. After a session without an answer of the coordinator everything is given up: others may have it.
 * 4. After `leave` or a fatal error nothing is sent any more, and `current` stays undefined.
 */
import { hash } from 'node:crypto'
import {
  type GroupSpec,
  type Leaving,
  type Membership,
  StreamsError,
  type TaskId,
} from '../../../streams/index.ts'
import { refusal } from '../errors.ts'
import {
  FENCED_INSTANCE_ID,
  KafkaError,
  MEMBER_ID_REQUIRED,
  memberFenced,
  needsCoordinator,
  NONE,
  REBALANCE_IN_PROGRESS,
  retriable,
} from '../protocol/errors.ts'
import { type JoinGroupAnswer, leaveGroup, type SyncGroupAnswer } from '../protocol/groups.ts'
import type { GroupMember } from '../protocol/transactions.ts'
import { GroupCoordinator } from './coordinator.ts'
import { decodeAssignment, encodeSubscription, type MemberAssignment, type Subscription } from './metadata.ts'
import type { MembershipOptions } from './membership-options.ts'
import { joinRequest, syncRequest } from './round-requests.ts'
import { type TaskKey, taskKey, parseTaskKey } from './task-key.ts'

/** The member as a commit must name it, and the epoch that the engine knows it by. */
export interface CurrentMember extends GroupMember {
  readonly epoch: number
}

export class GroupMembership implements Membership {
  readonly #options: MembershipOptions
  readonly #coordinator: GroupCoordinator
  #memberId = ''
  #generation = -1
  #owned: readonly TaskKey[] = []
  #liveIds: readonly string[] = []
  #current: CurrentMember | undefined
  #first: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined
  #running: Promise<void> | undefined
  #leaving = false
  /** Why the group must be joined anew, said from outside. */
  #rejoinCause: Error | undefined
  #wake: (() => void) | undefined

  constructor(options: MembershipOptions) {
    this.#options = options
    const { clock, sessionTimeoutMs, heartbeatMs, send, forgetCoordinator } = options
    this.#coordinator = new GroupCoordinator({
      clock,
      sessionTimeoutMs,
      heartbeatMs,
      send,
      forget: forgetCoordinator,
      pause: (ms) => this.#pause(ms),
      onSilence: () => this.#unheard(),
    })
  }

  /** As whom to commit; nothing while there is no assignment. */
  get current(): CurrentMember | undefined {
    return this.#current
  }

  /** Resolves once the listener has its first assignment; rejects when it can never have one. */
  start(): Promise<void> {
    const first = new Promise<void>((resolve, reject) => {
      this.#first = { resolve, reject }
    })
    this.#running = this.#run()
    return first
  }

  /** A commit was refused: whatever this process has is void. Joins again as a new producer. */
  rejoin(cause: Error): void {
    this.#rejoinCause ??= cause
    this.#wake?.()
  }

  async leave({ forGood }: Leaving = { forGood: false }): Promise<void> {
    if (this.#leaving) return this.#running
    this.#leaving = true
    this.#current = undefined
    this.#coordinator.close()
    this.#wake?.()
    const { identity, leaves, send, disconnect } = this.#options
    if ((leaves || forGood) && this.#memberId !== '') {
      const reason = forGood ? 'failed' : 'closed'
      const member = { member: this.#memberId, instance: identity.instance, reason }
      // Where it is not heard, the session timeout does the same.
      await send(leaveGroup(identity.group, [member])).catch(() => undefined)
    }
    await disconnect()
    await this.#running
  }

  async #run(): Promise<void> {
    try {
      while (!this.#leaving) {
        if (await this.#round()) await this.#stayAlive()
      }
    } catch (error) {
      this.#current = undefined
      this.#first?.reject(error)
      if (!this.#leaving) this.#options.listener.lost(asError(error))
    }
    this.#first?.reject(new StreamsError('LOG_CLOSED', `${this.#options.identity.group} was left`))
  }

  // --- a round

  /** Answers whether this member has an assignment now. */
  async #round(): Promise<boolean> {
    await this.#whileAlive(this.#generation, this.#options.listener.rebalancing())
    this.#current = undefined
    // The commit that was waited for may have been refused.
    if (this.#rejoinCause !== undefined) await this.#startOver(this.#rejoinCause)
    const joined = await this.#join()
    if (joined === undefined) return false
    const assignments = await this.#assignments(joined)
    const synced = await this.#sync(joined, assignments)
    if (synced === undefined) return false
    await this.#whileAlive(joined.generation, this.#take(joined, this.#assignmentOf(synced.assignment)))
    return true
  }

  async #join(): Promise<JoinGroupAnswer | undefined> {
    const metadata = encodeSubscription(await this.#subscription())
    const request = joinRequest(this.#options, this.#memberId, metadata)
    const answer = await this.#coordinator.ask(request)
    if (answer === undefined) return undefined
    if (answer.errorCode === MEMBER_ID_REQUIRED) {
      this.#memberId = answer.member
      return undefined
    }
    if (await this.#refused('JoinGroup', answer.errorCode)) return undefined
    this.#memberId = answer.member
    return answer
  }

  /** What everybody gets, where this member is the one who says so. */
  async #assignments(joined: JoinGroupAnswer): Promise<ReadonlyMap<string, Buffer>> {
    if (joined.leader !== joined.member || joined.skipAssignment) return new Map()
    // Metadata are views of the response.
    const members = joined.members.map(({ member, metadata }) => [member, Buffer.from(metadata)] as const)
    return this.#whileAlive(joined.generation, this.#options.assign(new Map(members)))
  }

  async #sync(
    joined: JoinGroupAnswer,
    assignments: ReadonlyMap<string, Buffer>,
  ): Promise<SyncGroupAnswer | undefined> {
    const request = syncRequest(this.#options, joined, assignments)
    const answer = await this.#coordinator.ask(request)
    if (answer === undefined || answer.errorCode === REBALANCE_IN_PROGRESS) return undefined
    return (await this.#refused('SyncGroup', answer.errorCode)) ? undefined : answer
  }

  /** A leader of a later release may have said more than is understood here. */
  #assignmentOf(bytes: Buffer): MemberAssignment {
    const { spec, identity } = this.#options
    const read = decodeAssignment(bytes, spec.subTopologies)
    if (read.kind === 'understood') return read.assignment
    if (read.kind === 'newer') return { active: read.active, standby: [], peers: [], liveIds: [] }
    throw new StreamsError('TOPOLOGY_INVALID', `the assignment of ${identity.group}: ${read.reason}`)
  }

  async #take({ generation, member }: JoinGroupAnswer, assignment: MemberAssignment): Promise<void> {
    const { listener, identity, nextEpoch } = this.#options
    // The same generation comes again where a static member had only lost its connection.
    const missed =
      this.#generation >= 0 && generation !== this.#generation && generation !== this.#generation + 1
    if (missed) {
      const passed = `generation ${this.#generation} went to ${generation} without this member`
      await listener.revoked(new StreamsError('COMMIT_FENCED', `${identity.group}: ${passed}`))
    }
    this.#generation = generation
    this.#owned = assignment.active
    this.#liveIds = assignment.liveIds
    if (this.#leaving) return
    const epoch = nextEpoch()
    const { group, instance } = identity
    // Before the listener knows: tasks that are kept commit while those that left are still being closed.
    this.#current = { group, generation, member, instance, epoch }
    await listener.assigned({
      epoch,
      tasks: this.#taskIds(assignment.active),
      standbys: this.#taskIds(assignment.standby),
      peers: assignment.peers.map(({ address, tasks }) => ({ address, tasks: this.#taskIds(tasks) })),
    })
    this.#first?.resolve()
    this.#first = undefined
  }

  async #subscription(): Promise<Subscription> {
    const { spec, identity, listener, standbys, transactionalId } = this.#options
    const stored = await listener.stored()
    return {
      topics: [...new Set(spec.subTopologies.flatMap(({ inputs }) => inputs))],
      processId: identity.processId,
      slot: identity.slot,
      ...(identity.address === undefined ? {} : { address: identity.address }),
      transactionalId: transactionalId(),
      rememberedIds: this.#liveIds,
      owned: this.#owned,
      ownedGeneration: this.#generation,
      warm: stored.map(({ task: { subTopology, partition }, lag }) => {
        return { task: taskKey(subTopology, partition), lag }
      }),
      standbys,
      topologyFingerprint: fingerprintOf(spec),
      engineVersion: identity.version,
    }
  }

  #taskIds(keys: readonly TaskKey[]): TaskId[] {
    const { topology } = this.#options.spec
    return keys.flatMap((key) => {
      const parsed = parseTaskKey(key)
      return parsed === undefined ? [] : [{ topology, ...parsed }]
    })
  }

  /** What takes long on this side ends no session: the coordinator hears of this member meanwhile. */
  #whileAlive<T>(generation: number, work: Promise<T>): Promise<T> {
    return generation < 0 ? work : this.#coordinator.whileAlive(this.#asMember(generation), work)
  }

  #asMember(generation = this.#generation): GroupMember {
    const { group, instance } = this.#options.identity
    return { group, generation, member: this.#memberId, instance }
  }

  // --- between rounds

  /** Returns when the next round must begin. */
  async #stayAlive(): Promise<void> {
    const { heartbeatMs } = this.#options
    while (!this.#leaving) {
      await this.#pause(heartbeatMs)
      if (this.#leaving) return
      const cause = this.#rejoinCause
      if (cause !== undefined) return this.#startOver(cause)
      const answer = await this.#coordinator.ask(this.#coordinator.heartbeat(this.#asMember()))
      if (answer === undefined || answer.errorCode === NONE) continue
      if (answer.errorCode === REBALANCE_IN_PROGRESS) return
      if (await this.#refused('Heartbeat', answer.errorCode)) return
    }
  }

  /** Everything is void: the group went on, or a commit was refused. */
  async #startOver(cause: Error): Promise<void> {
    this.#current = undefined
    this.#owned = []
    this.#generation = -1
    await this.#options.listener.revoked(cause)
    await this.#options.renewProducer()
    // Whatever was refused until now is void with the rest.
    this.#rejoinCause = undefined
  }

  /** Answers whether the round must begin anew. Throws what cannot be mended. */
  async #refused(api: string, code: number): Promise<boolean> {
    if (code === NONE) return false
    const { identity, forgetCoordinator } = this.#options
    const cause = new KafkaError(api, code, identity.group)
    if (code === FENCED_INSTANCE_ID) {
      const detail = `another process runs as ${identity.instance} in ${identity.group}`
      throw new StreamsError('COMMIT_FENCED', detail, { cause })
    }
    if (memberFenced(code)) {
      this.#memberId = ''
      // Else it was given up before, when nothing was heard for long.
      if (this.#generation >= 0)
        await this.#startOver(new StreamsError('COMMIT_FENCED', identity.group, { cause }))
      return true
    }
    if (needsCoordinator(code)) forgetCoordinator()
    else if (!retriable(code)) throw refusal(api, code, { kind: 'group', name: identity.group })
    await this.#coordinator.pauseForRetry()
    return true
  }

  /** The group goes on without this member, or did already. Who it was then says who is the older one. */
  #unheard(): void {
    const { identity, sessionTimeoutMs } = this.#options
    const hasTasks = this.#generation >= 0
    if (!hasTasks) return
    this.#current = undefined
    const silence = `${identity.group}: no answer for ${sessionTimeoutMs} ms`
    this.#rejoinCause ??= new StreamsError('COMMIT_FENCED', silence)
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
    this.#wake = undefined
  }
}

/** Members whose sub-topologies differ cannot share tasks. Only what every release knows of them is in it. */
function fingerprintOf({ subTopologies }: GroupSpec): string {
  const known = subTopologies.map(({ id, inputs, stores }) => ({ id, inputs, stores }))
  return hash('sha256', JSON.stringify(known)).slice(0, 16)
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
