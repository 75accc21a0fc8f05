/**
 * Which batches of one Fetch answer belong to aborted transactions. The answer lists the aborted transactions that
 * reach into it; which of a producer's batches they are follows from the order.
 *
 * Rules (those of Kafka's own consumer):
 * 1. Before a batch is judged, every listed transaction that begins at or before the batch's last offset is active.
 * 2. A transactional batch of a producer with an active aborted transaction is dropped, whole.
 * 3. A producer's aborted transaction ends with its abort marker and with nothing else: a producer can go on with the
 *    next transaction at once.
 */
import type { AbortedTransaction } from '../protocol/fetch.ts'

/** For one pass over one answer, in order. */
export class AbortFilter {
  readonly #waiting: readonly AbortedTransaction[]
  #next = 0
  readonly #active = new Set<bigint>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#waiting = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  }

  /** Called once for every batch, before the other two. */
  advance(lastOffset: number): void {
    for (;;) {
      const transaction = this.#waiting[this.#next]
      if (transaction === undefined || transaction.firstOffset > lastOffset) return
      this.#active.add(transaction.producerId)
      this.#next++
    }
  }

  isAborted(producerId: bigint): boolean {
    return this.#active.has(producerId)
  }

  abortMarker(producerId: bigint): void {
    this.#active.delete(producerId)
  }
}
