/** Generators of processors that wait for pages of a store, run one after the other in the order they came. */
import type { Scan, TaskState } from '../state/index.ts'
import { StreamsError } from './errors.ts'
import { type AnyRecord, ProcessorInstance } from './node-graph.ts'

/** Milliseconds that the work of one record may take. */
const PROCESSING_LIMIT_MS = 30_000

export class DeferredWork {
  readonly #state: TaskState
  readonly #monotonic: () => number
  readonly #queue: {
    readonly node: ProcessorInstance
    readonly record: AnyRecord
    readonly work: Scan<void>
  }[] = []

  constructor(state: TaskState, monotonic: () => number) {
    this.#state = state
    this.#monotonic = monotonic
  }

  add(node: ProcessorInstance, record: AnyRecord, work: Scan<void>): void {
    this.#queue.push({ node, record, work })
  }

  get empty(): boolean {
    return this.#queue.length === 0
  }

  clear(): void {
    this.#queue.length = 0
  }

  /** Runs everything, also what is added meanwhile. Throws what processors throw, and `PROCESSING_TIMEOUT`. */
  async run(): Promise<void> {
    if (this.empty) return
    const deadline = this.#monotonic() + PROCESSING_LIMIT_MS
    for (let item = this.#queue.shift(); item !== undefined; item = this.#queue.shift()) {
      const { node, record, work } = item
      node.resume(record)
      for (let step = work.next([]); !step.done; ) {
        // Another task may run meanwhile.
        ProcessorInstance.active = undefined
        const rows = await this.#state.readPage(step.value)
        if (this.#monotonic() > deadline) throw new StreamsError('PROCESSING_TIMEOUT', node.name)
        node.resume(record)
        step = work.next(rows)
      }
    }
    ProcessorInstance.active = undefined
  }
}
