/**
 * A saga's step as its receiver sees it: it is done and undone, both may come twice, late, or the undo first. Pure: the
 * receiver stores the two epochs beside the effect, per (saga, step, part).
 *
 * `epoch` is that of the `do` which was decided last, `undone` that of the last undo, which stays as a tombstone. What
 * follows:
 *
 * 1. A `do` is decided once per epoch; the same one again gets the answer of the first time.
 * 2. A `do` that was undone, or comes after its undo, is cancelled; so is one of an epoch that was left behind.
 * 3. An undo ends what stands of its epoch or an earlier one, once; what a later epoch did stays.
 * 4. A `do` of a higher epoch is decided anew. What an earlier one did and still stands is taken over, not done twice:
 *    the receiver raises `epoch` and gives the answer of then.
 *
 * Not its job: what the effect is, and what was answered.
 */
export interface StepEpochs {
  /** -1: nothing was decided yet. */
  readonly epoch: number
  /** -1: nothing was undone yet. */
  readonly undone: number
}

/** Of a step that nobody asked for yet. */
export const noEpochs: StepEpochs = Object.freeze({ epoch: -1, undone: -1 })

/** What to make of a `do`: decide it, say again what was decided, or refuse it. */
export type DoKind = 'DECIDE' | 'REPEAT' | 'CANCELLED'

export function doKind({ epoch, undone }: StepEpochs, asked: number): DoKind {
  if (asked <= undone || asked < epoch) return 'CANCELLED'
  return asked === epoch ? 'REPEAT' : 'DECIDE'
}

/** What to make of an undo: take back what stands and keep `asked` as `undone`, or nothing. */
export type UndoKind = 'UNDO' | 'ALREADY'

export function undoKind({ epoch, undone }: StepEpochs, asked: number): UndoKind {
  return asked > undone && asked >= epoch ? 'UNDO' : 'ALREADY'
}

/** Whether what the last `do` did is still there, if it did something. */
export function stands({ epoch, undone }: StepEpochs): boolean {
  return epoch > undone
}
