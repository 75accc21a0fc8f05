/** Orders, cancels and returns, some twice and some before their sale; and the boards that must come of them. */
import type { RankingSnapshot } from '../../../schemas/index.ts'
import { boardsOf } from '../../crash/board-oracle.ts'
import { judgeBoard } from '../../crash/shop-judge.ts'
import { type Errand, ShopLoad } from '../../crash/shop-load.ts'
import { type PlainRecord, topicNamed } from '../../support/engine-shop.ts'
import { eventually } from '../../support/kafka/eventually.ts'
import { readCommitted } from '../../support/kafka/oracle.ts'
import { seededRandom } from '../../support/random.ts'

const BOARDS = 'ranking.snapshot'
/** How long boards may take to follow the last fact: they are said once a second. */
const BOARDS_LIMIT_MS = 60_000

export class Orders {
  readonly #load: ShopLoad
  readonly #append: (records: readonly PlainRecord[]) => Promise<unknown>

  constructor(seed: number, append: (records: readonly PlainRecord[]) => Promise<unknown>) {
    this.#load = new ShopLoad(seededRandom(seed), 1, Date.now())
    this.#append = append
  }

  /** Sends one fact, or one again. Rejects as `append` does; it is sent again later then. */
  send(): Promise<void> {
    return this.#send(this.#load.next())
  }

  /** Sends what was held back, and what was refused. */
  async sendTheRest(): Promise<void> {
    while (this.#load.waiting > 0) await this.#send(this.#load.again())
  }

  async #send(errand: Errand): Promise<void> {
    try {
      if (errand.kind === 'events') await this.#append(recordsOf(errand))
      this.#load.answered(errand)
    } catch (error) {
      this.#load.lost(errand)
      throw error
    }
  }

  /** Rejects unless each board, as Kafka's own consumer reads it, soon is what a plain recount gives. */
  async judge(bootstrap: string): Promise<string> {
    const { sales, reversals } = this.#load
    const expected = boardsOf(sales, reversals)
    let complaints: string[] = []
    await eventually(
      async () => {
        const said = await saidBoards(bootstrap)
        complaints = expected.flatMap((board) => {
          const snapshot = said.get(`${board.window} ${board.metric} ${board.start}`)
          return snapshot === undefined ? [`no board of ${board.window}`] : judgeBoard(board, snapshot)
        })
        return complaints.length === 0
      },
      { timeoutMs: BOARDS_LIMIT_MS, describe: () => complaints },
    )
    return `${sales.length} orders, ${reversals.length} reversals, ${expected.length} boards`
  }
}

function recordsOf({ topic, values }: Extract<Errand, { kind: 'events' }>): PlainRecord[] {
  return values.map((value) => ({ topic, key: (value as { orderId: string }).orderId, value }))
}

/** The last one of each. */
async function saidBoards(bootstrap: string): Promise<ReadonlyMap<string, RankingSnapshot>> {
  const { value: serde } = topicNamed(BOARDS)
  const boards = new Map<string, RankingSnapshot>()
  for (const { value } of await readCommitted(bootstrap, BOARDS)) {
    if (value === null) continue
    const board = serde.deserialize(value) as RankingSnapshot
    boards.set(`${board.window} ${board.metric} ${board.start}`, board)
  }
  return boards
}
