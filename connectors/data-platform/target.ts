/**
 * What a task's batches become: rows, and the positions after them, in one transaction.
 *
 * Invariants:
 * 1. A row is in its table if and only if the position is past its record: both are one commit.
 * 2. A position moves only from where this target knew it to be. Where it is elsewhere it is read again, and of the
 *    batch only what lies behind it is written: another process, or a commit whose answer was lost, was faster.
 * 3. A position that went back (the tables were emptied, or restored from a copy) is not stepped over: nothing is
 *    written until the target is opened anew and begins where the database says.
 */
import type { Position, TopicPartition } from '../../streams/index.ts'
import { type Batch, type Delivered, type Incoming, type Target, Unavailable } from '../frame/connector.ts'
import { DeliveryStuck } from '../frame/failures.ts'
import { type Database, isDataFault, transaction } from './database.ts'
import { loadPositions, movePositions, placeOf, type PositionsOptions, type Step } from './positions.ts'
import { type AnyTable, insertStatement, parametersOf, refusalOf } from './tables.ts'

/** Positions that move each time they are looked at are somebody else's: wait. */
const MAX_LOOKS = 3

export interface TargetOptions extends PositionsOptions {
  /** Closed with the target. */
  readonly database: Database
  /** By the name of its topic. */
  readonly tableOf: ReadonlyMap<string, AnyTable>
  /** Those whose positions this target moves. */
  readonly partitions: readonly TopicPartition[]
}

export class DataPlatformTarget implements Target {
  readonly positions: readonly Position[]
  readonly #options: TargetOptions
  #known: ReadonlyMap<string, number>

  private constructor(options: TargetOptions, positions: readonly Position[]) {
    this.#options = options
    this.positions = positions
    this.#known = byPartition(positions)
  }

  static async open(options: TargetOptions): Promise<DataPlatformTarget> {
    const { database, partitions } = options
    const positions = await reachable(() => loadPositions(database, options, partitions))
    return new DataPlatformTarget(options, positions)
  }

  async deliver({ records, next }: Batch): Promise<Delivered> {
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const steps = this.#stepsTo(next)
      // All of it is there: it was written before.
      if (steps.length === 0) return {}
      const left = records.filter((record) => record.offset >= (this.#known.get(placeOf(record)) ?? 0))
      if (await reachable(() => this.#write(left, steps))) {
        this.#known = new Map([...this.#known, ...steps.map((step) => [placeOf(step), step.to] as const)])
        return {}
      }
      await this.#lookAgain()
    }
    throw new Unavailable('the positions in the database move: another process has these partitions')
  }

  rejects(record: Incoming): string | undefined {
    return refusalOf(this.#tableOf(record.topic), record)
  }

  close(): Promise<void> {
    return this.#options.database.close()
  }

  #stepsTo(next: readonly Position[]): readonly Step[] {
    return next.flatMap(({ topic, partition, offset: to }) => {
      const from = this.#known.get(placeOf({ topic, partition }))
      return from !== undefined && from >= to ? [] : [{ topic, partition, from, to }]
    })
  }

  /** False where a position is not where it was thought to be; nothing is written then. */
  async #write(records: readonly Incoming[], steps: readonly Step[]): Promise<boolean> {
    try {
      await transaction(this.#options.database, async (session) => {
        if (!(await movePositions(session, this.#options, steps))) throw new Moved('a position moved')
        for (const [topic, some] of Map.groupBy(records, (record) => record.topic)) {
          const table = this.#tableOf(topic)
          await session.query(insertStatement(table), parametersOf(table, some))
        }
      })
      return true
    } catch (error) {
      if (error instanceof Moved) return false
      throw error
    }
  }

  async #lookAgain(): Promise<void> {
    const { database, partitions } = this.#options
    const found = byPartition(await reachable(() => loadPositions(database, this.#options, partitions)))
    for (const [place, offset] of this.#known)
      if ((found.get(place) ?? 0) < offset)
        throw new DeliveryStuck(`the database went back behind ${offset} of ${place}`)
    this.#known = found
  }

  #tableOf(topic: string): AnyTable {
    const table = this.#options.tableOf.get(topic)
    if (table === undefined) throw new Error(`there is no table for ${topic}`)
    return table
  }
}

class Moved extends Error {
  override readonly name = 'Moved'
}

/** Whatever is no fault of a record's values is a matter of waiting. */
export async function reachable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (isDataFault(cause)) throw cause
    throw new Unavailable(`the data platform: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
}

function byPartition(positions: readonly Position[]): ReadonlyMap<string, number> {
  return new Map(positions.map((position) => [placeOf(position), position.offset]))
}
