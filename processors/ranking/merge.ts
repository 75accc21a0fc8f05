/** Makes one board out of the partitions' parts, and one progress out of the partitions'. Pure. */
import type {
  BoardEntry,
  BoardPart,
  MergeProgress,
  PartitionProgress,
  RankingEntry,
  RankingPartitionUpdate,
} from '../../schemas/index.ts'
import { compareEntries } from './boards.ts'

/**
 * The first `depth` entries of all parts together, ranked: equal scores share a rank (1, 1, 3) and are listed by
 * productId. A product is in one part only. Every part must be in order, and whole or `depth` long.
 * @param previous ranks in the preceding window's board
 */
export function mergeParts(
  parts: readonly BoardPart[],
  depth: number,
  previous: ReadonlyMap<string, number>,
): RankingEntry[] {
  const ranked: RankingEntry[] = []
  const next = parts.map(() => 0)
  let rank = 0
  let last: number | undefined
  while (ranked.length < depth) {
    const best = bestHead(parts, next)
    if (best === undefined) return ranked
    const { productId, score, quantity, amount } = best
    if (score !== last) rank = ranked.length + 1
    last = score
    ranked.push({ rank, productId, score, quantity, amount, previousRank: previous.get(productId) ?? null })
  }
  return ranked
}

/** Takes the best of the parts' next entries. There are few parts, so looking at each beats a heap. */
function bestHead(parts: readonly BoardPart[], next: number[]): BoardEntry | undefined {
  let best: BoardEntry | undefined
  let from = -1
  for (let i = 0; i < parts.length; i++) {
    const head = parts[i]?.entries[next[i] as number]
    if (head === undefined || (best !== undefined && compareEntries(head, best) > 0)) continue
    best = head
    from = i
  }
  if (best !== undefined) (next[from] as number)++
  return best
}

/** Ranks by productId. */
export function ranksOf(entries: readonly RankingEntry[]): ReadonlyMap<string, number> {
  return new Map(entries.map(({ productId, rank }) => [productId, rank]))
}

/** Whether a part says more than the one that is known; parts that come again or late do not. */
export function isNews(part: Pick<BoardPart, 'applied' | 'closed'>, known: BoardPart | undefined): boolean {
  if (known === undefined || part.applied > known.applied) return true
  return part.applied === known.applied && part.closed && !known.closed
}

export const noProgress: MergeProgress = Object.freeze({ partitions: [], expiredThrough: 0 })

/** The progress after an update; the same object when it says nothing new. Nothing in it ever goes back. */
export function advanced(progress: MergeProgress, update: RankingPartitionUpdate): MergeProgress {
  const { partition } = update
  const known = progress.partitions.find((each) => each.partition === partition)
  const streamTime = Math.max(update.streamTime, known?.streamTime ?? -1)
  const closedThrough = Math.max(update.closedThrough, known?.closedThrough ?? 0)
  if (known?.streamTime === streamTime && known.closedThrough === closedThrough) return progress
  const others = progress.partitions.filter((each) => each !== known)
  const partitions = [...others, { partition, streamTime, closedThrough }]
  return { ...progress, partitions: partitions.toSorted((a, b) => a.partition - b.partition) }
}

/** Windows that end by this instant are closed in every partition that ever had input. -1: there is none. */
export function closedByAll({ partitions }: MergeProgress): number {
  return lowest(partitions, ({ closedThrough }) => closedThrough)
}

/**
 * The lowest stream time among the partitions that ever had input. An idle partition that closed its windows by the wall
 * clock is as far as it closed them. -1: there is none.
 */
export function watermark({ partitions }: MergeProgress): number {
  return lowest(partitions, ({ streamTime, closedThrough }) => Math.max(streamTime, closedThrough))
}

function lowest(partitions: readonly PartitionProgress[], time: (of: PartitionProgress) => number): number {
  return partitions.length === 0 ? -1 : Math.min(...partitions.map(time))
}
