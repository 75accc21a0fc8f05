/** Sales and returns → records of `order.confirmed` and `order.returned`. The same input makes the same bytes. */
import { crc32 } from 'node:zlib'
import type { OrderConfirmed, OrderReturned, Topics } from '../../schemas/index.ts'
import { type AppendRecord, EventIdMaker, murmur2, NO_HEADERS } from '../../streams/index.ts'
import type { RetailEvent, Return, Sale, SoldLine } from './mapper.ts'

export const RETAIL_CURRENCY = 'GBP'

const DAY_MS = 24 * 60 * 60 * 1000
const ids = new EventIdMaker('retail-replay')

/**
 * @param topics whose serdes encode it
 * @param shiftMs is added to all times
 */
export function toRecord(topics: Topics, event: RetailEvent, shiftMs: number): AppendRecord {
  return event.kind === 'sale' ? saleRecord(topics, event, shiftMs) : returnRecord(topics, event, shiftMs)
}

function saleRecord(topics: Topics, { orderId, userId, at, lines }: Sale, shiftMs: number): AppendRecord {
  const confirmedAt = at + shiftMs
  const value: OrderConfirmed = {
    orderId,
    userId,
    items: lines.map((line) => ({ ...line, categoryId: null })),
    finalAmount: lines.reduce((sum, line) => sum + amountOf(line), 0),
    currency: RETAIL_CURRENCY,
    pointsUsed: 0,
    userCouponId: null,
    paidAt: confirmedAt,
    confirmedAt,
  }
  return record(topics.orderConfirmed, orderId, value, confirmedAt, '')
}

function returnRecord(topics: Topics, event: Return, shiftMs: number): AppendRecord {
  const { orderId, userId, returnId, lines } = event
  const items = lines.map((line) => {
    const { lineNo, productId, quantity } = line
    return { lineNo, productId, quantity, amount: amountOf(line) }
  })
  const value: OrderReturned = {
    orderId,
    userId,
    returnId,
    items,
    refundAmount: items.reduce((sum, { amount }) => sum + amount, 0),
    confirmedAt: event.soldAt + shiftMs,
    at: event.at + shiftMs,
    reason: 'returned',
  }
  return record(topics.orderReturned, orderId, value, value.at, returnId)
}

function record<V>(
  topic: { readonly name: string; readonly value: { serialize(value: V): Buffer } },
  orderId: string,
  value: V,
  timestamp: number,
  returnId: string,
): AppendRecord {
  const key = Buffer.from(orderId)
  return {
    topic: topic.name,
    key,
    value: topic.value.serialize(value),
    timestamp,
    lineage: { eventId: ids.derive(timestamp, murmur2(key), crc32(returnId), 0) },
    headers: NO_HEADERS,
  }
}

function amountOf({ quantity, unitPrice }: SoldLine): number {
  return quantity * unitPrice
}

/**
 * Whole days, in milliseconds, that bring the day of `lastSaleAt` to the day before that of `now` (both UTC, as the
 * data's times are).
 */
export function shiftToYesterday(lastSaleAt: number, now: number): number {
  return (Math.floor(now / DAY_MS) - 1 - Math.floor(lastSaleAt / DAY_MS)) * DAY_MS
}
