/** Which goods may come back, and what they are worth. Pure. */
import type { GiveBackData, GivenLine, OrderData, OrderReturn, ReversedItem } from '../../schemas/index.ts'
import { idFault } from '../ids.ts'
import { lineAmount, lineShares, partOf } from './amounts.ts'
import { SURPLUS } from './order-saga.ts'

export interface ReturnFault {
  readonly reason: 'InvalidReturn' | 'ReturnExceedsSale'
  readonly message: string
}

type Lines = Pick<GiveBackData, 'lines'>

/** Units of a line that came back, or are on their way. */
export function returnedUnits(returns: readonly Lines[], lineNo: number): number {
  const lines = returns.flatMap((one) => one.lines).filter((line) => line.lineNo === lineNo)
  return lines.reduce((sum, { quantity }) => sum + quantity, 0)
}

/** NONE, PARTIAL or FULL, of all that came back so far. */
export function returnStateOf({ items }: Pick<OrderData, 'items'>, returns: readonly Lines[]) {
  const left = items.reduce((sum, { lineNo, quantity }) => sum + quantity - returnedUnits(returns, lineNo), 0)
  if (returns.every(({ lines }) => lines.length === 0)) return 'NONE'
  return left === 0 ? 'FULL' : 'PARTIAL'
}

/**
 * The return that was asked for, with its worth pro rata of its lines; or why it cannot be. Never more comes back than
 * was sold, per line.
 * @param before all accepted returns of the order
 */
export function decideReturn(
  order: OrderData,
  before: readonly Lines[],
  { returnId, items, reason }: OrderReturn,
): GiveBackData | ReturnFault {
  const fault =
    returnId === SURPLUS ? { message: `returnId ${SURPLUS} is taken` } : idFault('returnId', returnId)
  if (fault !== undefined) return { reason: 'InvalidReturn', message: fault.message }
  if (items.length === 0) return { reason: 'InvalidReturn', message: 'it has no lines' }
  const shares = lineShares(order)
  const lines: GivenLine[] = []
  let points = 0
  let money = 0
  for (const { lineNo, quantity } of items) {
    const at = order.items.findIndex((item) => item.lineNo === lineNo)
    const item = order.items[at]
    const share = shares[at]
    if (item === undefined || share === undefined || lines.some((line) => line.lineNo === lineNo)) {
      return { reason: 'InvalidReturn', message: `line ${lineNo} is not sold, or named twice` }
    }
    const from = returnedUnits(before, lineNo)
    if (quantity < 1) return { reason: 'InvalidReturn', message: `line ${lineNo}: quantity ${quantity}` }
    if (from + quantity > item.quantity) {
      const message = `line ${lineNo}: ${quantity} are to come back, ${item.quantity - from} are left`
      return { reason: 'ReturnExceedsSale', message }
    }
    points += partOf(share.points, item.quantity, from, from + quantity)
    money += partOf(share.money, item.quantity, from, from + quantity)
    lines.push({ lineNo, productId: item.productId, quantity, unitPrice: item.unitPrice })
  }
  const { orderId, userId, paymentKey } = order
  return {
    kind: 'RETURN',
    id: returnId,
    orderId,
    userId,
    lines,
    points,
    money,
    shortfall: 0,
    paymentKey,
    reason,
  }
}

export function reversedItem({ lineNo, productId, quantity, unitPrice }: GivenLine): ReversedItem {
  return { lineNo, productId, quantity, amount: lineAmount({ quantity, unitPrice }) }
}
