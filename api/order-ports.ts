/**
 * What the HTTP API needs of the running pipeline about orders, stock and points. The rules of `ports.ts` hold. Nothing
 * of it is asked where the shop takes no orders.
 */
import type {
  Adjustment,
  OrderEvent,
  OrderItem,
  OrderPart,
  OrderPassing,
  OrderState,
  PointEntry,
  ProductCatalog,
  RecordPlace,
  ReturnState,
  StockLevel,
  UserCoupon,
} from '../schemas/index.ts'
import type { Answer } from '../streams/index.ts'
import type { Page, PageRequest, WaitOptions } from './asking.ts'

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
  /** Orders of the tasks here, and where the other tasks are. Throws `TASK_NOT_HERE` where no order is kept here. */
  orderList(query: OrderQuery): Promise<OrderList>
  /** What happened to the order. A read as rule 2 has it. */
  orderTimeline(orderId: string): Promise<Answer<OrderTimeline | undefined>>
  /** Statuses that the order told above a revision, oldest first. A read as rule 2 has it. */
  orderNews(orderId: string, above: number): Promise<readonly OrderStatusView[]>
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

/** Where an order stands in a list: by time, then by orderId. */
export interface OrderPlace {
  /** Epoch milliseconds. */
  readonly at: number
  readonly orderId: string
}

/**
 * Of a user the newest first; else those first that came into their state first. Absent parts do not matter.
 */
export interface OrderQuery {
  readonly state?: OrderState | undefined
  readonly userId?: string | undefined
  /** Not ended, and in its state since then or longer, epoch milliseconds. */
  readonly stuckSince?: number | undefined
  readonly limit: number
  /** Only what comes after. */
  readonly after?: OrderPlace | undefined
}

export interface OrderList {
  readonly items: readonly OrderListing[]
  /** Up to where everything is among the items; absent: to the end. */
  readonly end?: OrderPlace | undefined
  /** Over how many partitions orders are spread. */
  readonly partitions: number
  /** Those that are not here, with the address of the process that says it has them. */
  readonly elsewhere: readonly { readonly partition: number; readonly address: string | undefined }[]
}

export interface OrderListing {
  readonly place: OrderPlace
  readonly order: OrderView
}

export interface OrderStatusView extends OrderPassing {
  /** Epoch milliseconds. */
  readonly at: number
}

export interface OrderTimeline {
  /** False: more happened than is kept. */
  readonly complete: boolean
  readonly events: readonly OrderEvent[]
  /** In the order in which they were begun. */
  readonly steps: readonly TimelineStepView[]
}

export interface TimelineStepView extends OrderPart {
  readonly commands: readonly TimelineCommandView[]
  /** Those whose command nothing says. */
  readonly answers: readonly TimelineAnswerView[]
}

export interface TimelineCommandView {
  readonly topic: string
  readonly attempt: number
  readonly epoch: number
  /** Epoch milliseconds, as all times here. */
  readonly sentAt: number
  /** Where the log has it, as its answer says; nothing while there is none. */
  readonly place: RecordPlace | undefined
  readonly answer: TimelineAnswerView | undefined
  readonly durationMs: number | undefined
}

export interface TimelineAnswerView {
  readonly status: string
  readonly reason: string | null
  readonly at: number
  readonly place: RecordPlace | null
  readonly cause: RecordPlace | null
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
  /** When the order began, and when it came into its state, epoch milliseconds; 0 = not known. */
  readonly createdAt: number
  readonly since: number
  /** For people. */
  readonly note: string | null
  readonly items: readonly OrderItem[]
  readonly userCouponId: string | null
  /** What the customer wants to spend. */
  readonly pointsToUse: number
  readonly currency: string
  /** Of the request that it was made by; null = that had no Idempotency-Key. */
  readonly bodyHash: string | null
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
