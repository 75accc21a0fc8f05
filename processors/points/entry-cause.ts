/**
 * What an entry of the ledger was for: as the text that the ledger has, and the ids that are in it. Ids may have any
 * character, so the text is made of them and never taken apart; a lot's name begins with what kind of id follows.
 */

export interface EntryCause {
  /** `order:<orderId>`, with ` return:<returnId>` of a part; `adjust:<adjustId>`. */
  readonly reference: string
  readonly orderId: string | null
  readonly returnId: string | null
  readonly adjustId: string | null
}

const ORDER = 'order:'
const ADJUST = 'adjust:'
const RETURN = 'return:'

/** What the lot of an order's earnings is named. */
export function orderLot(orderId: string): string {
  return `${ORDER}${orderId}`
}

export function adjustLot(adjustId: string): string {
  return `${ADJUST}${adjustId}`
}

/** How a return is known among what was refunded; null: one that has no name. */
export function returnRefund(returnId: string | null): string {
  return `${RETURN}${returnId ?? ''}`
}

export function forOrder(orderId: string): EntryCause {
  return { reference: orderLot(orderId), orderId, returnId: null, adjustId: null }
}

/** @param refund as `returnRefund` names it, or `cancel` */
export function forRefund(orderId: string, refund: string): EntryCause {
  const returnId = after(RETURN, refund)
  return { ...forOrder(orderId), reference: `${orderLot(orderId)} ${refund}`, returnId }
}

/** What became of a lot, by its name. */
export function forLot(lotId: string): EntryCause {
  return { reference: lotId, orderId: after(ORDER, lotId), returnId: null, adjustId: after(ADJUST, lotId) }
}

function after(beginning: string, text: string): string | null {
  return text.startsWith(beginning) && text.length > beginning.length ? text.slice(beginning.length) : null
}
