/** What a group has committed, and positions that wait for the end of a transaction. */
import { NONE, UNSTABLE_OFFSET_COMMIT } from '../../kafka/wire/index.ts'
import type { Outcome } from './partition.ts'

export interface Position {
  readonly offset: number
  readonly metadata: string | null
}

export class GroupPositions {
  /** How often positions were committed. */
  commits = 0
  readonly #positions = new Map<string, Position>()
  /** By producer id. */
  readonly #pending = new Map<bigint, Map<string, Position>>()

  commit(positions: ReadonlyMap<string, Position>): void {
    this.commits++
    for (const [name, position] of positions) this.#positions.set(name, position)
  }

  /** They become the group's when the producer's transaction is committed. */
  commitPending(producerId: bigint, positions: ReadonlyMap<string, Position>): void {
    const pending = this.#pending.get(producerId) ?? new Map<string, Position>()
    for (const [name, position] of positions) pending.set(name, position)
    this.#pending.set(producerId, pending)
  }

  /** A fault of Kafka 3.9: a refusal takes the positions of the producer's open transaction away. */
  dropPending(producerId: bigint, names: Iterable<string>): void {
    const pending = this.#pending.get(producerId)
    for (const name of names) pending?.delete(name)
  }

  mark(producerId: bigint, outcome: Outcome): void {
    const pending = this.#pending.get(producerId)
    this.#pending.delete(producerId)
    if (outcome === 'committed' && pending !== undefined) this.commit(pending)
  }

  /** `requireStable`: nothing that an open transaction may replace. */
  position(name: string, requireStable: boolean): Position & { readonly errorCode: number } {
    const isPending = [...this.#pending.values()].some((pending) => pending.has(name))
    if (requireStable && isPending) return { offset: -1, metadata: null, errorCode: UNSTABLE_OFFSET_COMMIT }
    return { ...(this.#positions.get(name) ?? { offset: -1, metadata: null }), errorCode: NONE }
  }

  /** What the group has, pending or not. */
  committed(name: string): number | undefined {
    return this.#positions.get(name)?.offset
  }
}
