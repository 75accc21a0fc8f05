/** The revisions of a campaign that a coupon's row holds: what was promised, and what was decided by each. Pure. */
import type { CouponWatch, RevisionWatch } from '../../schemas/index.ts'

/** Revisions kept per coupon; what was decided by older ones is not judged any more. */
export const MAX_REVISIONS = 16

const blank: Omit<RevisionWatch, 'revision'> = Object.freeze({
  known: false,
  quota: 0,
  perUserLimit: 0,
  opensAt: 0,
  closesAt: 0,
  digest: '',
  topSequence: 0,
  topOfUser: 0,
  firstIssuedAt: 0,
  lastIssuedAt: 0,
  lastIssued: -1,
  firstSoldOut: -1,
})

/** The revision as far as it is known; nothing where it is older than those that are kept. */
export function revisionOf({ revisions }: CouponWatch, revision: number): RevisionWatch | undefined {
  const found = revisions.find((each) => each.revision === revision)
  if (found !== undefined) return found
  const oldest = revisions[0]
  if (oldest !== undefined && revisions.length >= MAX_REVISIONS && revision < oldest.revision)
    return undefined
  return { ...blank, revision }
}

/** The row with this revision; the oldest goes when there are too many. */
export function withRevision(watch: CouponWatch, changed: RevisionWatch): CouponWatch {
  const at = watch.revisions.findIndex(({ revision }) => revision === changed.revision)
  if (at >= 0) return { ...watch, revisions: watch.revisions.with(at, changed) }
  const all = [...watch.revisions, changed].toSorted((a, b) => a.revision - b.revision)
  if (all.length <= MAX_REVISIONS) return { ...watch, revisions: all }
  const [oldest, ...revisions] = all
  const sequenceBefore = Math.max(watch.sequenceBefore, oldest?.topSequence ?? 0)
  return { ...watch, revisions, sequenceBefore }
}

/**
 * Whether the quota was never raised after `from` up to `to`; nothing where a revision between them is not known. Those
 * of one revision have it in common.
 */
export function sameQuotaOrLess(watch: CouponWatch, from: number, to: number): boolean | undefined {
  if (from === to) return true
  const between = watch.revisions.filter(({ revision }) => revision >= from && revision <= to)
  if (between.length !== to - from + 1 || between.some(({ known }) => !known)) return undefined
  return between.every(({ quota }, i) => i === 0 || quota <= (between[i - 1] as RevisionWatch).quota)
}
