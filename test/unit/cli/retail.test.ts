import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { expectedBoards } from '../../../cli/demo/expected-boards.ts'
import { InputError } from '../../../cli/errors.ts'
import { type RetailEvent, RetailMapper } from '../../../cli/retail/mapper.ts'
import { shiftToYesterday, toRecord } from '../../../cli/retail/records.ts'
import { measure, retailEvents } from '../../../cli/retail/replay.ts'
import { topics } from '../../../schemas/index.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-retail-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const DECEMBER = join(import.meta.dirname, '../../../samples/online-retail/2010-12.csv.gz')
const HEADER = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country'
const DAY_MS = 86_400_000

/** A file of lines such as `536365 85123A 6 08:26 2.55 17850.0`: invoice, product, quantity, time, price, customer. */
function csv(...lines: readonly string[]): string {
  const rows = lines.map((line) => {
    const [invoice, product, quantity, time, price, customer = ''] = line.split(' ')
    return `${invoice},${product},"A ""nice"", thing",${quantity},2010-12-01 ${time}:00,${price},${customer},United Kingdom`
  })
  return [HEADER, ...rows, ''].join('\n')
}

async function mapped(...files: readonly string[]) {
  const paths = files.map((content, index) => {
    const path = join(directory, `${index}.csv`)
    writeFileSync(path, content)
    return path
  })
  const mapper = new RetailMapper()
  const events: RetailEvent[] = []
  for await (const event of retailEvents(paths, mapper)) events.push(event)
  return { events, totals: mapper.totals }
}

function at(time: string): number {
  return Date.parse(`2010-12-01T${time}:00Z`)
}

describe('lines become orders', () => {
  test('consecutive rows of one number are one order, at the time of its first row', async () => {
    const { events, totals } = await mapped(
      csv('1 A 6 08:26 2.55 17850.0', '1 b 2 08:27 0.125 17850.0', '2 A 1 08:30 1 17851.0'),
    )
    expect(events).toEqual([
      {
        kind: 'sale',
        orderId: '1',
        userId: '17850',
        at: at('08:26'),
        lines: [
          { lineNo: 1, productId: 'A', quantity: 6, unitPrice: 255 },
          { lineNo: 2, productId: 'b', quantity: 2, unitPrice: 13 },
        ],
      },
      expect.objectContaining({ orderId: '2', userId: '17851' }),
    ])
    expect(totals).toMatchObject({
      orders: 2,
      lines: 3,
      adjustments: 0,
      units: 9,
      amount: 6 * 255 + 2 * 13 + 100,
    })
  })

  test('a number that comes back later is a further order', async () => {
    const { events } = await mapped(csv('1 A 1 08:00 1 7.0', '2 A 1 08:01 1 7.0', '1 A 1 08:02 1 7.0'))
    expect(events.map(({ orderId }) => orderId)).toEqual(['1', '2', '1-2'])
  })

  test('who has no number is a guest of this one invoice', async () => {
    const { events } = await mapped(csv('1 A 1 08:00 1'))
    expect(events[0]?.userId).toBe('guest-1')
  })

  test('rows without goods or price are adjustments, and lines are numbered without them', async () => {
    const { events, totals } = await mapped(
      csv('1 A 0 08:00 1 7.0', '1 B -1 08:00 1 7.0', '1 C 1 08:00 0.004 7.0', '1 D 1 08:00 1 7.0'),
    )
    expect(events).toHaveLength(1)
    expect(events[0]?.lines).toEqual([{ lineNo: 1, productId: 'D', quantity: 1, unitPrice: 100 }])
    expect(totals.adjustments).toBe(3)
  })

  test('an order left without a line is skipped, but its number is used up', async () => {
    const { events, totals } = await mapped(
      csv('1 A 0 08:00 1 7.0', '2 A 1 08:01 1 7.0', '1 A 1 08:02 1 7.0'),
    )
    expect(events.map(({ orderId }) => orderId)).toEqual(['2', '1-2'])
    expect(totals).toMatchObject({ orders: 2, adjustments: 1 })
  })

  test('other numbers are adjustments', async () => {
    const { events, totals } = await mapped(csv('A563185 B 1 08:00 11062.06', 'A563185 B 1 08:00 -11062.06'))
    expect(events).toEqual([])
    expect(totals.adjustments).toBe(2)
  })

  test('an order goes on from one file into the next', async () => {
    const { events } = await mapped(csv('1 A 1 08:00 1 7.0'), csv('1 B 1 08:00 1 7.0'))
    expect(events.map(({ lines }) => lines.length)).toEqual([2])
  })
})

