/**
 * What a shop says of orders, as plain data, for checks that share no code with the pipeline: what anybody may ask by
 * HTTP, and, where the log can be read, what was written to it.
 */
import type {
  OrderConfirmed,
  OrderStatus,
  PaymentRefundResult,
  PaymentResult,
  PointEarned,
  RestoreResult,
  StockReserveResult,
} from '../../../schemas/index.ts'

export interface ShopFacts {
  /** Epoch milliseconds at which it was asked. */
  readonly askedAt: number
  readonly orders: readonly OrderFact[]
  readonly products: readonly StockFact[]
  readonly accounts: readonly AccountFact[]
  readonly coupons: readonly CouponFact[]
  readonly log?: LogFacts
}

/** Amounts are minor units. */
export interface OrderFact {
  readonly orderId: string
  readonly userId: string
  readonly state: string
  readonly returnState: string
  readonly items: readonly {
    readonly lineNo: number
    readonly productId: string
    readonly quantity: number
    readonly unitPrice: number
  }[]
  readonly amounts: {
    readonly items: number
    readonly discount: number
    readonly points: number
    readonly final: number
  }
  readonly payBy: number
  readonly userCouponId?: string
  readonly paymentKey?: string
  readonly confirmedAt?: number
  readonly returns: readonly {
    readonly returnId: string
    readonly status: string
    readonly items: readonly { readonly lineNo: number; readonly quantity: number }[]
    readonly refundAmount: number
  }[]
}

export interface StockFact {
  readonly productId: string
  readonly received: number
  readonly available: number
  readonly reserved: number
  readonly sold: number
}

export interface AccountFact {
  readonly userId: string
  readonly balance: number
  /** The whole ledger, the oldest first. */
  readonly entries: readonly {
    readonly kind: string
    readonly points: number
    readonly balance: number
    readonly reference: string
  }[]
}

export interface CouponFact {
  readonly userId: string
  readonly userCouponId: string
  readonly status: string
}

/** Records about these orders, each topic's in the order of the log. */
export interface LogFacts {
  readonly statuses: readonly OrderStatus[]
  readonly reservations: readonly StockReserveResult[]
  readonly restores: readonly RestoreResult[]
  readonly payments: readonly PaymentResult[]
  readonly refunds: readonly PaymentRefundResult[]
  readonly confirmed: readonly OrderConfirmed[]
  readonly earned: readonly PointEarned[]
}

/** Where an order stays. */
export const ENDED: ReadonlySet<string> = new Set(['COMPLETED', 'FAILED', 'CANCELLED'])
/** Where nothing of an order is left. */
export const UNDONE: ReadonlySet<string> = new Set(['FAILED', 'CANCELLED'])

/** Units of the order's lines of a product that came back. */
export function unitsBack({ items, returns }: OrderFact, productId: string): number {
  const lines = new Set(items.filter((item) => item.productId === productId).map(({ lineNo }) => lineNo))
  return returns
    .filter(({ status }) => status === 'DONE')
    .flatMap((one) => one.items)
    .filter(({ lineNo }) => lines.has(lineNo))
    .reduce((sum, { quantity }) => sum + quantity, 0)
}

export function moneyBack({ returns }: OrderFact): number {
  return returns
    .filter(({ status }) => status === 'DONE')
    .reduce((sum, { refundAmount }) => sum + refundAmount, 0)
}
