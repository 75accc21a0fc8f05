/** A shop with a data platform through many lives of its process, and what both must have in the end. */
import { join } from 'node:path'
import { type Database, inSession } from '../../connectors/data-platform/database.ts'
import { type OrderConfirmed, type OrderLine, type OrderReturned, topics } from '../../schemas/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { type Child, startChild } from '../support/child.ts'
import { APPLICATION } from '../support/engine-shop.ts'
import type { Random } from '../support/random.ts'
import { valuesOf } from '../support/read-all.ts'
import type { PlatformProcessOptions } from './platform-process.ts'

const script = join(import.meta.dirname, 'platform-process.ts')
/** Lines of the process after which it is killed, at most. */
const MOST_LINES = 20

export class PlatformRun {
  readonly #options: Omit<PlatformProcessOptions, 'seed'>
  readonly #random: Random
  #lives = 0

  constructor(options: Omit<PlatformProcessOptions, 'seed'>, random: Random) {
    this.#options = options
    this.#random = random
  }

  /** The next life. */
  start(): Child {
    const options: PlatformProcessOptions = { ...this.#options, seed: ++this.#lives }
    return startChild(script, [JSON.stringify(options)])
  }

  /** One life, ended at a moment that chance chooses: while it starts, appends or delivers. */
  async untilKilled(): Promise<void> {
    const child = this.start()
    const begin = this.#random.pick(['opened', 'appended', 'delivered', 'delivered'])
    await seen(child, begin, begin === 'opened' ? 1 : 1 + this.#random.below(MOST_LINES))
    await child.kill()
  }

  /** The last life: nothing more is appended, the platform catches up. */
  async drain(child: Child): Promise<void> {
    child.send('no more')
    await child.line((line) => line === 'drained')
    child.send('end')
    const { code } = await child.exited
    if (code !== 0) throw new Error(`it ended with ${code}:\n${child.said}`)
  }

  /** Lines as the log has them, and what orders come to by a plain sum over their facts. */
  async logged(): Promise<{
    readonly lines: readonly OrderLine[]
    readonly kept: ReadonlyMap<string, number>
  }> {
    const { directory } = this.#options
    const log = await openEmbeddedLog({ directory, application: APPLICATION })
    try {
      const lines = await valuesOf(log, topics.dataplatformOrder)
      const sales = await valuesOf(log, topics.orderConfirmed)
      return { lines, kept: keptOf(sales, await valuesOf(log, topics.orderReturned)) }
    } finally {
      await log.close()
    }
  }
}

/** Resolves when so many lines that begin so were said. */
export async function seen(child: Child, begin: string, count: number): Promise<void> {
  let left = count
  await child.line((line) => line.startsWith(begin) && --left <= 0)
}

/** Units that each line's buyer keeps. */
function keptOf(sales: readonly OrderConfirmed[], returns: readonly OrderReturned[]): Map<string, number> {
  const kept = new Map<string, number>()
  for (const { orderId, items } of sales)
    for (const { lineNo, quantity } of items) kept.set(`${orderId} ${lineNo}`, quantity)
  const once = new Map(returns.map((one) => [`${one.orderId} ${one.returnId}`, one]))
  for (const { orderId, items } of once.values())
    for (const { lineNo, quantity } of items) {
      const sold = kept.get(`${orderId} ${lineNo}`)
      // Killed before the sale was appended: the return waits for it, and makes no line.
      if (sold !== undefined) kept.set(`${orderId} ${lineNo}`, sold - quantity)
    }
  return kept
}

/** A line as text, the same for a record and for a row. */
export function textOf(line: OrderLine): string {
  const { orderId, lineNo, kind, returnId, userId, productId, categoryId, quantity, unitPrice, amount } = line
  const [soldAt, at] = [line.soldAt, line.at].map((time) => new Date(time).toISOString())
  const words = [orderId, lineNo, kind, returnId ?? '', userId, productId, categoryId, quantity, unitPrice]
  return JSON.stringify([...words, amount, line.currency, soldAt, at])
}

const COLUMNS =
  'order_id, line_no, kind, return_id, user_id, product_id, category_id, quantity, unit_price, amount, currency, sold_at, at'

export async function storedLines(database: Database): Promise<string[]> {
  const { rows } = await inSession(database, (session) => session.query(`SELECT ${COLUMNS} FROM order_line`))
  return rows.map((row) => JSON.stringify(Object.values(row)))
}

export async function storedKept(database: Database): Promise<ReadonlyMap<string, number>> {
  const sql = `SELECT order_id || ' ' || line_no AS line, sum(quantity)::bigint AS kept FROM order_line GROUP BY 1`
  const { rows } = await inSession(database, (session) => session.query(sql))
  return new Map(rows.map(({ line, kept }) => [String(line), Number(kept)]))
}
