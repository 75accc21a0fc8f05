/**
 * A simulated world: brokers, a network, machines with disks, processes, and virtual time, all from one seed.
 *
 * A `Log` in it is the log for real clusters over the model of brokers (`docs/adr/0010-simulator-under-the-transport.md`).
 */
import { createHash } from 'node:crypto'
import type { StateDirectory } from '../../streams/index.ts'
import { Cluster, KafkaLog, type KafkaLogOptions } from '../kafka/wire/index.ts'
import { BrokerModel } from './brokers/model.ts'
import { recordsOf } from './brokers/topics.ts'
import { SimulatedDisk } from './disk.ts'
import { type Fault, Faults } from './faults.ts'
import { SimulatedWires } from './network.ts'
import { SimulatedProcess } from './process.ts'
import { seededRandom } from './random.ts'
import { Scheduler } from './scheduler.ts'
import { SimulatedWeather } from './weather.ts'

const EPOCH = Date.UTC(2026, 0, 1)
/** Brokers keep requests longer than real ones: polls without news cost events. Milliseconds. */
const FETCH_WAIT_MS = 2_000

export interface WorldOptions {
  readonly seed: number
  /** What may go wrong; nothing unless told. */
  readonly faults?: Iterable<Fault>
  /** 3 unless told. */
  readonly brokers?: number
  /**
   * Groups that read a topic: nothing that one of them has yet to read is deleted for its age, whether it has a position
   * or not. Unless told, those that have one.
   */
  readonly readers?: (topic: string) => readonly string[]
  /** Takes the event log, line by line. */
  readonly note?: (line: string) => void
}

/** A record as the brokers have it. */
export interface TrueRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Epoch milliseconds. */
  readonly timestamp: number
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[]
}

export class SimulatedWorld {
  readonly scheduler = new Scheduler()
  readonly faults: Faults
  readonly brokers: BrokerModel
  readonly #wires: SimulatedWires
  readonly #weather: SimulatedWeather
  readonly #seed: number
  readonly #note: (line: string) => void
  readonly #disks = new Map<string, SimulatedDisk>()
  readonly #processes = new Set<SimulatedProcess>()

  constructor({ seed, faults = [], brokers = 3, readers, note }: WorldOptions) {
    this.#seed = seed
    this.#note = note ?? (() => {})
    this.faults = new Faults(seed, faults)
    const { scheduler } = this
    const shared = { faults: this.faults, note: (line: string) => this.note(line) }
    const random = this.#random(1)
    this.brokers = new BrokerModel({ scheduler, faults: this.faults, random, brokers, epoch: EPOCH })
    this.#wires = new SimulatedWires({ ...shared, model: this.brokers, random: this.#random(2) })
    this.#weather = new SimulatedWeather({
      ...shared,
      model: this.brokers,
      wires: this.#wires,
      processes: () => Array.from(this.#processes, ({ name }) => name),
      readers: readers ?? (() => []),
    })
  }

  /** Writes to the event log. */
  note(line: string): void {
    this.#note(`${this.scheduler.now.toFixed(1)} ${line}`)
  }

  process(name: string): SimulatedProcess {
    const random = this.#random(hashOf(name))
    const made = new SimulatedProcess({ name, scheduler: this.scheduler, random, epoch: EPOCH })
    this.#processes.add(made)
    made.onKill(() => this.#processes.delete(made))
    return made
  }

  /** A machine's disk, over the lives of its processes. */
  disk(machine: string): SimulatedDisk {
    let disk = this.#disks.get(machine)
    if (disk === undefined) {
      disk = new SimulatedDisk({
        faults: this.faults,
        random: this.#random(hashOf(`disk of ${machine}`)),
        note: (line) => this.note(`${machine}: ${line}`),
        later: (ms, run) => this.scheduler.plan(ms, run),
      })
      this.#disks.set(machine, disk)
    }
    return disk
  }

  stateDirectory(process: SimulatedProcess, machine: string): StateDirectory {
    return this.disk(machine).directory(process)
  }

  /** Waits for the cluster. Throws as a log on a real cluster does. */
  async openLog(process: SimulatedProcess, options: Omit<KafkaLogOptions, 'version'>): Promise<KafkaLog> {
    const network = this.#wires.network(process)
    const questions = network.connections('questions')
    const cluster = new Cluster(questions, { clock: process.clock })
    await cluster.open()
    const fetch = { maxWaitMs: FETCH_WAIT_MS, ...options.fetch }
    const whole = { processId: uuidOf(process.name), ...options, fetch, version: 'simulated' }
    return new KafkaLog(whole, network, questions, cluster)
  }

  /** From here on things go wrong. */
  beginStorm(): void {
    this.note('the storm begins')
    this.faults.storm = true
    this.#weather.begin()
  }

  /** From here on nothing goes wrong, and all that was cut or down is whole. */
  endStorm(): void {
    this.note('the storm ends')
    this.faults.storm = false
    this.#weather.calm()
    for (const process of this.#processes) process.setClock()
    for (const disk of this.#disks.values()) disk.isFull = false
  }

  // --- for judges

  /**
   * Every record of the topic that was ever committed, also what was deleted since, partition after partition: by the
   * brokers' own books, not as a client reads them.
   */
  records(topic: string): TrueRecord[] {
    const partitions = this.brokers.topics.named(topic)?.partitions ?? []
    return partitions.flatMap((partition) =>
      partition.history
        .filter(
          (batch) => !batch.isControl && batch.last < partition.lastStable && !partition.isAborted(batch),
        )
        .flatMap((batch) =>
          recordsOf(batch).map(({ offset, key, value, timestamp, headers }) => {
            return { topic, partition: partition.partition, offset, key, value, timestamp, headers }
          }),
        ),
    )
  }

  /** How often positions were committed, by all groups. */
  get commits(): number {
    let sum = 0
    for (const { positions } of this.brokers.groups.values()) sum += positions.commits
    return sum
  }

  /** The position that a group has committed. */
  committed(group: string, topic: string, partition: number): number | undefined {
    return this.brokers.groups.get(group)?.positions.committed(`${topic}-${partition}`)
  }

  #random(stream: number) {
    return seededRandom(Math.imul(this.#seed ^ 0x5bd1e995, stream * 2 + 1))
  }
}

function hashOf(text: string): number {
  let hash = 17
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  return hash
}

/** The same for the same name. */
function uuidOf(name: string): string {
  const digits = createHash('sha256').update(name).digest('hex')
  const parts = [8, 4, 4, 4, 12].map((length, i, all) => {
    const from = all.slice(0, i).reduce((sum, one) => sum + one, 0)
    return digits.slice(from, from + length)
  })
  return parts.join('-')
}
