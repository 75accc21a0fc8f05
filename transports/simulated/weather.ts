/** What happens to the cluster by itself during a storm: brokers come and go, places move, networks are cut, logs cleaned. */
import type { BrokerModel } from './brokers/model.ts'
import type { Fault, Faults } from './faults.ts'
import type { SimulatedWires } from './network.ts'

/** Milliseconds between two of a kind, in the mean. */
const MEAN_MS = {
  'broker-down': 6_000,
  'leaders-move': 3_000,
  'coordinators-move': 4_000,
  'cut-network': 5_000,
  compaction: 2_000,
  retention: 3_000,
} as const satisfies Partial<Record<Fault, number>>
type Weather = keyof typeof MEAN_MS

const OUTAGE_MS = { least: 200, most: 5_000 }
const LEADER_MOVES = 0.3

export interface WeatherOptions {
  readonly model: BrokerModel
  readonly wires: SimulatedWires
  readonly faults: Faults
  readonly note: (line: string) => void
  /** Names of the processes that run. */
  readonly processes: () => readonly string[]
  /** Groups that read a topic, whether they have a position there yet or not. */
  readonly readers: (topic: string) => readonly string[]
}

export class SimulatedWeather {
  readonly #options: WeatherOptions
  readonly #mends = new Set<() => void>()

  constructor(options: WeatherOptions) {
    this.#options = options
  }

  begin(): void {
    for (const kind of Object.keys(MEAN_MS) as Weather[])
      if (this.#options.faults.enabled.has(kind)) this.#wait(kind)
  }

  /** Everything is up, and reaches everything. */
  calm(): void {
    for (const mend of this.#mends) mend()
  }

  #wait(kind: Weather): void {
    const { faults, model } = this.#options
    const ms = -Math.log(1 - faults.random(kind).next()) * MEAN_MS[kind]
    model.scheduler.plan(ms, () => {
      if (!faults.storm) return
      this.#happen(kind)
      this.#wait(kind)
    })
  }

  #happen(kind: Weather): void {
    switch (kind) {
      case 'broker-down':
        return this.#brokerDown()
      case 'leaders-move':
        return this.#leadersMove()
      case 'coordinators-move':
        this.#options.note('coordinators move')
        return this.#options.model.moveCoordinators()
      case 'cut-network':
        return this.#cut()
      case 'compaction':
        return this.#options.model.topics.compact()
      case 'retention':
        return this.#deletePassed()
    }
  }

  #brokerDown(): void {
    const { model, wires, faults, note } = this.#options
    const { up } = model
    if (up.length < 2) return
    const node = faults.random('broker-down').pick(up)
    note(`broker ${node} goes down`)
    model.takeDown(node)
    wires.breakNode(node)
    this.#untilMended('broker-down', () => {
      note(`broker ${node} is back`)
      model.bringUp(node)
    })
  }

  #leadersMove(): void {
    const { model, faults, note } = this.#options
    note('leaders move')
    for (const { topic, partition } of model.topics.partitions)
      if (faults.random('leaders-move').chance(LEADER_MOVES)) model.moveLeader(topic, partition)
  }

  #cut(): void {
    const { model, wires, faults, note, processes } = this.#options
    const random = faults.random('cut-network')
    const names = processes()
    if (names.length === 0) return
    const process = random.pick(names)
    const nodes = random.chance(0.5) ? model.nodes : [random.pick(model.nodes)]
    const what = random.chance(0.5) ? 'both' : 'answers'
    note(`${process} is cut from ${nodes.join(', ')} (${what})`)
    for (const node of nodes) wires.cut(process, node, what)
    this.#untilMended('cut-network', () => {
      note(`${process} reaches ${nodes.join(', ')}`)
      for (const node of nodes) wires.mend(process, node)
    })
  }

  /** Of topics that are not compacted, what every group that reads there is past. */
  #deletePassed(): void {
    const { model, note, readers } = this.#options
    for (const partition of model.topics.partitions) {
      const name = `${partition.topic}-${partition.partition}`
      if (model.topics.named(partition.topic)?.configs.get('cleanup.policy') === 'compact') continue
      const positions = [...model.groups.values()].flatMap((group) => group.positions.committed(name) ?? [])
      const begun = readers(partition.topic).every(
        (group) => model.groups.get(group)?.positions.committed(name) !== undefined,
      )
      if (positions.length === 0 || !begun) continue
      const before = Math.min(...positions, partition.lastStable)
      if (before <= partition.start) continue
      note(`${name} is deleted before ${before}`)
      partition.deleteBefore(before)
    }
  }

  #untilMended(kind: Fault, undo: () => void): void {
    const { model, faults } = this.#options
    const ms = OUTAGE_MS.least + faults.random(kind).next() * (OUTAGE_MS.most - OUTAGE_MS.least)
    const mend = (): void => {
      if (this.#mends.delete(mend)) undo()
    }
    this.#mends.add(mend)
    model.scheduler.plan(ms, mend)
  }
}
