/**
 * Runs one seed: machines with the engine's own code on a simulated cluster, a load, a storm, then a calm that must reach
 * the end, and the verdict.
 *
 * | phase | what |
 * | --- | --- |
 * | 1 | the machines start, the first records are processed; nothing goes wrong yet |
 * | 2 | the storm: the load is sent, the seed's faults happen |
 * | 3 | the calm: everything is up again; the load ends, and everything is processed within `CALM_LIMIT_MS` |
 * | 4 | the verdict |
 */
import type { StateReader } from '../../state/index.ts'
import {
  type TaskId,
  taskName,
  type Topology,
  topicSpecsOf,
  type TopicSpec,
  type TopicUse,
} from '../../streams/index.ts'
import { type Fault, seededRandom, SimulatedWorld } from '../../transports/simulated/index.ts'
import type { SimulatedApp, SimulatedOutcome } from './app.ts'
import { Chaos } from './chaos.ts'
import { judgeAccepted, judgeOutputs, judgeRows } from './checks.ts'
import { Client } from './client.ts'
import { APPLICATION, Machine, textOf } from './machine.ts'
import { Observer } from './observer.ts'
import { planOf, type SimulationPlan } from './plan.ts'

/** Virtual milliseconds. */
const START_LIMIT_MS = 120_000
const STORM_LIMIT_MS = 600_000
const CALM_LIMIT_MS = 900_000
/** Virtual milliseconds of calm without any commit or accepted record after which nothing is expected any more. */
const STUCK_MS = 120_000
/** Virtual milliseconds of nothing new after which what is done counts as done. */
const STILL_MS = 3_000
/** Virtual milliseconds after which an app that is not done is asked again, although nothing was committed since. */
const ASK_AGAIN_MS = 2_000
const LOOK_MS = 200
/** Virtual milliseconds of calm after which an operator says that the clocks are right. */
const OPERATOR_MS = 20_000
const LOAD_PAUSE_MS = 150

export interface SimulationOptions {
  readonly app: SimulatedApp
  readonly seed: number
  /** Instead of those that the seed turns on. */
  readonly faults?: readonly Fault[]
  /** Takes the event log, line by line. */
  readonly note?: (line: string) => void
}

export interface SimulationResult {
  readonly seed: number
  readonly plan: SimulationPlan
  /** Empty: all is well. */
  readonly complaints: readonly string[]
  readonly accepted: number
  /** Processes that ran. */
  readonly lives: number
  /** Events of virtual time. */
  readonly events: number
  readonly virtualMs: number
}

export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const plan = planOf(options.seed, options.faults)
  const simulation = new Simulation(options.app, plan, options.note)
  const complaints = await simulation.run()
  return { seed: options.seed, plan, complaints, ...simulation.counts }
}

class Simulation {
  readonly #app: SimulatedApp
  readonly #plan: SimulationPlan
  readonly #world: SimulatedWorld
  readonly #machines: Machine[] = []
  readonly #client: Client
  readonly #chaos: Chaos
  readonly #topics: readonly TopicSpec[]
  /** Topics that topologies write to, or only they. */
  readonly #written: readonly string[]
  readonly #refused: string[] = []
  #crash: unknown
  #progress = { done: 0, at: 0 }
  #isStuck = false
  /** What the app said, and after how many commits: without another, it says the same. */
  #asked = { commits: -1, at: 0, isDone: false }
  #observer: Observer | undefined

