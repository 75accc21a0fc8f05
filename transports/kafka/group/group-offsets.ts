/**
 * What a topology's group has committed: the positions of its tasks, and with them their times.
 *
 * Positions are taken only once they are stable: while a transaction that holds some is open, the broker says so, and
 * this waits. Questions of many tasks that come together are one request.
 */
import {
  type Checkpoint,
  type Clock,
  reactionOf,
  StreamsError,
  type TaskId,
  taskName,
} from '../../../streams/index.ts'
import { isClusterError, refusal } from '../errors.ts'
import {
  KafkaError,
  kafkaErrorName,
  needsCoordinator,
  NONE,
  retriable,
  UNSTABLE_OFFSET_COMMIT,
} from '../protocol/errors.ts'
import { type CommittedOffset, offsetFetch } from '../protocol/offsets.ts'
import type { KafkaRequest } from '../protocol/request.ts'
import { checkpointOf, inputsLost, parseOffsetMetadata, topicTag } from '../offset-metadata.ts'

/** Milliseconds between questions while positions are not stable. */
const UNSTABLE_RETRY_MS = { first: 2, most: 50 }
/** Milliseconds after which whoever asked is told to try again later. */
const ANSWER_LIMIT_MS = 30_000

export interface GroupOffsetsOptions {
  readonly clock: Clock
  readonly group: string
  readonly inputsOf: (task: TaskId) => readonly string[]
  readonly topicId: (topic: string) => string
  /** Sends to the group's coordinator. */
  readonly send: <R>(request: KafkaRequest<R>) => Promise<R>
  readonly forgetCoordinator: () => void
}

interface Question {
  readonly task: TaskId
  readonly resolve: (checkpoint: Checkpoint | undefined) => void
  readonly reject: (error: unknown) => void
}

export class GroupOffsets {
  readonly #options: GroupOffsetsOptions
  #waiting: Question[] = []

  constructor(options: GroupOffsetsOptions) {
    this.#options = options
  }

  /**
   * The task's last commit; nothing when it never committed. Throws `LOG_BUSY` when the group's coordinator does not
   * answer, or an open transaction does not end; `RESET_REQUIRED` when an input was deleted and made again.
   */
  committed(task: TaskId): Promise<Checkpoint | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, resolve, reject })
      if (this.#waiting.length === 1) void this.#options.clock.yield().then(() => this.#answer())
    })
  }

  async #answer(): Promise<void> {
    const questions = this.#waiting
    this.#waiting = []
    try {
      const offsets = await this.#fetch(questions.map(({ task }) => task))
      for (const { task, resolve, reject } of questions) {
        try {
          resolve(this.#checkpoint(task, offsets))
        } catch (error) {
          reject(error)
        }
      }
    } catch (error) {
      for (const { reject } of questions) reject(error)
    }
  }

  async #fetch(tasks: readonly TaskId[]): Promise<ReadonlyMap<string, CommittedOffset>> {
    const { group, inputsOf, send, forgetCoordinator, clock } = this.#options
    const partitions = new Map<string, Set<number>>()
    for (const task of tasks) {
      for (const topic of inputsOf(task)) {
        const known = partitions.get(topic) ?? new Set()
        partitions.set(topic, known.add(task.partition))
      }
    }
    const topics = [...partitions].map(([topic, wanted]) => ({ topic, partitions: [...wanted] }))
    const request = offsetFetch([{ group, topics }], true)
    const until = clock.monotonic() + ANSWER_LIMIT_MS
    let problem = ''
    for (let wait = UNSTABLE_RETRY_MS.first; clock.monotonic() < until; ) {
      try {
        const answer = (await send(request)).groups[0]
        const codes = [answer?.errorCode ?? NONE]
        const offsets = new Map<string, CommittedOffset>()
        for (const { topic, partitions: found } of answer?.topics ?? []) {
          for (const offset of found) {
            codes.push(offset.errorCode)
            offsets.set(`${topic}-${offset.partition}`, offset)
          }
        }
        const bad = codes.find((code) => code !== NONE)
        if (bad === undefined) return offsets
        problem = kafkaErrorName(bad)
        if (bad !== UNSTABLE_OFFSET_COMMIT) {
          if (!retriable(bad)) throw refusal('OffsetFetch', bad, { kind: 'group', name: group })
          if (needsCoordinator(bad)) forgetCoordinator()
        }
      } catch (error) {
        if (
          reactionOf(error) === 'stop' ||
          isClusterError(error, 'ACCESS_DENIED') ||
          error instanceof KafkaError
        )
          throw error
        problem = String(error)
        forgetCoordinator()
      }
      await new Promise<void>((resolve) => clock.after(wait, resolve))
      wait = Math.min(UNSTABLE_RETRY_MS.most, wait * 2)
    }
    throw new StreamsError('LOG_BUSY', `positions of ${group} are not to be had: ${problem}`)
  }

  #checkpoint(task: TaskId, offsets: ReadonlyMap<string, CommittedOffset>): Checkpoint | undefined {
    const { partition } = task
    const inputs = this.#options.inputsOf(task)
    const found = inputs.flatMap((topic) => {
      const committed = offsets.get(`${topic}-${partition}`)
      return committed === undefined || committed.offset < 0 ? [] : [{ topic, ...committed }]
    })
    if (found.length === 0) return undefined
    for (const { topic, metadata } of found) {
      const tag = parseOffsetMetadata(metadata)?.topicTag
      if (tag === undefined || tag === topicTag(this.#options.topicId(topic))) continue
      throw new StreamsError('RESET_REQUIRED', `${topic}, an input of ${taskName(task)}, was made again`)
    }
    const committed = found.map(({ topic, offset, metadata }) => ({ topic, partition, offset, metadata }))
    try {
      const lost = inputsLost(committed, inputs)
      if (lost.length === 0) return checkpointOf(committed)
      throw new RangeError(`${taskName(task)} has no position any more in ${lost.join(', ')}`)
    } catch (cause) {
      // An input was deleted, or somebody moved the group's positions; the state is not moved with them.
      throw new StreamsError('RESET_REQUIRED', (cause as RangeError).message, { cause })
    }
  }
}
