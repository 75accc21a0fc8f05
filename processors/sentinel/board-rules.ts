/** I15 and I23 of the boards. Pure: a board's row and its next snapshot come in. */
import type { BoardWatch, RankingSnapshot } from '../../schemas/index.ts'
import { digestOf } from './digest.ts'
import type { Violation, WatchedInvariant } from './invariants.ts'

/**
 * The row after a snapshot, and what it proves. A snapshot has a higher revision than the one before, or the same and
 * lists the same: as the first that is final, or said again. Boards of another time zone or depth are others.
 */
export function watchBoard(
  before: BoardWatch | undefined,
  key: string,
  snapshot: RankingSnapshot,
  offset: number,
): { readonly watch: BoardWatch; readonly found: readonly Violation[] } {
  const { timeZone, depth, revision, final, entries } = snapshot
  if (before !== undefined && offset <= before.read) return { watch: before, found: [] }
  const listed = entries.flatMap(({ rank, productId, quantity, amount }) => [
    rank,
    productId,
    quantity,
    amount,
  ])
  const watch: BoardWatch = { read: offset, timeZone, depth, revision, final, digest: digestOf(listed) }
  const found = [...checkEntries(key, snapshot)]
  if (before?.timeZone === timeZone && before.depth === depth) found.push(...checkChange(key, before, watch))
  return { watch, found }
}

/** I23: never below 0, and nothing is listed that has sold nothing. */
function checkEntries(key: string, { entries, revision }: RankingSnapshot): Violation[] {
  const wrong = entries.find(({ score, quantity, amount }) => score <= 0 || quantity < 0 || amount < 0)
  if (wrong === undefined) return []
  const { rank, score } = wrong
  return [ofBoard('I23', key, `revision ${revision} lists rank ${rank} with a score of ${score}`)]
}

function checkChange(key: string, before: BoardWatch, { revision, final, digest }: BoardWatch): Violation[] {
  if (revision > before.revision) return []
  if (revision < before.revision)
    return [ofBoard('I15', key, `revision ${revision} after ${before.revision}`)]
  const isSame = digest === before.digest
  if (before.final && (!isSame || !final))
    return [ofBoard('I23', key, `final revision ${revision} has changed`)]
  return isSame ? [] : [ofBoard('I15', key, `revision ${revision} lists two things`)]
}

function ofBoard(invariant: WatchedInvariant, subject: string, detail: string): Violation {
  return { invariant, subject, couponId: null, detail }
}
