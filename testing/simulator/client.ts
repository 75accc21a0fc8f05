/** Whoever sends: a process of its own that nothing befalls but the network, and that sends again what was not accepted. */
import { formatUuid7, isStreamsError, type Log, NO_HEADERS } from '../../streams/index.ts'
import type { Random, SimulatedProcess, SimulatedWorld } from '../../transports/simulated/index.ts'
import type { AcceptedRecord, OutsideRecord, SimulatedLoad } from './app.ts'

const RETRY_MS = 100

export class Client {
  readonly accepted: AcceptedRecord[] = []
  /** Event ids of what may be there more than once. */
  readonly resent = new Set<string>()
  readonly #world: SimulatedWorld
  readonly #random: Random
  readonly #load: SimulatedLoad
  readonly #process: SimulatedProcess
  #log: Log | undefined
  #sent = 0
  /** The load is over, and all of it accepted. */
  isDone = false
  /** The first records are accepted. */
  hasBegun = false

  constructor(world: SimulatedWorld, random: Random, load: SimulatedLoad) {
    this.#world = world
    this.#random = random
    this.#load = load
    this.#process = world.process('client')
  }

  async open(application: string): Promise<Log> {
    this.#log = await this.#world.openLog(this.#process, { application, slot: 'client' })
    return this.#log
  }

  async begin(): Promise<void> {
    if (this.#load.first.length > 0) await this.#send(this.#load.first)
    this.hasBegun = true
  }

  /** Sends the load, with pauses of `meanMs` in the mean. */
  async run(meanMs: number): Promise<void> {
    for (;;) {
      const records = this.#load.next(this.#process.clock.now())
      if (records === undefined) break
      if (records.length > 0) await this.#send(records)
      await this.#pause(-Math.log(1 - this.#random.next()) * meanMs)
    }
    this.isDone = true
  }

  async #send(records: readonly OutsideRecord[]): Promise<void> {
    const now = this.#process.clock.now()
    const appends = records.map(({ topic, key, value, partition, timestamp = now }) => {
      const lineage = { eventId: formatUuid7(now, this.#sent++, 0, 1) }
      return { topic, partition, key, value, timestamp, lineage, headers: NO_HEADERS }
    })
    for (;;) {
      try {
        const places = (await this.#log?.append(appends)) ?? []
        for (const [i, { partition, offset }] of places.entries())
          if (offset >= 0) this.accepted.push({ record: records[i] as OutsideRecord, partition, offset })
        return
      } catch (error) {
        if (!isStreamsError(error, 'LOG_BUSY') && !isStreamsError(error, 'APPEND_UNKNOWN')) throw error
        this.#world.note(`client: ${error.message}`)
        if (error.code === 'APPEND_UNKNOWN')
          for (const { lineage } of appends) this.resent.add(lineage.eventId)
        await this.#pause(RETRY_MS)
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#process.later(ms, resolve))
  }
}
