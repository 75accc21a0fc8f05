/** What boards there are, and the keys under which they travel and are stored. */
import { boardKey } from '../../schemas/index.ts'
import type { BoardEntry, RankingSnapshot } from '../../schemas/index.ts'
import type { WindowName } from './windows.ts'

export const metrics = ['quantity', 'amount'] as const
export type Metric = (typeof metrics)[number]

/** Entries of a board, and of each partition's part of it, at most. */
export const MAX_DEPTH = 1_000
/** Wall milliseconds between two sendings of the same board, unless it closes. */
export const SEND_EVERY_MS = 1_000

/** Names a window: in timers, as a group of the sums' indexes, and as a key of stores. */
export function windowKey(name: WindowName, start: number): string {
  return `${name}|${start}`
}

/** The parts of a `windowKey`. */
export function parseWindowKey(key: string): { readonly name: WindowName; readonly start: number } {
  const bar = key.indexOf('|')
  return { name: key.slice(0, bar) as WindowName, start: Number(key.slice(bar + 1)) }
}

/**
 * Where the boards of a window and metric are merged: the key that chooses the partition of `ranking.partition.update`,
 * and the routing key of queries. All starts and all categories share it, so that one task has the preceding board.
 */
export function boardRoute({ window, metric }: { readonly window: string; readonly metric: string }): string {
  return boardKey({ window, metric, category: null })
}

/** Key of one board, as on `ranking.snapshot`: `window|metric|category|start`. */
export function snapshotKey(
  board: Pick<RankingSnapshot, 'window' | 'metric' | 'category'>,
  start: number,
): string {
  return `${boardKey(board)}|${start}`
}

export interface BoardName {
  readonly window: WindowName
  readonly metric: Metric
  readonly category: string | null
  readonly start: number
}

/** The parts of a `snapshotKey`. A category may hold any character. */
export function parseSnapshotKey(key: string): BoardName {
  const window = key.indexOf('|')
  const metric = key.indexOf('|', window + 1)
  const category = key.lastIndexOf('|')
  return {
    window: key.slice(0, window) as WindowName,
    metric: key.slice(window + 1, metric) as Metric,
    category: key.slice(metric + 1, category) || null,
    start: Number(key.slice(category + 1)),
  }
}

/** Order of a board: highest score first, equal scores by productId. Negative when `a` comes first. */
export function compareEntries(a: BoardEntry, b: BoardEntry): number {
  return a.score === b.score ? compareText(a.productId, b.productId) : b.score - a.score
}

/**
 * Order of the UTF-8 bytes, which is that of the code points and of the stores' keys. JavaScript compares UTF-16 units:
 * there a surrogate, half of a code point above U+FFFF, would come before U+E000 to U+FFFF.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1
  }
  return a.length - b.length
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}
