/** Inside of a process, when its test says so: a rule that blocks the event loop, clocks that jump, what is alive. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Clock, systemClock, type Topology } from '../../../streams/index.ts'

/** A rule of the topology that takes its time when it is told to. */
export class Blocker {
  readonly #onBlock: (ms: number) => void
  #ms = 0

  /** `onBlock` is called just before. */
  constructor(onBlock: (ms: number) => void) {
    this.#onBlock = onBlock
  }

  /** At the next record nothing in the process runs for so long. */
  arm(ms: number): void {
    this.#ms = ms
  }

  /** The same topology, whose processors look here first. */
  within(topology: Topology): Topology {
    const subTopologies = topology.subTopologies.map((sub) => ({
      ...sub,
      nodes: sub.nodes.map((node) => {
        if (node.kind !== 'processor') return node
        const { processor } = node
        const process: typeof processor.process = (record, context) => {
          this.#block()
          return processor.process(record, context) as ReturnType<typeof processor.process>
        }
        return { ...node, processor: { ...processor, process } }
      }),
    }))
    return { ...topology, subTopologies }
  }

  #block(): void {
    const ms = this.#ms
    if (ms === 0) return
    this.#ms = 0
    this.#onBlock(ms)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  }
}

/** The machine's clocks, and what the test adds to them. Waiting takes as long as ever. */
export class JumpingClock implements Clock {
  #jumped: number
  #passed = 0

  /** The system clock begins so many milliseconds ahead. */
  constructor(aheadMs = 0) {
    this.#jumped = aheadMs
  }

  /** The system clock alone is set. */
  jump(ms: number): void {
    this.#jumped += ms
  }

  /** So much time passes at once, by both clocks. */
  pass(ms: number): void {
    this.#passed += ms
  }

  now(): number {
    return systemClock.now() + this.#jumped + this.#passed
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#passed
  }

  after(ms: number, run: () => void): () => void {
    return systemClock.after(ms, run)
  }

  yield(): Promise<void> {
    return systemClock.yield()
  }
}

const MIB = 1024 * 1024

/** What is left once all garbage has been collected. */
export function aliveNow(): { heapMiB: number; externalMiB: number } {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return { heapMiB: heapUsed / MIB, externalMiB: external / MIB }
}
