/** Boards as the API asks for them: the merge task's last snapshot, or an empty board where nothing was sold. */
import type { BoardQuery, RankingPort } from '../../api/index.ts'
import { boardRoute, calendarOf, MAX_DEPTH, snapshotKey } from '../../processors/index.ts'
import type { MergeProgress } from '../../schemas/index.ts'
import type { Clock, Streams } from '../../streams/index.ts'
import type { BestSellers } from '../../topologies/index.ts'
import { queriesOf } from './queries.ts'
import { RowWaits } from './row-waits.ts'

export interface Rankings extends RankingPort {
  /** Lowest stream time among the partitions that ever had a sale, epoch milliseconds. */
  watermarkMs(): number | undefined
}

export interface RankingParts {
  readonly streams: Streams
  readonly clock: Pick<Clock, 'after' | 'monotonic'>
  readonly topology: BestSellers
  readonly timeZone: string
}

export function rankings({ streams, clock, topology, timeZone }: RankingParts): Rankings {
  const calendar = calendarOf(timeZone)
  const { name, stores } = topology
  const boards = queriesOf(streams, name, stores.boards)
  const progress = queriesOf(streams, name, stores.mergeProgress)
  const waits = new RowWaits({ topology: name, store: stores.boards.name, streams, clock })
  const keyOf = (query: BoardQuery): string => snapshotKey(query, calendar.at(query.at)[query.window].start)
  return {
    async board(query: BoardQuery) {
      const { window, metric, category, at } = query
      const route = boardRoute({ window, metric })
      const { start, end } = calendar.at(at)[window]
      const found = boards.get(keyOf(query), route)
      if (found.value !== undefined) return found
      const { positions } = found
      const { value: known } = progress.get(route, route)
      // What was there is deleted: an empty board would be a wrong answer.
      if (known !== undefined && end <= known.expiredThrough) return { value: undefined, positions }
      const closedThrough = lowest(known, (partition) => partition.closedThrough)
      const board = {
        window,
        metric,
        category,
        start,
        end,
        timeZone: calendar.timeZone,
        depth: MAX_DEPTH,
        entries: [],
        watermark: lowest(known, (partition) => partition.streamTime) ?? 0,
        revision: 0,
        final: closedThrough !== undefined && end <= closedThrough,
        corrected: false,
        lateCount: 0,
      }
      return { value: board, positions }
    },
    boardUntil(query, enough, wait) {
      return waits.until(async () => {
        const asked = query()
        const { value } = await this.board(asked)
        return enough(value) ? undefined : keyOf(asked)
      }, wait)
    },
    watermarkMs() {
      const route = boardRoute({ window: 'hour', metric: 'quantity' })
      try {
        return lowest(progress.get(route, route).value, (partition) => partition.streamTime)
      } catch {
        // Its task is not running: there is nothing to say.
        return undefined
      }
    },
  }
}

type PartitionProgress = MergeProgress['partitions'][number]

function lowest(
  progress: MergeProgress | undefined,
  of: (partition: PartitionProgress) => number,
): number | undefined {
  const all = progress?.partitions.map(of) ?? []
  return all.length === 0 ? undefined : Math.min(...all)
}
