/**
 * One topology's group as this process takes part in it: its membership, its transactional producer, its positions.
 *
 * Not its job: the order of a rebalance (`group/membership.ts`), of a commit (`commit.ts`).
 *
 * Invariants:
 * 1. A commit names the member and generation in which all of its tasks were assigned, or is refused here.
 * 2. Positions are asked for only while nothing of this process's own is open or on its way: else it would wait for
 *    itself, or be told what its own late request then changes.
 * 3. Each return after a fence writes under a new transactional id.
 */
import {
  type Checkpoint,
  type CommitReceipt,
  type GroupListener,
  type GroupSpec,
  isStreamsError,
  type Leaving,
  type Membership,
  StreamsError,
  type TaskCommit,
  type TaskId,
} from '../../streams/index.ts'
import type { CommitMember } from './commit.ts'
import type { Cluster } from './cluster.ts'
import { isClusterError } from './errors.ts'
import { fence, type FenceBrokers, listProducers } from './group/fence.ts'
import { GroupOffsets } from './group/group-offsets.ts'
import { leadGroup } from './group/leader.ts'
import { GroupMembership } from './group/membership.ts'
import type { MembershipTimes } from './group/membership-options.ts'
import { transactionalId } from './group/transactional-ids.ts'
import type { BrokerConnections, Network } from './network.ts'
import { leaveGroup } from './protocol/groups.ts'
import type { KafkaRequest } from './protocol/request.ts'

/** The API key of LeaveGroup, which must not wait behind a JoinGroup. */
const LEAVE_GROUP = leaveGroup('', []).apiKey
/** Milliseconds between looks whether a lost member may commit again. */
const SETTLE_RETRY_MS = 100

/** Writes commits, under one transactional id where they are transactions. */
export interface Committer {
  /** Resolves when nothing is open or on its way. Throws as `TransactionalProducer.settle`. */
  settle(): Promise<void>
  /** Throws as `commitExactlyOnce` and `commitAtLeastOnce`. */
  commit(member: CommitMember, commits: readonly TaskCommit[]): Promise<readonly CommitReceipt[]>
}

export interface CommitterOptions {
  readonly transactionalId: string
  readonly connections: BrokerConnections
  /** The life of an input that its tasks read here; undefined before the first of them was opened. */
  readonly openedId: (input: string) => string | undefined
}

export interface TopologyGroupOptions extends MembershipTimes {
  readonly spec: GroupSpec
  readonly listener: GroupListener
  readonly cluster: Cluster
  readonly network: Network
  /** What is answered at once. */
  readonly questions: BrokerConnections
  readonly slot: string
  readonly processId: string
  readonly address: string | undefined
  readonly version: string
  readonly leaves: boolean
  /** Standbys wanted per task with state. */
  readonly standbys: number
  readonly nextEpoch: () => number
  readonly makeCommitter: (options: CommitterOptions) => Committer
  /** Told before the listener is: it asks for what its tasks committed. */
  readonly onMade: (group: TopologyGroup) => void
  readonly onFenced: (ids: readonly string[]) => void
  readonly onUnreadable: (member: string, reason: string) => void
}

export class TopologyGroup implements Membership {
  readonly #options: TopologyGroupOptions
  readonly #group: string
  readonly #memberConnections: BrokerConnections
  readonly #commitConnections: BrokerConnections
  readonly #forgetBrokers: readonly (() => void)[]
  readonly #brokers: FenceBrokers
  readonly #offsets: GroupOffsets
  readonly #membership: GroupMembership
  /**
   * Ids of the inputs as of their tasks' opening. One that is made again meanwhile has another id at once, and its old
   * readers end a moment later: what they read must not be committed as read of the new one.
   */
  readonly #inputIds = new Map<string, string>()
  #incarnation = 0
  #committer: Committer
  /** The last of the calls to the committer. */
  #calls: Promise<unknown> = Promise.resolve()
  #leaving: Promise<void> | undefined

