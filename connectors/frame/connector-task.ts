/**
 * One task of a connector: reads, delivers, commits, one batch after the other, until it is ended.
 *
 * A session begins at the task's last commit, or where its target says, and ends with the first failure that leaves doubt
 * about either; the next one begins anew.
 *
 * | step | what | a crash after it |
 * | --- | --- | --- |
 * | 1 | a batch is read and decoded | nothing has happened: the records come again |
 * | 2 | the target takes it, and, where it keeps positions, these with it | the records come again, with the same keys; a target that keeps positions is ahead of the log, and is given none of them |
 * | 3 | the log takes outputs, dead letters and positions as one | all of it is there |
 *
 * Invariants:
 * 1. A batch is committed before the next is read: memory holds one batch, and what the readers read ahead.
 * 2. A commit names the assignment that is current when it begins.
 * 3. Once `ended` resolves, nothing of the task is delivered or committed any more.
 */
import {
  type Checkpoint,
  isStreamsError,
  type Log,
  NO_CHECKPOINT,
  type Position,
  reactionOf,
  type TaskId,
} from '../../streams/index.ts'
import { BatchCommits, type PartCommit } from './batch-commit.ts'
import { afterRecords, batchOf, movedOn } from './batch-parts.ts'
import type { CommitGate } from './commit-gate.ts'
import type { DeliveryPolicy, Target } from './connector.ts'
import type { Delivery } from './delivery.ts'
import { asError, DeliveryStuck, kindOf } from './failures.ts'
import { ConnectorInputs, type Taken } from './inputs.ts'
import { backoffMs } from './policy.ts'
import { startsOf } from './starts.ts'
import { closeTarget, OpenFailure, openTarget, type TargetLifeParts } from './target-life.ts'
import type { Turn, Turns } from './turns.ts'
import { rest, settled } from './waiting.ts'

/** Milliseconds between looks when nothing wakes the task. */
const IDLE_LIMIT_MS = 1_000
/** Milliseconds before a commit that the log could not take is offered again. */
const COMMIT_RETRY_MS = 200

export interface ConnectorTaskParts extends TargetLifeParts {
  readonly policy: DeliveryPolicy
  readonly log: Log
  readonly random: () => number
  readonly gate: CommitGate
  readonly turns: Turns
  readonly delivery: Delivery
  /** The error says that the process cannot go on. */
  readonly onFatal: (error: Error) => void
}

/** How far an input is behind; the offset is the next that is to be delivered and committed. */
export interface ConnectorLag extends Position {
  readonly lagRecords: number
}

export class ConnectorTaskRun {
  readonly id: TaskId
  readonly #parts: ConnectorTaskParts
  readonly #turn: Turn
  readonly #aborted = new AbortController()
  readonly #stopping = new AbortController()
  #epoch: number
  #known: readonly Position[] | undefined
  #inputs: ConnectorInputs | undefined
  /** Taken from the inputs, and not committed yet. */
  #inHand: readonly Taken[] = []
  #failure: Error | undefined
  #wake = (): void => {}
  readonly #run: Promise<void>

  constructor(id: TaskId, epoch: number, parts: ConnectorTaskParts) {
    this.id = id
    this.#epoch = epoch
    this.#parts = parts
    this.#turn = parts.turns.make()
    this.#run = this.#sessions()
  }

  /** Why it does not run any more although it is assigned. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Goes on under a later assignment. */
  adopt(epoch: number): void {
    this.#epoch = epoch
  }

  /** It is not wanted any more: what is under way is given up. Resolves as `ended`. */
  drop(): Promise<void> {
    this.#aborted.abort(new Error('the task left'))
    this.#stopping.abort()
    return this.#run
  }

  /** Ends after the batch under way. */
  stop(): void {
    this.#stopping.abort()
  }

  /** Never rejects. */
  ended(): Promise<void> {
    return this.#run
  }

  /** Without the inputs whose end the log cannot tell just now. Never rejects. */
  async lags(): Promise<readonly ConnectorLag[]> {
    if (this.#inputs !== undefined) return this.#inputs.lags().map((lag) => this.#withInHand(lag))
    const { connector, log } = this.#parts
    const { partition } = this.id
    const lags = await Promise.all(
      connector.inputs.map(async ({ name: topic }) => {
        try {
          const { start, end } = await log.bounds({ topic, partition })
          const offset = this.#known?.find((position) => position.topic === topic)?.offset ?? start
          return [{ topic, partition, offset, lagRecords: Math.max(0, end - offset) }]
        } catch {
          return []
        }
      }),
    )
    return lags.flat()
  }

  /** What is in hand is behind too. */
  #withInHand(lag: ConnectorLag): ConnectorLag {
    const offset = this.#inHand.find(({ record }) => record.topic === lag.topic)?.record.offset
    return offset === undefined ? lag : { ...lag, offset, lagRecords: lag.lagRecords + lag.offset - offset }
  }

  // --- sessions