describe('lines become returns', () => {
  test('units go back to the latest order line with units left, then to the one before', async () => {
    const { events, totals } = await mapped(
      csv(
        '1 A 5 08:00 1 7.0',
        '2 A 3 08:01 2 7.0',
        '3 A 9 08:02 1 8.0',
        'C4 A -6 08:03 1 7.0',
        'C5 A -9 08:04 1 7.0',
      ),
    )
    const back = { kind: 'return', userId: '7' }
    expect(events.slice(3)).toEqual([
      {
        ...back,
        orderId: '2',
        returnId: 'C4-1',
        soldAt: at('08:01'),
        at: at('08:03'),
        lines: [{ lineNo: 1, productId: 'A', quantity: 3, unitPrice: 200 }],
      },
      {
        ...back,
        orderId: '1',
        returnId: 'C4-1',
        soldAt: at('08:00'),
        at: at('08:03'),
        lines: [{ lineNo: 1, productId: 'A', quantity: 3, unitPrice: 100 }],
      },
      {
        ...back,
        orderId: '1',
        returnId: 'C5-1',
        soldAt: at('08:00'),
        at: at('08:04'),
        lines: [{ lineNo: 1, productId: 'A', quantity: 2, unitPrice: 100 }],
      },
    ])
    expect(totals).toMatchObject({ returns: 3, returnedUnits: 8, unmatched: 7, units: 9, amount: 900 })
  })

  test('two lines of one order are one return, the later line first', async () => {
    const { events } = await mapped(csv('1 A 2 08:00 1 7.0', '1 A 3 08:00 2 7.0', 'C2 A -4 08:01 1 7.0'))
    expect(events).toHaveLength(2)
    expect(events[1]?.lines.map(({ lineNo, quantity }) => [lineNo, quantity])).toEqual([
      [2, 3],
      [1, 1],
    ])
  })

  test('each row has its number within the invoice', async () => {
    const { events } = await mapped(
      csv('1 A 2 08:00 1 7.0', '1 B 2 08:00 1 7.0', 'C2 A -1 08:01 1 7.0', 'C2 B -1 08:02 1 7.0'),
    )
    expect(events.slice(1).map((event) => [event.kind === 'return' && event.returnId, event.at])).toEqual([
      ['C2-1', at('08:01')],
      ['C2-2', at('08:02')],
    ])
  })

  test('another customer, another product or a guest takes nothing back', async () => {
    const { totals } = await mapped(
      csv(
        '1 A 2 08:00 1 7.0',
        '2 A 2 08:00 1',
        'C3 A -1 08:01 1 8.0',
        'C4 a -1 08:01 1 7.0',
        'C5 A -1 08:01 1',
      ),
    )
    expect(totals).toMatchObject({ returns: 0, returnedUnits: 0, unmatched: 3 })
  })

  test('a return with units to sell is an adjustment', async () => {
    expect((await mapped(csv('C1 A 2 08:00 1 7.0'))).totals.adjustments).toBe(1)
  })
})

describe('December 2010', () => {
  test('has the totals that are known of it', async () => {
    const mapper = new RetailMapper()
    let events = 0
    for await (const _ of retailEvents([DECEMBER], mapper)) events++
    expect(mapper.totals).toEqual({
      orders: 1_559,
      lines: 41_480,
      adjustments: 273,
      returns: 302,
      returnedUnits: 3_241,
      unmatched: 12_801,
      units: 355_998,
      amount: 81_559_672,
    })
    expect(events).toBe(1_559 + 302)
  })

  test('gives the board of every day that a plain recomputation gives', async () => {
    const sums = await sumsByDay([DECEMBER])
    const expected = expectedBoards(DECEMBER, 0)
    expect(sums.size).toBe(20)
    for (const [day, products] of sums) {
      const { byQuantity } = expected.day(day * DAY_MS)
      const sold = [...products].filter(([, { quantity }]) => quantity > 0).map(([id]) => id)
      expect(byQuantity).toHaveLength(Math.min(1_000, sold.length))
      for (const { productId, quantity, amount } of byQuantity) {
        expect(products.get(productId)).toEqual({ quantity, amount })
      }
    }
  })
})

