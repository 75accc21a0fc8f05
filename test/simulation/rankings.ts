/** Best sellers in the simulator: sales, cancels and returns, some twice and some before their sale, against a recount. */
import type { RankingSnapshot } from '../../schemas/index.ts'
import type { SimulatedApp, SimulatedLoad, SimulatedOutcome } from '../../testing/index.ts'
import { bestSellers } from '../../topologies/index.ts'
import { boardsOf } from '../crash/board-oracle.ts'
import { judgeBoard } from '../crash/shop-judge.ts'
import { type Errand, ShopLoad } from '../crash/shop-load.ts'
import { decoded, everlasting, outside } from './shop-records.ts'

const PARTITIONS = 2
const ORDERS = 15

/** I23: each board is what a plain recount of everything that was sold and came back gives. */
export function rankings(): SimulatedApp {
  let load: ShopLoad | undefined
  return {
    topologies: [bestSellers({ closing: 'streamTime' })],
    topicSpec: everlasting(PARTITIONS),

    load(random, now): SimulatedLoad {
      const shop = (load = new ShopLoad(random, 1, now))
      return {
        first: [],
        next() {
          if (shop.sales.length >= ORDERS && shop.waiting === 0) return undefined
          const errand = shop.sales.length >= ORDERS ? shop.again() : shop.next()
          shop.answered(errand)
          return recordsOf(errand)
        },
      }
    },

    // Boards are sent by wall timers, which a clock that ran ahead may have set far away.
    isDone: (outcome) => judge(outcome, load).length === 0,
    judge: (outcome) => judge(outcome, load),
  }
}

function judge(outcome: SimulatedOutcome, load: ShopLoad | undefined): string[] {
  const said = new Map<string, RankingSnapshot>()
  for (const { value } of decoded<RankingSnapshot>(outcome, 'ranking.snapshot'))
    said.set(`${value.window} ${value.metric} ${value.start}`, value)
  return boardsOf(load?.sales ?? [], load?.reversals ?? []).flatMap((board) => {
    const snapshot = said.get(`${board.window} ${board.metric} ${board.start}`)
    return snapshot === undefined
      ? [`no board of ${board.window} ${board.start}`]
      : judgeBoard(board, snapshot)
  })
}

function recordsOf(errand: Errand) {
  if (errand.kind === 'ask') return []
  const { topic, values } = errand
  return values.map((value) => outside({ topic, key: (value as { orderId: string }).orderId, value }))
}
