/** The lines of "Online Retail" files as they are recorded. */
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { parse } from 'csv-parse'
import { InputError } from '../errors.ts'

/** One line; times are read as UTC. */
export interface RetailRow {
  readonly invoice: string
  readonly productId: string
  readonly quantity: number
  /** Epoch milliseconds. */
  readonly at: number
  /** Minor units. */
  readonly unitPrice: number
  /** Empty for a guest. */
  readonly customer: string
}

const COLUMNS = [
  'InvoiceNo',
  'StockCode',
  'Description',
  'Quantity',
  'InvoiceDate',
  'UnitPrice',
  'CustomerID',
  'Country',
]
const MAX_LINE_CHARACTERS = 65_536
const MINOR_UNITS = 100

/** Reads the files in order; `.gz` is unpacked on the way. Throws an `InputError` naming file and line. */
export async function* retailRows(files: readonly string[]): AsyncGenerator<RetailRow> {
  for (const file of files) yield* rowsOf(file)
}

async function* rowsOf(file: string): AsyncGenerator<RetailRow> {
  const parser = parse({ bom: true, max_record_size: MAX_LINE_CHARACTERS })
  const source = createReadStream(file)
  const failed = (): void => {}
  // Errors of any of them come out of the parser.
  if (file.endsWith('.gz')) pipeline(source, createGunzip(), parser, failed)
  else pipeline(source, parser, failed)
  let line = 0
  try {
    for await (const cells of parser as AsyncIterable<string[]>) {
      line++
      if (line > 1) yield rowOf(cells)
      else if (cells.join() !== COLUMNS.join()) throw new Error(`the header must be ${COLUMNS.join()}`)
    }
  } catch (error) {
    const place = line === 0 ? file : `${file}, record ${line}`
    throw new InputError(`${place}: ${(error as Error).message}`, { cause: error })
  }
  if (line === 0) throw new InputError(`${file} is empty; its first line must be ${COLUMNS.join()}`)
}

function rowOf(cells: readonly string[]): RetailRow {
  const [invoice = '', productId = '', , quantity = '', date = '', price = '', customer = ''] = cells
  if (invoice === '') throw new Error('InvoiceNo is empty')
  if (!/^-?\d+$/.test(quantity)) throw new Error(`Quantity ${JSON.stringify(quantity)} is not a whole number`)
  const priced = Number(price)
  if (price.trim() === '' || !Number.isFinite(priced))
    throw new Error(`UnitPrice ${JSON.stringify(price)} is not a number`)
  return {
    invoice,
    productId,
    quantity: Number(quantity),
    at: timeOf(date),
    unitPrice: Math.round(priced * MINOR_UNITS),
    customer: customer.endsWith('.0') ? customer.slice(0, -2) : customer,
  }
}

/** `2010-12-01 08:26:00` as epoch milliseconds. */
function timeOf(date: string): number {
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(date))
    throw new Error(`InvoiceDate ${JSON.stringify(date)} is not a time`)
  const time = Date.parse(`${date.slice(0, 10)}T${date.slice(11)}Z`)
  if (Number.isNaN(time)) throw new Error(`InvoiceDate ${JSON.stringify(date)} is not a time`)
  return time
}
