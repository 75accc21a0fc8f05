/**
 * What may go wrong in a simulation, and whether it does now.
 *
 * Each fault draws from a stream of chance of its own, so that turning one off leaves the choices of the others as they
 * were: a failing seed is made smaller that way.
 */
import { type Random, seededRandom } from './random.ts'

/** Every fault, with what it does. */
export const FAULTS = {
  'lost-request': 'a connection breaks before a request arrives',
  'lost-reply': 'a request is carried out, and the connection breaks before its answer',
  'late-request': 'a connection breaks, and a request on it arrives up to 20 s later all the same',
  'doubled-request': 'a request arrives a second time, later',
  'slow-network': 'single messages take up to a second',
  'cut-network': 'a process and a broker cannot reach each other for seconds, one or both ways',
  'broker-down': 'a broker is away for seconds; others lead meanwhile',
  'leaders-move': 'partitions get other leaders',
  'coordinators-move': 'groups and transactional ids get other coordinators',
  'slow-markers': 'the markers of an ended transaction take up to 2 s',
  'transactions-v1': 'the cluster has the transactions of Kafka 3.9',
  compaction: 'changelogs are compacted',
  retention: 'records of inputs that every group has passed are deleted',
  kill: 'a process ends at once and starts again later',
  'power-cut': 'as a kill, and its disk loses what was not synced',
  'torn-disk': 'a power cut may leave a later batch without an earlier one, or half of one',
  'flipped-bit': 'bits of stored rows change while nobody runs',
  'disk-lost': 'a process comes back with an empty disk',
  'read-error': 'single reads of a disk fail',
  'disk-full': 'a disk takes no write for seconds',
  stop: 'a process ends in order and starts again later',
  halt: 'a process stands still for up to 20 s, and goes on as if nothing had happened',
  scale: 'further processes come and go',
  'clock-jump': 'system clocks jump by up to ten minutes, either way',
} as const satisfies Record<string, string>

export type Fault = keyof typeof FAULTS

export const ALL_FAULTS = Object.keys(FAULTS) as readonly Fault[]

export class Faults {
  readonly enabled: ReadonlySet<Fault>
  /** While false, nothing goes wrong. */
  storm = false
  readonly #streams = new Map<Fault, Random>()
  readonly #seed: number

  constructor(seed: number, enabled: Iterable<Fault>) {
    this.#seed = seed
    this.enabled = new Set(enabled)
  }

  /** Whether the fault happens now. */
  strikes(fault: Fault, probability: number): boolean {
    return this.storm && this.enabled.has(fault) && this.random(fault).chance(probability)
  }

  /** The fault's own chance. */
  random(fault: Fault): Random {
    let stream = this.#streams.get(fault)
    if (stream === undefined) {
      const own = ALL_FAULTS.indexOf(fault) + 1
      this.#streams.set(fault, (stream = seededRandom(this.#seed ^ Math.imul(own, 0x9e3779b1))))
    }
    return stream
  }
}