  constructor(app: SimulatedApp, plan: SimulationPlan, note: ((line: string) => void) | undefined) {
    const { seed, faults, brokers } = plan
    this.#app = app
    this.#plan = plan
    const readers = (topic: string): string[] => groupsThatRead(app.topologies, topic)
    this.#world = new SimulatedWorld({
      seed,
      faults,
      brokers,
      readers,
      ...(note === undefined ? {} : { note }),
    })
    const load = app.load(seededRandom(seed ^ 0x1b873593), this.#world.brokers.now)
    this.#client = new Client(this.#world, seededRandom(seed ^ 0x7feb352d), load)
    this.#chaos = new Chaos(this.#world, this.#machines, () => this.#addMachine())
    const uses = new Map<string, TopicUse>()
    const topicSpec = (use: TopicUse): TopicSpec => {
      if (uses.get(use.name)?.role !== 'internal') uses.set(use.name, use)
      return app.topicSpec(use)
    }
    this.#topics = topicSpecsOf({
      application: APPLICATION,
      topologies: app.topologies,
      topicSpec,
      changelogs: false,
    })
    this.#written = [...uses.values()].filter(({ role }) => role !== 'source').map(({ name }) => name)
    for (let i = 0; i < plan.processes; i++) this.#addMachine()
  }

  get counts() {
    return {
      accepted: this.#client.accepted.length,
      lives: this.#machines.reduce((sum, { lives }) => sum + lives, 0),
      events: this.#world.scheduler.ran,
      virtualMs: this.#world.scheduler.now,
    }
  }

  async run(): Promise<string[]> {
    const problem = (await this.#start()) ?? (await this.#storm()) ?? (await this.#calm())
    const outcome = this.#outcome()
    if (problem !== undefined) return [problem, ...this.#refused, ...this.#app.judge(outcome)]
    const verdicts = [...this.#refused, ...(this.#observer?.judge() ?? [])]
    verdicts.push(...judgeAccepted(this.#world, this.#client.accepted, this.#client.resent))
    verdicts.push(...judgeOutputs(this.#world, this.#written, this.#client.resent))
    verdicts.push(...(await this.#judgeRows()))
    if (verdicts.length === 0) verdicts.push(...this.#app.judge(outcome))
    return verdicts
  }

  // --- phases

  async #start(): Promise<string | undefined> {
    for (const machine of this.#machines) machine.start()
    const begun = this.#begin()
    begun.catch((error: unknown) => (this.#crash ??= error))
    const isOver = (): boolean => this.#client.hasBegun && this.#isProcessed()
    return this.#until(isOver, START_LIMIT_MS, 'the start')
  }

  async #begin(): Promise<void> {
    const log = await this.#client.open(APPLICATION)
    await log.ensureTopics(this.#topics)
    this.#observer = new Observer(this.#world, log)
    for (const { name } of this.#topics) this.#observer.watch(name)
    await this.#client.begin()
  }

  async #storm(): Promise<string | undefined> {
    const { scheduler } = this.#world
    const end = scheduler.now + this.#plan.stormMs
    this.#world.beginStorm()
    this.#chaos.begin()
    this.#client.run(LOAD_PAUSE_MS).catch((error: unknown) => (this.#crash ??= error))
    // What the storm does not let through goes on in the calm.
    const problem = await this.#until(() => scheduler.now >= end, STORM_LIMIT_MS, 'the storm')
    return problem
  }

  async #calm(): Promise<string | undefined> {
    const { scheduler } = this.#world
    this.#world.endStorm()
    this.#chaos.calm()
    const start = scheduler.now
    let since = start
    const isOver = (): boolean => {
      this.#lookForProgress()
      if (scheduler.now - start >= OPERATOR_MS) for (const machine of this.#machines) machine.thaw()
      if (!this.#isAllDone()) since = scheduler.now
      return scheduler.now - since >= STILL_MS
    }
    return this.#until(isOver, CALM_LIMIT_MS, 'the calm')
  }

  /** Looks now and then; answers why it was not over in time. */
  async #until(isOver: () => boolean, limitMs: number, phase: string): Promise<string | undefined> {
    const { scheduler } = this.#world
    const limit = scheduler.now + limitMs
    while (!isOver()) {
      if (this.#crash !== undefined) return `the simulation itself failed in ${phase}: ${textOf(this.#crash)}`
      if (scheduler.now >= limit || this.#isStuck) return `no end of ${phase}: ${this.#whatIsOpen()}`
      await scheduler.runUntil(() => false, Math.min(limit, scheduler.now + LOOK_MS))
    }
    return undefined
  }

  // --- what is done

  #lookForProgress(): void {
    const { scheduler, commits } = this.#world
    const done = commits + this.#client.accepted.length
    // A timer that was set by a clock that ran ahead may be minutes away.
    const isAtRest = this.#client.isDone && this.#isProcessed()
    const waits = isAtRest || this.#machines.some(({ isFrozen }) => isFrozen)
    if (done !== this.#progress.done || waits) this.#progress = { done, at: scheduler.now }
    this.#isStuck = scheduler.now - this.#progress.at >= STUCK_MS
  }

  #isAllDone(): boolean {
    if (!this.#client.isDone || !this.#isProcessed() || this.#observer?.isCaughtUp !== true) return false
    if (this.#machines.some(({ isFrozen }) => isFrozen)) return false
    const { commits, scheduler } = this.#world
    // What a commit wrote may be seen a while after it: once is not enough.
    const isLate = !this.#asked.isDone && scheduler.now - this.#asked.at >= ASK_AGAIN_MS
    if (this.#asked.commits !== commits || isLate)
      this.#asked = { commits, at: scheduler.now, isDone: this.#app.isDone?.(this.#outcome()) ?? true }
    return this.#asked.isDone
  }

  /** Every task runs somewhere, once, and every input is committed to its end. */
  #isProcessed(): boolean {
    return this.#whatIsOpen() === ''
  }

  #whatIsOpen(): string {
    const running = this.#machines.flatMap((machine) => machine.running.map(taskName))
    for (const { name: topology, subTopologies } of this.#app.topologies) {
      for (const { id: subTopology, sources } of subTopologies) {
        const partitions = this.#world.brokers.topics.named(sources[0]?.topic.name ?? '')?.partitions.length
        if (partitions === undefined) return `there is no input of ${topology}`
        for (let partition = 0; partition < partitions; partition++) {
          const task = taskName({ topology, subTopology, partition })
          const owners = running.filter((name) => name === task).length
          if (owners !== 1) return `${task} runs ${owners} times`
          for (const { topic } of sources) {
            const open = this.#openIn(groupOf(topology), topic.name, partition)
            if (open !== undefined) return open
          }
        }
      }
    }
    return ''
  }

  #openIn(group: string, topic: string, partition: number): string | undefined {
    const position = this.#world.committed(group, topic, partition) ?? 0
    const name = `${topic}-${partition}`
    const found = this.#world.brokers.topics.partition(name)
    if (found === undefined || found.lastStable < found.end) return `${name} has an open transaction`
    const { lastRecord } = found
    return lastRecord >= position ? `${group} is at ${position} of ${name}, behind ${lastRecord}` : undefined
  }

  // --- verdicts

  #outcome(): SimulatedOutcome {
    return {
      accepted: this.#client.accepted,
      records: (topic) => this.#world.records(topic),
      rows: (task) => this.#rows(task),
    }
  }

  #rows(task: TaskId): StateReader | undefined {
    const name = taskName(task)
    const owner = this.#machines.find(({ running }) => running.some((one) => taskName(one) === name))
    return owner === undefined ? undefined : this.#world.disk(owner.name).rows(task)
  }

  async #judgeRows(): Promise<string[]> {
    const complaints: string[] = []
    for (const machine of this.#machines) {
      for (const task of machine.running) {
        const topology = this.#app.topologies.find(({ name }) => name === task.topology)
        if (topology === undefined) continue
        const disk = this.#world.disk(machine.name)
        complaints.push(...(await judgeRows(this.#world, APPLICATION, topology, task, disk)))
      }
    }
    return complaints
  }

  #addMachine(): Machine {
    const name = `m${this.#machines.length + 1}`
    const machine = new Machine(name, this.#world, this.#app, this.#plan, (complaint) =>
      this.#refused.push(complaint),
    )
    this.#machines.push(machine)
    return machine
  }
}

function groupsThatRead(topologies: readonly Topology[], topic: string): string[] {
  const reads = ({ subTopologies }: Topology): boolean =>
    subTopologies.some(({ sources }) => sources.some((source) => source.topic.name === topic))
  return topologies.filter(reads).map(({ name }) => groupOf(name))
}

function groupOf(topology: string): string {
  return `${APPLICATION}.${topology}`
}
