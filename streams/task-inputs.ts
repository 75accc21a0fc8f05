/**
 * The inputs of a task, and the choice among them: the record with the lowest timestamp comes next, whichever input has
 * it.
 *
 * An input whose next record is not here yet may hold an older one, so the others wait for it, though not for ever.
 * Before all that come the inputs that are to be read to their end first (`bootstrap`): the others wait for these, and
 * these for each other, for as long as it takes, once in the life of a task.
 */
import type { Log } from './log.ts'
import type { SubTopology } from './graph.ts'
import type { Position } from './record.ts'
import { lowestTimestamp, TaskInput } from './task-input.ts'

/** Milliseconds that a task waits for an input whose next records are on their way, before it goes on without. */
const WAIT_LIMIT_MS = 500

export interface TaskInputsOptions {
  readonly subTopology: SubTopology
  readonly partition: number
  /** Where the inputs go on; those that are not named begin at 0. */
  readonly positions: readonly Position[]
  /** By topic, the end of each input that is to be read so far before all others; nothing: none is. */
  readonly bootstrapTo?: ReadonlyMap<string, number> | undefined
  readonly log: Log
  readonly monotonic: () => number
  readonly onReadable: () => void
}

export class TaskInputs {
  readonly all: readonly TaskInput[]
  readonly #monotonic: () => number
  readonly #bootstrapTo: ReadonlyMap<string, number>
  /** Inputs to be read to their end before all others, which may not have been yet. */
  #bootstrapping: readonly TaskInput[]
  /** Monotonic time at which the wait for a missing head began. */
  #waitingSince: number | undefined
  /** Sum of the positions when `moved` was last asked. */
  #toldPositions = -1

  constructor(options: TaskInputsOptions) {
    const { subTopology, partition, positions, bootstrapTo, log, monotonic, onReadable } = options
    this.#monotonic = monotonic
    this.#bootstrapTo = bootstrapTo ?? new Map()
    this.all = subTopology.sources.map((source) => {
      const position = positions.find((candidate) => candidate.topic === source.topic.name)
      return new TaskInput(source, partition, position?.offset ?? 0, log, onReadable)
    })
    this.#bootstrapping = this.all
  }

  of(topic: string): TaskInput | undefined {
    return this.all.find((candidate) => candidate.source.topic.name === topic)
  }

  /** The input to read next; nothing while one that may hold an older record is still on its way (for a while). */
  next(): TaskInput | undefined {
    if (this.bootstrapping) {
      // One that is on its way may be older than what is here.
      const isAtHand = this.#bootstrapping.every(({ head, blocked }) => head !== undefined || blocked)
      return isAtHand ? lowestTimestamp(this.#bootstrapping) : undefined
    }
    if (this.all.length > 1 && this.all.some((input) => input.head === undefined && input.fetching)) {
      const now = this.#monotonic()
      this.#waitingSince ??= now
      if (now - this.#waitingSince < WAIT_LIMIT_MS) return undefined
    } else {
      this.#waitingSince = undefined
    }
    return lowestTimestamp(this.all)
  }

  /** Whether some are still to be read to their end before all others. */
  get bootstrapping(): boolean {
    if (this.#bootstrapping.length === 0) return false
    this.#bootstrapping = this.#bootstrapping.filter(({ source: { topic }, position }) => {
      return position < (this.#bootstrapTo.get(topic.name) ?? 0)
    })
    return this.#bootstrapping.length > 0
  }

  /** Milliseconds after which to look again although nothing arrived; `undefined` when nothing is waited for. */
  get waitLimitMs(): number | undefined {
    return this.#waitingSince === undefined ? undefined : WAIT_LIMIT_MS
  }

  /** What a reader broke on. */
  get fault(): Error | undefined {
    for (const { fault } of this.all) if (fault !== undefined) return fault
    return undefined
  }

  /** The next offset of each. */
  positions(): Position[] {
    return this.all.map(({ source, partition, position }) => {
      return { topic: source.topic.name, partition, offset: position }
    })
  }

  /** Whether any position has changed since this was asked last. */
  moved(): boolean {
    let sum = 0
    for (const { position } of this.all) sum += position
    const before = this.#toldPositions
    this.#toldPositions = sum
    return sum !== before
  }

  close(): void {
    for (const input of this.all) input.close()
  }
}
