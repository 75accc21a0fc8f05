/** What happens to machines and processes during a storm. */
import type { Fault, SimulatedWorld } from '../../transports/simulated/index.ts'
import type { Machine } from './machine.ts'

/** Milliseconds between two of a kind, in the mean. */
const MEAN_MS = {
  kill: 3_000,
  'power-cut': 6_000,
  'flipped-bit': 4_000,
  'disk-lost': 12_000,
  'disk-full': 8_000,
  stop: 5_000,
  halt: 5_000,
  scale: 4_000,
  'clock-jump': 5_000,
} as const satisfies Partial<Record<Fault, number>>
type Kind = keyof typeof MEAN_MS

const DOWN_MS = { least: 50, most: 8_000 }
const HALT_MS = { least: 200, most: 20_000 }
const FULL_MS = { least: 500, most: 5_000 }
/** Rows that change at once: damage seldom comes alone. */
const FLIPS = 8
const STOP_LIMIT_MS = 15_000
const JUMP_MS = 600_000
const MACHINES_MAX = 4

export class Chaos {
  readonly #world: SimulatedWorld
  readonly #machines: Machine[]
  readonly #addMachine: () => Machine
  readonly #halted = new Set<() => void>()

  constructor(world: SimulatedWorld, machines: Machine[], addMachine: () => Machine) {
    this.#world = world
    this.#machines = machines
    this.#addMachine = addMachine
  }

  begin(): void {
    for (const kind of Object.keys(MEAN_MS) as Kind[])
      if (this.#world.faults.enabled.has(kind)) this.#wait(kind)
  }

  /** Every machine runs, and nobody stands still. */
  calm(): void {
    for (const resume of this.#halted) resume()
    for (const machine of this.#machines) machine.start()
  }

  #wait(kind: Kind): void {
    const { faults, scheduler } = this.#world
    const ms = -Math.log(1 - faults.random(kind).next()) * MEAN_MS[kind]
    scheduler.plan(ms, () => {
      if (!faults.storm) return
      this.#happen(kind, faults.random(kind).pick(this.#machines))
      this.#wait(kind)
    })
  }

  #happen(kind: Kind, machine: Machine): void {
    switch (kind) {
      case 'kill':
        machine.kill()
        return machine.startLater(this.#ms(kind, DOWN_MS))
      case 'power-cut':
        return this.#down(machine, kind, () =>
          this.#world.disk(machine.name).powerCut(this.#world.faults.enabled.has('torn-disk')),
        )
      case 'flipped-bit':
        return this.#down(machine, kind, () => this.#world.disk(machine.name).flipBits(FLIPS))
      case 'disk-lost':
        return this.#down(machine, kind, () => {
          this.#world.note(`${machine.name} has an empty disk`)
          this.#world.disk(machine.name).clear()
          return Promise.resolve()
        })
      case 'disk-full':
        return this.#fill(machine)
      case 'stop':
        machine.stop(STOP_LIMIT_MS)
        return machine.startLater(this.#ms(kind, DOWN_MS))
      case 'halt':
        return this.#halt(machine)
      case 'scale':
        return this.#scale(machine)
      case 'clock-jump':
        return this.#jump(machine)
    }
  }

  #ms(kind: Fault, { least, most }: { readonly least: number; readonly most: number }): number {
    return least + this.#world.faults.random(kind).next() ** 2 * (most - least)
  }

  #down(machine: Machine, kind: Fault, meanwhile: () => Promise<void>): void {
    machine.kill()
    void meanwhile()
    machine.startLater(this.#ms(kind, DOWN_MS))
  }

  #fill(machine: Machine): void {
    const disk = this.#world.disk(machine.name)
    this.#world.note(`${machine.name}: the disk is full`)
    disk.isFull = true
    this.#world.scheduler.plan(this.#ms('disk-full', FULL_MS), () => {
      disk.isFull = false
      this.#world.note(`${machine.name}: the disk has room`)
    })
  }

  #halt({ process }: Machine): void {
    if (process === undefined || process.isHalted) return
    this.#world.note(`${process.name} stands still`)
    process.halt()
    const resume = (): void => {
      if (!this.#halted.delete(resume)) return
      this.#world.note(`${process.name} goes on`)
      process.resume()
    }
    this.#halted.add(resume)
    this.#world.scheduler.plan(this.#ms('halt', HALT_MS), resume)
  }

  /** One more, or one less for a while. */
  #scale(machine: Machine): void {
    if (this.#machines.length < MACHINES_MAX) return this.#addMachine().start()
    machine.stop(STOP_LIMIT_MS)
    machine.startLater(this.#ms('scale', DOWN_MS))
  }

  #jump({ process }: Machine): void {
    if (process === undefined) return
    const random = this.#world.faults.random('clock-jump')
    const ms = Math.round((random.next() * 2 - 1) ** 3 * JUMP_MS)
    this.#world.note(`${process.name}: the clock jumps by ${ms} ms`)
    process.jump(ms)
  }
}