  private constructor(options: TopologyGroupOptions, incarnation: number) {
    const { spec, cluster, network, questions, slot } = options
    this.#options = options
    this.#group = groupName(spec)
    this.#incarnation = incarnation
    this.#memberConnections = network.connections(`${spec.topology}-group`)
    this.#commitConnections = network.connections(`${spec.topology}-commit`)
    this.#forgetBrokers = [this.#memberConnections, this.#commitConnections].map((connections) =>
      cluster.onBrokers((brokers) => connections.know(brokers)),
    )
    this.#brokers = fenceBrokers(cluster, questions)
    this.#offsets = new GroupOffsets({
      clock: cluster.clock,
      group: this.#group,
      inputsOf: (task) => this.#inputsOf(task),
      topicId: (topic) => cluster.topic(topic)?.id ?? '',
      send: (request) => this.#ask(questions, request),
      forgetCoordinator: () => cluster.forgetCoordinator('group', this.#group),
    })
    this.#committer = this.#makeCommitter()
    this.#membership = new GroupMembership({
      ...options,
      clock: cluster.clock,
      identity: {
        group: this.#group,
        instance: `${this.#group}.${slot}`,
        processId: options.processId,
        slot,
        address: options.address,
        version: options.version,
      },
      send: (request) => {
        const aside = request.apiKey === LEAVE_GROUP
        return this.#ask(aside ? questions : this.#memberConnections, request)
      },
      forgetCoordinator: () => cluster.forgetCoordinator('group', this.#group),
      assign: (members) => this.#lead(members),
      transactionalId: () => this.#transactionalId(),
      renewProducer: () => this.#renew(),
      disconnect: () => this.#memberConnections.close(),
    })
  }

  /** Resolves once the listener has its first assignment. Throws what keeps this process from ever having one. */
  static async join(options: TopologyGroupOptions): Promise<TopologyGroup> {
    const { spec, cluster, questions, slot } = options
    const brokers = fenceBrokers(cluster, questions)
    const own = (await listProducers(brokers, spec)).filter((producer) => producer.slot === slot)
    // Whoever ran in this place before is gone, or is to go: two cannot have one slot.
    const open = own.filter((producer) => producer.open).map(({ id }) => id)
    if (open.length > 0) options.onFenced(await fence(brokers, open))
    const newest = Math.max(0, ...own.map(({ incarnation }) => incarnation))
    const group = new TopologyGroup(options, newest + 1)
    options.onMade(group)
    try {
      await group.#checkRights()
      await group.#membership.start()
      return group
    } catch (error) {
      await group.leave()
      throw error
    }
  }

  /** Who may not write under its id is told before it is given tasks. What else is amiss may pass by then. */
  async #checkRights(): Promise<void> {
    await this.#settle().catch((error: unknown) => {
      if (isClusterError(error, 'ACCESS_DENIED')) throw error
    })
  }

  /** The task's last commit. Throws as `GroupOffsets.committed`. */
  async committed(task: TaskId): Promise<Checkpoint | undefined> {
    await this.#settle()
    const checkpoint = await this.#offsets.committed(task)
    for (const input of this.#inputsOf(task)) {
      const topic = this.#options.cluster.topic(input)
      if (topic !== undefined) this.#inputIds.set(input, topic.id)
    }
    return checkpoint
  }

  #inputsOf({ subTopology }: TaskId): readonly string[] {
    return this.#options.spec.subTopologies.find(({ id }) => id === subTopology)?.inputs ?? []
  }

  /** Throws `COMMIT_FENCED`, `COMMIT_UNKNOWN`, `LOG_BUSY`. */
  async commit(commits: readonly TaskCommit[]): Promise<readonly CommitReceipt[]> {
    const member = this.#membership.current
    if (member === undefined)
      throw new StreamsError('COMMIT_FENCED', `${this.#group}: has no assignment at the moment`)
    const committer = this.#committer
    try {
      const isCurrent = (epoch: number): boolean => this.#membership.current?.epoch === epoch
      return await this.#inTurn(() => committer.commit({ ...member, isCurrent }, commits))
    } catch (error) {
      this.#refused(committer, error)
      throw error
    }
  }

  /** Idempotent. */
  leave(how?: Leaving): Promise<void> {
    return (this.#leaving ??= this.#leave(how))
  }

  async #leave(how: Leaving | undefined): Promise<void> {
    await this.#membership.leave(how)
    for (const forget of this.#forgetBrokers) forget()
    await this.#memberConnections.close()
    await this.#commitConnections.close()
  }

  /** Nothing of this process is open or on its way. Throws `LOG_BUSY`. */
  async #settle(): Promise<void> {
    for (;;) {
      const committer = this.#committer
      try {
        return await this.#inTurn(() => committer.settle())
      } catch (error) {
        // Fenced: the membership sees to a new one.
        if (!isStreamsError(error, 'COMMIT_FENCED')) throw error
        this.#refused(committer, error)
        await new Promise<void>((resolve) => this.#options.cluster.clock.after(SETTLE_RETRY_MS, resolve))
        if (this.#committer !== committer) continue
        // Nothing is wrong with the task: it is asked for again, or given up with the membership.
        throw new StreamsError('LOG_BUSY', `${this.#group} is to be joined again`, { cause: error })
      }
    }
  }

  /**
   * Where a broker refused, whatever this process has is void. What is refused here says only that the caller is late,
   * and what one refuses that is not in use any more says nothing.
   */
  #refused(committer: Committer, error: unknown): void {
    if (committer !== this.#committer || !isStreamsError(error, 'COMMIT_FENCED')) return
    if (error.cause !== undefined) this.#membership.rejoin(error)
  }

  /** A committer takes one call at a time, and tasks are opened while others commit. */
  #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const turn = this.#calls.then(call)
    this.#calls = turn.catch(() => undefined)
    return turn
  }

  #renew(): Promise<void> {
    this.#incarnation++
    this.#committer = this.#makeCommitter()
    return Promise.resolve()
  }

  #makeCommitter(): Committer {
    return this.#options.makeCommitter({
      transactionalId: this.#transactionalId(),
      connections: this.#commitConnections,
      openedId: (input) => this.#inputIds.get(input),
    })
  }

  #transactionalId(): string {
    const { spec, slot } = this.#options
    return transactionalId(spec, { slot, incarnation: this.#incarnation })
  }

  #lead(members: ReadonlyMap<string, Buffer>): Promise<ReadonlyMap<string, Buffer>> {
    const { spec, cluster, onFenced, onUnreadable } = this.#options
    const partitions = (topic: string): number => cluster.topic(topic)?.firstCount ?? 0
    return leadGroup({ spec, brokers: this.#brokers, partitions, onFenced, onUnreadable }, members)
  }

  async #ask<R>(connections: BrokerConnections, request: KafkaRequest<R>): Promise<R> {
    const node = await this.#options.cluster.coordinator('group', this.#group)
    return connections.send(node, request)
  }
}

/** Group of a topology, as Kafka's tools show it. */
export function groupName({ application, topology }: Pick<GroupSpec, 'application' | 'topology'>): string {
  return `${application}.${topology}`
}

function fenceBrokers(cluster: Cluster, questions: BrokerConnections): FenceBrokers {
  return {
    clock: cluster.clock,
    brokers: () => cluster.brokers(),
    coordinator: (kind, key) => cluster.coordinator(kind, key),
    forgetCoordinator: (kind, key) => cluster.forgetCoordinator(kind, key),
    send: (node, request) => questions.send(node, request),
  }
}
