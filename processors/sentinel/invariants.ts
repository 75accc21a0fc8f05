/**
 * The invariants that are watched, and what breaking one looks like.
 *
 * A rule never guesses: it answers with a violation where the facts that it saw prove one, whatever is still to be read;
 * what they do not prove, it leaves.
 */

/** Labels of the metric; `docs/sentinel.md` lists them, and a test holds it to this. */
export const watchedInvariants = [
  'I1',
  'I2',
  'I3',
  'I4',
  'I5',
  'I6',
  'I7',
  'I8',
  'I9',
  'I10',
  'I11',
  'I12',
  'I13',
  'I14',
  'I15',
  'I17',
  'I19',
  'I20',
  'I21',
  'I23',
] as const

export type WatchedInvariant = (typeof watchedInvariants)[number]

export interface Violation {
  readonly invariant: WatchedInvariant
  /** A couponId, a board's key, `topic-partition`, or `orders-partition`. */
  readonly subject: string
  /** The campaign that it concerns, if it is one. */
  readonly couponId: string | null
  /** For people: numbers and positions, nothing of persons (I25). */
  readonly detail: string
}

export function ofCoupon(invariant: WatchedInvariant, couponId: string, detail: string): Violation {
  return { invariant, subject: couponId, couponId, detail }
}

/**
 * Of an order. Orders are many, and a fault that hits all of them is one incident per partition: the detail names the
 * order that was found last.
 */
export function ofOrder(invariant: WatchedInvariant, partition: number, detail: string): Violation {
  return { invariant, subject: `orders-${partition}`, couponId: null, detail }
}
