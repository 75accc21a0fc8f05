/** Arithmetic of lots of points. Pure; a list of lots is always oldest first, and none of them is empty. */
import type { PointLot } from '../../schemas/index.ts'

/** Lots of a user at most: of more, the two oldest become one. */
export const MAX_LOTS = 1_000

export function sumOf(lots: readonly PointLot[]): number {
  return lots.reduce((sum, { points }) => sum + points, 0)
}

/** Points back into their lots, or into new ones. */
export function withParts(lots: readonly PointLot[], parts: readonly PointLot[]): readonly PointLot[] {
  const all = new Map(lots.map((lot) => [lot.lotId, lot]))
  for (const part of parts) {
    const points = (all.get(part.lotId)?.points ?? 0) + part.points
    all.set(part.lotId, { ...part, points })
  }
  const sorted = [...all.values()].sort(oldestFirst)
  while (sorted.length > MAX_LOTS) sorted.splice(0, 2, ...joined(sorted[0], sorted[1]))
  return sorted
}

export function withoutParts(lots: readonly PointLot[], parts: readonly PointLot[]): readonly PointLot[] {
  const taken = new Map(parts.map(({ lotId, points }) => [lotId, points]))
  return lots
    .map((lot) => ({ ...lot, points: lot.points - (taken.get(lot.lotId) ?? 0) }))
    .filter(({ points }) => points > 0)
}

/** The first `points` of the lots in their order; all of them when there are not so many. */
export function firstOf(lots: readonly PointLot[], points: number): PointLot[] {
  const taken: PointLot[] = []
  let wanted = points
  for (const lot of lots) {
    if (wanted === 0) break
    const part = Math.min(lot.points, wanted)
    taken.push({ ...lot, points: part })
    wanted -= part
  }
  return taken
}

export function expiredOf(lots: readonly PointLot[], now: number): PointLot[] {
  return lots.filter(({ expiresAt }) => expiresAt !== null && expiresAt <= now)
}

/** When the next lot expires. */
export function nextExpiry(lots: readonly PointLot[]): number | undefined {
  const times = lots.flatMap(({ expiresAt }) => (expiresAt === null ? [] : [expiresAt]))
  return times.length === 0 ? undefined : Math.min(...times)
}

function oldestFirst(a: PointLot, b: PointLot): number {
  return a.earnedAt - b.earnedAt || (a.lotId < b.lotId ? -1 : 1)
}

/** Two lots as the second one, with the later expiry: nobody loses a point by it. */
function joined(a: PointLot | undefined, b: PointLot | undefined): PointLot[] {
  if (a === undefined || b === undefined) return []
  const expiresAt = a.expiresAt === null || b.expiresAt === null ? null : Math.max(a.expiresAt, b.expiresAt)
  return [{ ...b, points: a.points + b.points, expiresAt }]
}