  async #sessions(): Promise<void> {
    const { clock, policy, random } = this.#parts
    // The runner knows the task before anything of it happens.
    await Promise.resolve()
    for (let failures = 1; !this.#stopping.signal.aborted; failures++) {
      try {
        await this.#session(() => (failures = 0))
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        if (this.#fails(error)) return
        await rest(clock, backoffMs(policy, failures, random()), this.#stopping.signal)
      }
    }
  }

  /** A fenced task is told to the runner, or goes on where the log says. Whether the failure is the end of the task. */
  #fails(error: unknown): boolean {
    const { connector, hooks, onFatal } = this.#parts
    const isOpening = error instanceof OpenFailure
    const cause = asError(isOpening ? error.cause : error)
    const reaction = isOpening ? 'retry' : reactionOf(error)
    const isFinal =
      reaction === 'stop' || (reaction === 'drop-task' && !isStreamsError(error, 'COMMIT_FENCED'))
    const isTarget = isOpening || error instanceof DeliveryStuck
    hooks.onFailure(connector.name, isTarget ? kindOf(cause) : 'log', cause, isFinal)
    if (!isFinal) return false
    this.#failure = cause
    if (reaction === 'stop') onFatal(cause)
    else hooks.onEnded(connector.name, cause)
    return true
  }

  async #session(onProgress: () => void): Promise<void> {
    const { signal } = this.#aborted
    const checkpoint = (await this.#parts.log.committed(this.id)) ?? NO_CHECKPOINT
    this.#known = checkpoint.positions
    const target = await openTarget(this.#parts, this.id.partition, {
      dropped: this.#aborted.signal,
      stopping: this.#stopping.signal,
    })
    try {
      const inputs = (this.#inputs = await this.#openInputs(checkpoint, target))
      signal.throwIfAborted()
      const commits = this.#commitsFrom(checkpoint)
      while (!this.#stopping.signal.aborted) {
        const taken = await this.#gathered(inputs)
        if (taken.length === 0) continue
        await this.#deliver(target, taken, commits, inputs.positions())
        onProgress()
      }
    } finally {
      this.#turn.end()
      this.#inHand = []
      this.#inputs?.close()
      this.#inputs = undefined
      await closeTarget(this.#parts, target)
    }
  }

  async #openInputs({ positions }: Checkpoint, target: Target): Promise<ConnectorInputs> {
    const { connector, log, clock } = this.#parts
    const { partition } = this.id
    const { inputs, restMs } = connector
    const from = await startsOf({ log, inputs, partition, committed: positions, taken: target.positions })
    return new ConnectorInputs({
      log,
      topics: connector.inputs,
      partition,
      from,
      targetFrom: target.positions ?? [],
      rejects: (record) => target.rejects?.(record),
      restMs,
      now: () => clock.now(),
      onReadable: () => this.#wake(),
    })
  }

  #commitsFrom(checkpoint: Checkpoint): BatchCommits {
    const { connector, log, clock, hooks } = this.#parts
    return new BatchCommits({
      task: this.id,
      log,
      last: checkpoint,
      now: () => clock.now(),
      onRejected: (topic, reason) => hooks.onRejected(connector.name, topic, reason),
    })
  }

  // --- batches

  /** 1. Empty where there was nothing, or it is to end. */
  async #gathered(inputs: ConnectorInputs): Promise<Taken[]> {
    const { policy, clock, going } = this.#parts
    const { signal } = this.#stopping
    const taken: Taken[] = []
    this.#inHand = taken
    await going.passed(signal)
    const readable = this.#nextReadable()
    if (signal.aborted || inputs.gather(taken, policy)) return taken
    if (taken.length === 0) {
      await this.#idle(readable, IDLE_LIMIT_MS)
      return taken
    }
    const until = clock.monotonic() + policy.lingerMs
    for (let left = policy.lingerMs; left > 0 && !signal.aborted; left = until - clock.monotonic()) {
      const more = this.#nextReadable()
      if (inputs.gather(taken, policy)) break
      await this.#idle(more, left)
    }
    return taken
  }

  #nextReadable(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve))
  }

  async #idle(readable: Promise<void>, ms: number): Promise<void> {
    const over = new AbortController()
    const waiting = AbortSignal.any([over.signal, this.#stopping.signal])
    const cancel = this.#parts.clock.after(ms, () => over.abort())
    await settled(readable, waiting)
    cancel()
  }

  /** 2 and 3. */
  async #deliver(
    target: Target,
    taken: readonly Taken[],
    commits: BatchCommits,
    end: readonly Position[],
  ): Promise<void> {
    const before = commits.positions
    const records = taken.flatMap(({ incoming }) => incoming ?? [])
    if (records.length === 0) return this.#commit(commits.make({ taken, delivered: {}, positions: end }))
    let done = 0
    const task = { dropped: this.#aborted.signal, stopping: this.#stopping.signal, turn: this.#turn }
    const batch = batchOf(records, taken, end)
    for await (const part of this.#parts.delivery.parts(target, batch, task)) {
      const next = afterRecords(taken, done, part.count)
      const isLast = taken.slice(next).every(({ incoming }) => incoming === undefined)
      const to = isLast ? taken.length : next
      const positions = isLast ? end : movedOn(end, before, taken, to)
      const { delivered, failed } = part
      await this.#commit(commits.make({ taken: taken.slice(done, to), delivered, failed, positions }))
      this.#turn.end()
      done = to
      this.#inHand = taken.slice(done)
    }
  }

  /** The log may say that it cannot take it now: it is offered again. Throws what else the log throws. */
  async #commit(commit: PartCommit): Promise<void> {
    const { log, gate, clock, connector, hooks } = this.#parts
    const { signal } = this.#aborted
    for (;;) {
      try {
        await gate.run(signal, () => log.commit([{ ...commit, epoch: this.#epoch }]))
        this.#known = commit.checkpoint.positions
        return
      } catch (error) {
        signal.throwIfAborted()
        if (reactionOf(error) !== 'retry') throw error
        hooks.onFailure(connector.name, 'log', asError(error), false)
        await rest(clock, COMMIT_RETRY_MS, signal)
      }
    }
  }
}
