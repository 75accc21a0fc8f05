/**
 * A log in memory that keeps no state, whose assignments the test makes: as a group of several processes would, without
 * the others. Changelogs can be held back.
 */
import {
  type Assignment,
  type GroupListener,
  type GroupSpec,
  type Leaving,
  type Log,
  type Membership,
  type PartitionReader,
  type TaskId,
  type TopicPartition,
} from '../../streams/index.ts'
import { MemoryLog, MemoryStorage } from '../../transports/simulated/index.ts'

export interface GuidedLog extends Log {
  readonly memory: MemoryLog
  /** The member's side of the group; there once it joined. */
  readonly listener: GroupListener
  /** How the member left, once it has. */
  readonly leaving: Leaving | undefined
  /** Hands out these tasks and standbys, as a new assignment. */
  assign(tasks: readonly TaskId[], more?: Partial<Pick<Assignment, 'standbys' | 'peers'>>): Promise<void>
  /** Readers of the topic give nothing until the answer is called. */
  hold(topic: string): () => void
  /** Records that readers of the topic gave since the start. */
  taken(topic: string): number
  /** Readers of the topic have a fault from now on. */
  fail(topic: string, fault: Error): void
  /** The group's committed positions are gone. */
  forgetOffsets(): void
  /** A topic of the same name, but another one. */
  recreated(topic: string): void
}

/** `storage`: what other logs are open on as well, as other processes are; else its own. */
export function guidedLog(now: () => number, storage = new MemoryStorage()): GuidedLog {
  const memory = new MemoryLog({ stateHome: 'task', now, storage })
  const held = new Map<string, Set<() => void>>()
  const taken = new Map<string, number>()
  const lives = new Map<string, number>()
  const faults = new Map<string, Error>()
  let forgotten = false
  let leaving: Leaving | undefined
  let member: { readonly spec: GroupSpec; readonly listener: GroupListener } | undefined

  /** Each join gives the group a new epoch. */
  const nextEpoch = async (spec: GroupSpec): Promise<number> => {
    let epoch = 0
    await memory.join(spec, {
      ...silent,
      assigned(assignment: Assignment) {
        epoch = assignment.epoch
        return Promise.resolve()
      },
    })
    return epoch
  }

  const own = {
    memory,
    get listener(): GroupListener {
      if (member === undefined) throw new Error('nobody has joined')
      return member.listener
    },
    get leaving(): Leaving | undefined {
      return leaving
    },
    async assign(
      tasks: readonly TaskId[],
      more: Partial<Pick<Assignment, 'standbys' | 'peers'>> = {},
    ): Promise<void> {
      if (member === undefined) throw new Error('nobody has joined')
      const epoch = await nextEpoch(member.spec)
      await member.listener.assigned({ epoch, tasks, standbys: [], peers: [], ...more })
    },
    hold(topic: string) {
      const waiting = new Set<() => void>()
      held.set(topic, waiting)
      return () => {
        held.delete(topic)
        for (const readable of waiting) readable()
      }
    },
    taken: (topic: string) => taken.get(topic) ?? 0,
    fail: (topic: string, fault: Error) => void faults.set(topic, fault),
    forgetOffsets() {
      forgotten = true
    },
    committed: (task: TaskId) => (forgotten ? Promise.resolve(undefined) : memory.committed(task)),
    recreated(topic: string) {
      lives.set(topic, (lives.get(topic) ?? 0) + 1)
    },
    topicId: (topic: string) => `${memory.topicId(topic)}#${lives.get(topic) ?? 0}`,
    join(spec: GroupSpec, listener: GroupListener): Promise<Membership> {
      member = { spec, listener }
      return Promise.resolve({
        leave: (how) => {
          leaving ??= how ?? { forGood: false }
          return Promise.resolve()
        },
      })
    },
    openReader(partition: TopicPartition, from: number, onReadable: () => void): PartitionReader {
      const reader = memory.openReader(partition, from, onReadable)
      const { topic } = partition
      return {
        topic,
        partition: partition.partition,
        get position() {
          return reader.position
        },
        get end() {
          return reader.end
        },
        get fault() {
          return faults.get(topic) ?? reader.fault
        },
        take(limit) {
          const waiting = held.get(topic)
          if (waiting !== undefined) {
            waiting.add(onReadable)
            return []
          }
          const records = reader.take(limit)
          taken.set(topic, (taken.get(topic) ?? 0) + records.length)
          return records
        },
        close: () => reader.close(),
      }
    },
  }
  return new Proxy(memory, {
    get(target, name) {
      if (name in own) return Reflect.get(own, name) as unknown
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  }) as unknown as GuidedLog
}

const silent: GroupListener = {
  stored: () => Promise.resolve([]),
  rebalancing: () => Promise.resolve(),
  assigned: () => Promise.resolve(),
  revoked: () => Promise.resolve(),
  lost: () => {},
}
