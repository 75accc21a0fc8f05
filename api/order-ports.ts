/**
 * What the HTTP API needs of the running pipeline about orders, stock and points. The rules of `ports.ts` hold. Nothing
 * of it is asked where the shop takes no orders.
 */
import type {
  Adjustment,
  OrderItem,
  OrderState,
  PointEntry,
  ProductCatalog,
  ReturnState,
  StockLevel,
  UserCoupon,
} from '../schemas/index.ts'
import type { Answer } from '../streams/index.ts'
import type { Page, PageRequest, WaitOptions } from './ports.ts'

export interface OrderPort {
  order(orderId: string): Answer<OrderView | undefined>
  /**
   * Waits until what is known of the order is `enough`. At once if it is; after `timeoutMs`, or once `signal` fires, in
   * any case. A read as rule 2 has it.
   */
  orderUntil(
    orderId: string,
    enough: (order: OrderView | undefined) => boolean,
    wait: WaitOptions,
  ): Promise<void>
  /** What an operator may do now about the orderId; nothing where nothing is known of it. */
  orderRepairs(orderId: string): Answer<OrderRepairs | undefined>
  /** Products in the order of the ids, from wherever this process knows them. */
  priced(productIds: readonly string[]): readonly (ProductCatalog | undefined)[]
}

export interface StockPort {
  stock(productId: string): Answer<StockLevel | undefined>
  /** What became of an adjustment; nothing while it is not processed, or when it is forgotten. */
  stockAdjustment(productId: string, adjustId: string): Adjustment | undefined
}

export interface PointPort {
  /** The user's points. */
  points(userId: string): Answer<number>
  /** Entries of the user's ledger, the newest first. */
  pointEntries(userId: string, page: PageRequest): Promise<Answer<Page<PointEntry>>>
  /** As `stockAdjustment`. */
  pointAdjustment(userId: string, adjustId: string): Adjustment | undefined
  /** One coupon of the user's wallet. */
  userCoupon(userId: string, userCouponId: string): UserCoupon | undefined
}

/** What a customer may do with an order. */
export type OrderAction = 'pay' | 'cancel' | 'return'
/** What an operator may do about one. */
export type RepairAction = 'retry' | 'resume' | 'compensate' | 'resolve'

export interface OrderRepairs {
  readonly actions: readonly RepairAction[]
  /** Nothing where there are only payments that no order asked for. */
  readonly state: OrderState | undefined
}

export interface OrderView {
  readonly orderId: string
  readonly userId: string
  readonly state: OrderState
  readonly returnState: ReturnState
  /** The saga's step that it is in; empty between steps and at the end. */
  readonly step: string
  /** Of that step; 0 = none. */
  readonly attempt: number
  /** Grows with every change. */
  readonly revision: number
  /** For people. */
  readonly note: string | null
  readonly items: readonly OrderItem[]
  readonly userCouponId: string | null
  /** What the customer wants to spend. */
  readonly pointsToUse: number
  readonly currency: string
  /** Epoch milliseconds. */
  readonly payBy: number
  /** Minor units. */
  readonly amounts: {
    readonly items: number
    readonly discount: number
    readonly points: number
    readonly final: number
  }
  readonly paymentKey: string | null
  /** Epoch milliseconds; null = not confirmed. */
  readonly confirmedAt: number | null
  /** Somebody wanted it undone, and it is or will be. */
  readonly calledOff: boolean
  readonly returns: readonly ReturnView[]
  /** What a customer may do now. */
  readonly actions: readonly OrderAction[]
}

export interface ReturnView {
  readonly returnId: string
  readonly status: 'RUNNING' | 'DONE' | 'NEEDS_ATTENTION'
  readonly items: readonly { readonly lineNo: number; readonly quantity: number }[]
  /** Minor units. */
  readonly refundAmount: number
}
