/**
 * The boards that a replayed file must end in, computed the plain way: all lines in memory, one pass, two maps.
 *
 * It is there to judge the pipeline and so shares no code with it: not the reader of lines, not the mapping, not the
 * windows. Only UTC, only days and weeks.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'

export interface ExpectedEntry {
  readonly rank: number
  readonly productId: string
  readonly quantity: number
  readonly amount: number
}

export interface ExpectedBoard {
  /** Lines sold and lines taken back that fell into the window: the revision that the board must reach. */
  readonly changes: number
  readonly byQuantity: readonly ExpectedEntry[]
  readonly byAmount: readonly ExpectedEntry[]
}

export interface Expected {
  /** The board of the day, or week, that holds a time; epoch milliseconds. */
  day(at: number): ExpectedBoard
  week(at: number): ExpectedBoard
  /** What the shop calls its products. */
  readonly titles: ReadonlyMap<string, string>
}

interface Line {
  readonly InvoiceNo: string
  readonly StockCode: string
  readonly Description: string
  readonly Quantity: string
  readonly InvoiceDate: string
  readonly UnitPrice: string
  readonly CustomerID: string
}

interface Bought {
  /** When its order was made, epoch milliseconds. */
  readonly at: number
  readonly pence: number
  left: number
}

interface Window {
  changes: number
  readonly products: Map<string, { quantity: number; amount: number }>
}

const DAY = 86_400_000
const DEPTH = 1_000
/** 1 January 1970 was a Thursday: three days after a Monday. */
const MONDAY = 3

/** Every board of a packed file when all of its times are moved by `shift` milliseconds. */
export function expectedBoards(file: string, shift: number): Expected {
  const csv = gunzipSync(readFileSync(file))
  const lines = parse(csv, { columns: true, bom: true }) as unknown as readonly Line[]
  const windows = new Map<string, Window>()
  const bought = new Map<string, Bought[]>()
  const titles = new Map<string, string>()
  let orderedAt = 0

  lines.forEach((line, index) => {
    if (line.Description !== '') titles.set(line.StockCode, line.Description.trim())
    const sameInvoice = index > 0 && lines[index - 1]?.InvoiceNo === line.InvoiceNo
    const quantity = Number.parseInt(line.Quantity, 10)
    if (!sameInvoice) orderedAt = new Date(`${line.InvoiceDate.replace(' ', 'T')}Z`).getTime() + shift
    if (/^[0-9]/.test(line.InvoiceNo)) sell(line, quantity)
    else if (line.InvoiceNo[0] === 'C' && quantity < 0) takeBack(line, -quantity)
  })
  return {
    day: (at) => boardOf(dayOf(at)),
    week: (at) => boardOf(weekOf(at)),
    titles,
  }

  function sell(line: Line, quantity: number): void {
    const pence = Math.round(Number.parseFloat(line.UnitPrice) * 100)
    if (quantity <= 0 || pence < 1) return
    const one: Bought = { at: orderedAt, pence, left: quantity }
    const mine = bought.get(buyer(line))
    if (mine === undefined) bought.set(buyer(line), [one])
    else mine.push(one)
    add(one, line.StockCode, quantity)
  }

  function takeBack(line: Line, quantity: number): void {
    let missing = quantity
    for (const one of (bought.get(buyer(line)) ?? []).toReversed()) {
      const units = Math.min(missing, one.left)
      if (units > 0) add(one, line.StockCode, -units)
      one.left -= units
      missing -= units
    }
  }

  function add({ at, pence }: Bought, product: string, quantity: number): void {
    for (const name of [dayOf(at), weekOf(at)]) {
      const window = windows.get(name) ?? { changes: 0, products: new Map() }
      windows.set(name, window)
      window.changes++
      const sum = window.products.get(product) ?? { quantity: 0, amount: 0 }
      window.products.set(product, {
        quantity: sum.quantity + quantity,
        amount: sum.amount + quantity * pence,
      })
    }
  }

  function boardOf(name: string): ExpectedBoard {
    const { changes, products } = windows.get(name) ?? {
      changes: 0,
      products: new Map() as Window['products'],
    }
    const entries = [...products].map(([productId, sum]) => ({ productId, ...sum }))
    return { changes, byQuantity: ranked(entries, 'quantity'), byAmount: ranked(entries, 'amount') }
  }
}

function ranked(
  entries: readonly { productId: string; quantity: number; amount: number }[],
  metric: 'quantity' | 'amount',
): ExpectedEntry[] {
  const listed = entries.filter((entry) => entry[metric] > 0)
  const sorted = listed.toSorted(
    (a, b) => b[metric] - a[metric] || Buffer.compare(Buffer.from(a.productId), Buffer.from(b.productId)),
  )
  const ranks: number[] = []
  sorted.forEach((entry, index) => {
    const tied = index > 0 && sorted[index - 1]?.[metric] === entry[metric]
    ranks.push(tied ? (ranks[index - 1] as number) : index + 1)
  })
  return sorted.slice(0, DEPTH).map(({ productId, quantity, amount }, index) => {
    return { rank: ranks[index] as number, productId, quantity, amount }
  })
}

function buyer({ CustomerID, InvoiceNo, StockCode }: Line): string {
  return JSON.stringify([CustomerID === '' ? ['guest', InvoiceNo] : Number(CustomerID), StockCode])
}

function dayOf(time: number): string {
  return `day ${Math.floor(time / DAY)}`
}

function weekOf(time: number): string {
  return `week ${Math.floor((Math.floor(time / DAY) + MONDAY) / 7)}`
}
