/**
 * I14 and I15 of one order: it ends once, and its revisions grow. Pure.
 *
 * Statuses are one topic in the order in which they were said, and what compaction takes of an order is its beginning. So
 * a revision that lies between two that were read, and was not read, was said late; one below all of them may be one that
 * is only said again.
 */
import type { EndWatch, OrderStatus, OrderWatch } from '../../schemas/index.ts'
import { digestOf } from './digest.ts'
import type { WatchedInvariant } from './invariants.ts'

/** Statuses kept per order. */
export const MAX_STATUSES = 16

/** Words without the order's name: `judge-orders.ts` gives it. */
export type OrderViolation = readonly [invariant: WatchedInvariant, detail: string]

export interface OrderWatched {
  readonly watch: OrderWatch
  readonly found: readonly OrderViolation[]
}

/** `TAKEN_BACK`: it was confirmed, and then FAILED or CANCELLED. */
export type End = 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'TAKEN_BACK'

/** The very row that came in where the fact says nothing new. */
export function watchStatus(watch: OrderWatch, status: OrderStatus): OrderWatched {
  const { state, returnState, step, attempt, revision, at, note } = status
  const { statuses } = watch
  const digest = digestOf([state, returnState, step, attempt, at, note])
  const known = statuses.find((each) => each.revision === revision)
  if (known?.digest === digest) return { watch, found: [] }
  if (known !== undefined) {
    return { watch, found: [['I15', `revision ${revision} says two things: ${known.state} and ${state}`]] }
  }
  const top = statuses.at(-1)?.revision ?? -1
  if (revision < (statuses[0]?.revision ?? -1)) return { watch, found: [] }
  const found: OrderViolation[] = []
  if (revision < top) found.push(['I15', `revision ${revision} is said after ${top}`])
  const all = [...statuses, { revision, state, digest }].toSorted((a, b) => a.revision - b.revision)
  const after = { ...watch, statuses: all.slice(-MAX_STATUSES) }
  if (state === 'COMPLETED' || state === 'FAILED' || state === 'CANCELLED') {
    const ended = watchEnd(after, state, revision)
    return { watch: ended.watch, found: [...found, ...ended.found] }
  }
  const end = watch.ends.find((each) => each.revision >= 0 && each.revision < revision)
  if (state !== 'UNKNOWN' && end !== undefined) {
    found.push(['I14', `${state} in revision ${revision}, ${end.end} in ${end.revision}`])
  }
  return { watch: after, found }
}

/** @param revision -1: said by a fact that has none */
export function watchEnd(watch: OrderWatch, end: End, revision = -1): OrderWatched {
  const known = watch.ends.find((each) => each.end === end)
  const isFirst = revision >= 0 && (known === undefined || known.revision < 0)
  if (known !== undefined && !isFirst) return { watch, found: [] }
  const others = watch.ends.filter((each) => each.end !== end)
  const after = { ...watch, ends: [...others, { end, revision }] }
  const other = known === undefined ? others.find((each) => excludes(each, end)) : undefined
  return { watch: after, found: other === undefined ? [] : [['I14', `it is ${other.end} and ${end}`]] }
}

function excludes({ end: one }: EndWatch, other: End): boolean {
  if (one === 'COMPLETED' || other === 'COMPLETED') return one !== other
  return one !== other && one !== 'TAKEN_BACK' && other !== 'TAKEN_BACK'
}
