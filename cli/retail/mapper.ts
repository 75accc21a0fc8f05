/**
 * Lines of "Online Retail" → sales and returns. `samples/online-retail/README.md` has the rules in words; the numbers
 * in the comments here are theirs.
 *
 * Its job: the mapping, and nothing of files, topics or clocks.
 */
import type { RetailRow } from './rows.ts'

export interface SoldLine {
  /** 1..n in the order of the file. */
  readonly lineNo: number
  readonly productId: string
  readonly quantity: number
  /** Minor units. */
  readonly unitPrice: number
}

export interface Sale {
  readonly kind: 'sale'
  readonly orderId: string
  readonly userId: string
  /** Epoch milliseconds. */
  readonly at: number
  readonly lines: readonly SoldLine[]
}

export interface Return {
  readonly kind: 'return'
  readonly orderId: string
  readonly userId: string
  readonly returnId: string
  /** When the order was made, epoch milliseconds. */
  readonly soldAt: number
  readonly at: number
  /** What goes back, with the line's own price. */
  readonly lines: readonly SoldLine[]
}

export type RetailEvent = Sale | Return

export interface RetailTotals {
  /** Orders that have at least one line. */
  orders: number
  lines: number
  /** Lines that are neither a sale nor a return: corrections, fees, gifts. */
  adjustments: number
  /** Events `order.returned`. */
  returns: number
  returnedUnits: number
  /** Returned units that no earlier order accounts for. */
  unmatched: number
  /** Sold less returned. */
  units: number
  /** The same in minor units. */
  amount: number
}

/** Units of one line that nobody returned yet. */
interface Lot {
  readonly sale: Sale
  readonly line: SoldLine
  left: number
}

export class RetailMapper {
  readonly totals: RetailTotals = {
    orders: 0,
    lines: 0,
    adjustments: 0,
    returns: 0,
    returnedUnits: 0,
    unmatched: 0,
    units: 0,
    amount: 0,
  }
  /** What a customer bought of a product, oldest first. */
  readonly #lots = new Map<string, Lot[]>()
  readonly #timesSeen = new Map<string, number>()
  /** Rows that had this number so far, over all its runs. */
  readonly #rowsOfReturn = new Map<string, number>()
  #run: RetailRow[] = []

  /** Takes the next line; answers what is complete with it: a run of one number ends where another begins. */
  add(row: RetailRow): readonly RetailEvent[] {
    const complete = this.#run.length > 0 && this.#run[0]?.invoice !== row.invoice ? this.end() : []
    this.#run.push(row)
    return complete
  }

  /** Ends the last run. */
  end(): readonly RetailEvent[] {
    const rows = this.#run
    this.#run = []
    const [first] = rows
    if (first === undefined) return []
    const { invoice } = first
    if (/^\d/.test(invoice)) return this.#sale(this.#orderId(invoice), first, rows)
    if (invoice.startsWith('C')) return rows.flatMap((row) => this.#returns(row))
    // 4. Any other number is an adjustment.
    this.totals.adjustments += rows.length
    return []
  }

  /** 2. A number that comes back later in the file is a further order. */
  #orderId(invoice: string): string {
    const seen = (this.#timesSeen.get(invoice) ?? 0) + 1
    this.#timesSeen.set(invoice, seen)
    return seen === 1 ? invoice : `${invoice}-${seen}`
  }

  /** 2. One order; its lines are the rows with goods and a price. */
  #sale(orderId: string, first: RetailRow, rows: readonly RetailRow[]): RetailEvent[] {
    const sold = rows.filter(({ quantity, unitPrice }) => quantity > 0 && unitPrice >= 1)
    this.totals.adjustments += rows.length - sold.length
    if (sold.length === 0) return []
    const lines = sold.map(({ productId, quantity, unitPrice }, index) => {
      return { lineNo: index + 1, productId, quantity, unitPrice }
    })
    const sale: Sale = { kind: 'sale', orderId, userId: userOf(first), at: first.at, lines }
    lines.forEach((line, index) =>
      this.#lotsOf(sold[index] as RetailRow).push({ sale, line, left: line.quantity }),
    )
    this.totals.orders++
    this.totals.lines += lines.length
    for (const { quantity, unitPrice } of lines) {
      this.totals.units += quantity
      this.totals.amount += quantity * unitPrice
    }
    return [sale]
  }

  /** 3. Units go back to the customer's latest purchase of the product, then to the one before it. */
  #returns(row: RetailRow): RetailEvent[] {
    const number = (this.#rowsOfReturn.get(row.invoice) ?? 0) + 1
    this.#rowsOfReturn.set(row.invoice, number)
    let left = -row.quantity
    if (left <= 0) {
      this.totals.adjustments++
      return []
    }
    const bySale = new Map<Sale, SoldLine[]>()
    for (const lot of this.#lotsOf(row).toReversed()) {
      if (left === 0) break
      const quantity = Math.min(left, lot.left)
      if (quantity === 0) continue
      lot.left -= quantity
      left -= quantity
      const lines = bySale.get(lot.sale) ?? []
      bySale.set(lot.sale, [...lines, { ...lot.line, quantity }])
      this.totals.returnedUnits += quantity
      this.totals.units -= quantity
      this.totals.amount -= quantity * lot.line.unitPrice
    }
    this.totals.unmatched += left
    const returnId = `${row.invoice}-${number}`
    this.totals.returns += bySale.size
    return [...bySale].map(([sale, lines]) => {
      const { orderId, at: soldAt } = sale
      return { kind: 'return', orderId, userId: userOf(row), returnId, soldAt, at: row.at, lines }
    })
  }

  #lotsOf(row: RetailRow): Lot[] {
    const key = `${userOf(row)}\n${row.productId}`
    const lots = this.#lots.get(key)
    if (lots !== undefined) return lots
    const fresh: Lot[] = []
    this.#lots.set(key, fresh)
    return fresh
  }
}

/** 1. Who has no number is a guest of this one invoice. */
function userOf({ customer, invoice }: RetailRow): string {
  return customer === '' ? `guest-${invoice}` : customer
}
