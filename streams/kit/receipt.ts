/**
 * What a receiver of saga commands remembers of one deduplication key, so that commands may come twice, late, and undo
 * before do. Pure: the receiver stores the receipt beside the effect.
 *
 * ```
 *            do                      undo
 * (none) ──────────► DONE, REFUSED ─────────► UNDONE
 *    └────────────────────────────────────────►  tombstone: a do that comes later is CANCELLED
 * ```
 * A do of a higher epoch than the receipt's is a new command after REFUSED or UNDONE; after DONE its effect is there.
 */

/** `A` is the answer that is given again. */
export interface Receipt<A> {
  readonly status: 'DONE' | 'REFUSED' | 'UNDONE'
  /** Highest epoch of a command so far. */
  readonly epoch: number
  /** Of the do; null: none came before the undo. */
  readonly answer: A | null
}

/** `perform`: try it, then store `performed`. `again`: give the old answer. `cancelled`: undo came first. */
export type DoVerdict = 'perform' | 'again' | 'cancelled'
/** `reverse`: take the effect back. `nothing`: there is no effect. `again`: it was taken back. `stale`: of an older epoch. */
export type UndoVerdict = 'reverse' | 'nothing' | 'again' | 'stale'

export function onDo<A>(receipt: Receipt<A> | undefined, epoch: number): DoVerdict {
  if (receipt === undefined) return 'perform'
  if (receipt.status === 'DONE') return 'again'
  if (epoch > receipt.epoch) return 'perform'
  return receipt.status === 'UNDONE' ? 'cancelled' : 'again'
}

/** The receipt of a do that was tried. */
export function performed<A>(status: 'DONE' | 'REFUSED', epoch: number, answer: A): Receipt<A> {
  return { status, epoch, answer }
}

export function onUndo<A>(receipt: Receipt<A> | undefined, epoch: number): UndoVerdict {
  if (receipt === undefined) return 'nothing'
  if (receipt.status === 'UNDONE') return receipt.answer === null ? 'nothing' : 'again'
  if (epoch < receipt.epoch) return 'stale'
  return receipt.status === 'DONE' ? 'reverse' : 'nothing'
}

/** The receipt after an undo; where nothing was done before, it is the tombstone. */
export function undoneReceipt<A>(receipt: Receipt<A> | undefined, epoch: number): Receipt<A> {
  if (receipt !== undefined && onUndo(receipt, epoch) === 'stale') return receipt
  const answer = receipt === undefined || receipt.status === 'REFUSED' ? null : receipt.answer
  return { status: 'UNDONE', epoch: Math.max(epoch, receipt?.epoch ?? 0), answer }
}