/** What is sold less what came back, by the day of the sale. */
async function sumsByDay(files: readonly string[]) {
  const days = new Map<number, Map<string, { quantity: number; amount: number }>>()
  for await (const event of retailEvents(files, new RetailMapper())) {
    const day = Math.floor((event.kind === 'sale' ? event.at : event.soldAt) / DAY_MS)
    const products = days.get(day) ?? new Map<string, { quantity: number; amount: number }>()
    days.set(day, products)
    const sign = event.kind === 'sale' ? 1 : -1
    for (const { productId, quantity, unitPrice } of event.lines) {
      const sum = products.get(productId) ?? { quantity: 0, amount: 0 }
      products.set(productId, {
        quantity: sum.quantity + sign * quantity,
        amount: sum.amount + sign * quantity * unitPrice,
      })
    }
  }
  return days
}

describe('events become records', () => {
  test('a sale', async () => {
    const { events } = await mapped(csv('1 A 6 08:26 2.55 17850.0'))
    const record = toRecord(topics, events[0] as RetailEvent, DAY_MS)
    const soldAt = at('08:26') + DAY_MS
    expect(record).toMatchObject({ topic: 'order.confirmed', key: Buffer.from('1'), timestamp: soldAt })
    expect(topics.orderConfirmed.value.deserialize(record.value as Buffer)).toEqual({
      orderId: '1',
      userId: '17850',
      items: [{ lineNo: 1, productId: 'A', categoryId: null, quantity: 6, unitPrice: 255 }],
      finalAmount: 1530,
      currency: 'GBP',
      pointsUsed: 0,
      userCouponId: null,
      paidAt: soldAt,
      confirmedAt: soldAt,
    })
  })

  test('a return, at the price of its line', async () => {
    const { events } = await mapped(csv('1 A 6 08:26 2.55 17850.0', 'C2 A -2 09:00 9.99 17850.0'))
    const record = toRecord(topics, events[1] as RetailEvent, 0)
    expect(record).toMatchObject({ topic: 'order.returned', key: Buffer.from('1'), timestamp: at('09:00') })
    expect(topics.orderReturned.value.deserialize(record.value as Buffer)).toMatchObject({
      returnId: 'C2-1',
      items: [{ lineNo: 1, productId: 'A', quantity: 2, amount: 510 }],
      refundAmount: 510,
      confirmedAt: at('08:26'),
      at: at('09:00'),
    })
  })

  test('the same input makes the same ids, another event another one', async () => {
    const { events } = await mapped(
      csv('1 A 6 08:26 2.55 17850.0', 'C2 A -2 08:26 1 17850.0', 'C3 A -2 08:26 1 17850.0'),
    )
    const ids = events.map((event) => toRecord(topics, event, 0).lineage.eventId)
    expect(events.map((event) => toRecord(topics, event, 0).lineage.eventId)).toEqual(ids)
    expect(new Set(ids).size).toBe(3)
  })
})

test('the shift brings the last trading day to yesterday by whole days', () => {
  const lastSale = Date.parse('2010-12-23T16:06:00Z')
  const now = Date.parse('2026-03-01T00:30:00Z')
  const shift = shiftToYesterday(lastSale, now)
  expect(shift % DAY_MS).toBe(0)
  expect(new Date(lastSale + shift).toISOString()).toBe('2026-02-28T16:06:00.000Z')
})

describe('files', () => {
  test('are measured before they are replayed', async () => {
    const path = join(directory, 'measured.csv.gz')
    writeFileSync(path, gzipSync(csv('1 A 6 08:26 2.55 17850.0', '2 A 6 08:30 1 1.0', 'C3 A -6 09:00 1 1.0')))
    expect(await measure([path])).toEqual({ events: 3, firstSaleAt: at('08:26'), lastSaleAt: at('08:30') })
  })

  const bad: readonly [what: string, content: string, message: RegExp][] = [
    ['another header', 'a,b\n1,2\n', /record 1: the header must be InvoiceNo/],
    ['nothing', '', /is empty/],
    ['a quantity that is none', csv('1 A x 08:26 2.55 1.0'), /record 2: Quantity "x"/],
    ['a price that is none', csv('1 A 1 08:26 free 1.0'), /record 2: UnitPrice "free"/],
    ['a time that is none', csv('1 A 1 25:61 1 1.0'), /record 2: InvoiceDate/],
    ['a row of too few fields', `${HEADER}\n1,A\n`, /record 1/],
  ]
  test.each(bad)('%s is refused, naming the place', async (_what, content, message) => {
    const error = await mapped(content).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(InputError)
    expect((error as Error).message).toMatch(message)
  })

  test('one that is not there, or not packed, is refused by name', async () => {
    const path = join(directory, 'plain.csv.gz')
    writeFileSync(path, 'not packed')
    await expect(measure([path])).rejects.toThrow(/plain\.csv\.gz/)
    await expect(measure([join(directory, 'none.csv')])).rejects.toThrow(/none\.csv/)
  })
})
