/** Facts to test the ranking's rules with. */
import type {
  BoardPart,
  HeldReversal,
  OrderCancelled,
  OrderConfirmed,
  OrderItem,
  OrderReturned,
  SaleState,
} from '../../../schemas/index.ts'
import { confirm, initialSale, reversalOf } from '../../../processors/ranking/sale.ts'

/** 2026-01-05, a Monday, 00:00 UTC. */
export const MONDAY = Date.UTC(2026, 0, 5)
export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** A line of an order: `2 tea 300` is line 1, two teas at 3.00. */
export function items(text: string): OrderItem[] {
  return text.split(', ').map((line, index) => {
    const [quantity, productId = '', unitPrice] = line.split(' ')
    return {
      lineNo: index + 1,
      productId,
      categoryId: null,
      quantity: Number(quantity),
      unitPrice: Number(unitPrice ?? 100),
    }
  })
}

/** Order `o1`, confirmed on MONDAY at 01:00. */
export function sale(lines: string, changes: Partial<OrderConfirmed> = {}): OrderConfirmed {
  return {
    orderId: 'o1',
    userId: 'ann',
    items: items(lines),
    finalAmount: 0,
    currency: 'GBP',
    pointsUsed: 0,
    userCouponId: null,
    paidAt: MONDAY,
    confirmedAt: MONDAY + HOUR,
    ...changes,
  }
}

/** What comes back: `1x2` is two units of line 1. */
function reversed(lines: string) {
  return lines.split(', ').map((text) => {
    const [lineNo, quantity] = text.split('x')
    return { lineNo: Number(lineNo), productId: 'unused', quantity: Number(quantity), amount: 7 }
  })
}

/** Return `r1` of order `o1`, on MONDAY at 02:00. */
export function returned(lines: string, changes: Partial<OrderReturned> = {}): OrderReturned {
  return {
    orderId: 'o1',
    userId: 'ann',
    returnId: 'r1',
    items: reversed(lines),
    refundAmount: 0,
    confirmedAt: MONDAY + HOUR,
    at: MONDAY + 2 * HOUR,
    reason: '',
    ...changes,
  }
}

export function cancelled(lines: string, changes: Partial<OrderCancelled> = {}): OrderCancelled {
  return { ...returned(lines), returnId: null, ...changes }
}

export function aReturn(lines: string, returnId: string | null = 'r1'): HeldReversal {
  return reversalOf('RETURN', returnId, reversed(lines)).reversal
}

export function aCancel(lines: string): HeldReversal {
  return reversalOf('CANCEL', null, reversed(lines)).reversal
}

/** The state of `o1` after its sale. */
export function sold(lines: string): SaleState {
  return confirm(initialSale, sale(lines)).state
}

/** A partition's part of a board: `9 tea, 4 milk`. */
export function part(entries: string, changes: Partial<BoardPart> = {}): BoardPart {
  const listed = entries === '' ? [] : entries.split(', ')
  return {
    entries: listed.map((entry) => {
      const [score, productId = ''] = entry.split(' ')
      return { productId, score: Number(score), quantity: Number(score), amount: 0 }
    }),
    applied: listed.length,
    lateCount: 0,
    correctedCount: 0,
    closed: false,
    ...changes,
  }
}
