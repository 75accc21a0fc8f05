/** Orders, stock and points of the fake pipeline: what the tests say there is, and services of a few lines. */
import {
  mergeStretches,
  type OrderList,
  type OrderQuery,
  type OrderRepairs,
  type OrderStatusView,
  type OrderTimeline,
  type OrderView,
  type Page,
  type PageRequest,
  type WaitOptions,
} from '../../api/index.ts'
import {
  topics,
  type Adjustment,
  type OrderCreated,
  type PointAdjust,
  type PointEntry,
  type ProductCatalog,
  type StockAdjust,
  type StockLevel,
  type UserCoupon,
} from '../../schemas/index.ts'
import type { Answer, AppendRecord, Position } from '../../streams/index.ts'

const none: StockLevel = { received: 0, available: 0, reserved: 0, sold: 0 }

export abstract class FakeOrders {
  readonly products = new Map<string, ProductCatalog>()
  readonly wallets = new Map<string, UserCoupon[]>()
  readonly orders = new Map<string, OrderView>()
  readonly repairs = new Map<string, OrderRepairs>()
  readonly levels = new Map<string, StockLevel>()
  readonly ledgers = new Map<string, PointEntry[]>()
  readonly #adjustments = new Map<string, Adjustment>()
  readonly #watchers = new Set<() => void>()

  protected abstract read(): void
  protected abstract position(topic: string, key: string): Position

  /** Lets those see it who wait for the order. */
  setOrder(order: OrderView): void {
    this.orders.set(order.orderId, order)
    for (const look of this.#watchers) look()
  }

  get orderWaiters(): number {
    return this.#watchers.size
  }

  order(orderId: string): Answer<OrderView | undefined> {
    this.read()
    return { value: this.orders.get(orderId), positions: [this.position('order.created', orderId)] }
  }

  orderUntil(
    orderId: string,
    enough: (order: OrderView | undefined) => boolean,
    { timeoutMs, signal }: WaitOptions,
  ): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        this.#watchers.delete(look)
        resolve()
      }
      const look = () => {
        if (enough(this.orders.get(orderId))) end()
      }
      const timer = setTimeout(end, timeoutMs)
      signal?.addEventListener('abort', end)
      this.#watchers.add(look)
    })
  }

  /** Partitions of orders that another process has, with its address. */
  ordersElsewhere: OrderList['elsewhere'] = []
  readonly timelines = new Map<string, OrderTimeline>()
  readonly news = new Map<string, OrderStatusView[]>()

  /** The order has told one more status. */
  tell(orderId: string, status: Pick<OrderStatusView, 'state' | 'revision'>): void {
    const before = this.orders.get(orderId) as OrderView
    const { state, revision } = status
    const told = { returnState: 'NONE', step: '', attempt: 0, note: null, at: revision, ...status }
    this.news.set(orderId, [...(this.news.get(orderId) ?? []), told])
    this.setOrder({ ...before, state: state as OrderView['state'], revision })
  }

  orderList(query: OrderQuery): Promise<OrderList> {
    const { state, userId, stuckSince, after } = query
    const items = [...this.orders.values()].flatMap((order) => {
      const place = { at: userId === undefined ? order.since : order.createdAt, orderId: order.orderId }
      const isWanted =
        (state === undefined || order.state === state) &&
        (userId === undefined || order.userId === userId) &&
        (stuckSince === undefined || order.since <= stuckSince)
      return isWanted ? [{ place, order }] : []
    })
    // Behind the last of the page before, which may be another process's.
    const last = after === undefined ? [] : [{ place: after, order: undefined }]
    const all = mergeStretches([{ items: [...items, ...last] }], { userId, limit: Infinity }).items
    const behind = all.slice(all.findLastIndex(({ place }) => place.orderId === after?.orderId) + 1)
    const page = mergeStretches([{ items: behind.filter((one) => one.order !== undefined) }], query)
    return Promise.resolve({ ...page, partitions: 6, elsewhere: this.ordersElsewhere })
  }

  orderTimeline(orderId: string): Promise<Answer<OrderTimeline | undefined>> {
    const { positions } = this.order(orderId)
    return Promise.resolve({ value: this.timelines.get(orderId), positions })
  }

  orderNews(orderId: string, above: number): Promise<readonly OrderStatusView[]> {
    this.read()
    return Promise.resolve((this.news.get(orderId) ?? []).filter(({ revision }) => revision > above))
  }

  orderRepairs(orderId: string): Answer<OrderRepairs | undefined> {
    this.read()
    return { value: this.repairs.get(orderId), positions: [] }
  }

  priced(productIds: readonly string[]): readonly (ProductCatalog | undefined)[] {
    return productIds.map((productId) => this.products.get(productId))
  }

  stock(productId: string): Answer<StockLevel | undefined> {
    this.read()
    return { value: this.levels.get(productId), positions: [] }
  }

  stockAdjustment(productId: string, adjustId: string): Adjustment | undefined {
    return this.#adjustments.get(`stock ${productId} ${adjustId}`)
  }

  points(userId: string): Answer<number> {
    this.read()
    const value = this.ledgers.get(userId)?.at(-1)?.balance ?? 0
    return { value, positions: [this.position('point.adjust.requested', userId)] }
  }

  pointEntries(userId: string, { limit, after }: PageRequest): Promise<Answer<Page<PointEntry>>> {
    const from = Number(after ?? 0)
    const all = (this.ledgers.get(userId) ?? []).toReversed()
    const more = all.length > from + limit
    const page = { items: all.slice(from, from + limit), ...(more && { next: String(from + limit) }) }
    return Promise.resolve({
      value: page,
      positions: [this.position('point.adjust.requested', userId)],
    })
  }

  pointAdjustment(userId: string, adjustId: string): Adjustment | undefined {
    return this.#adjustments.get(`points ${userId} ${adjustId}`)
  }

  userCoupon(userId: string, userCouponId: string): UserCoupon | undefined {
    this.read()
    return this.wallets.get(userId)?.find((coupon) => coupon.userCouponId === userCouponId)
  }

  /** What services make of a record. */
  protected serve({ topic, value, timestamp }: AppendRecord): void {
    if (topic === topics.orderCreated.name)
      this.#create(topics.orderCreated.value.deserialize(value as Buffer))
    else if (topic === topics.stockAdjustRequested.name) {
      this.#receive(topics.stockAdjustRequested.value.deserialize(value as Buffer))
    } else if (topic === topics.pointAdjustRequested.name) {
      this.#grant(topics.pointAdjustRequested.value.deserialize(value as Buffer), timestamp)
    }
  }

  #create(created: OrderCreated): void {
    if (!this.orders.has(created.orderId)) this.setOrder(orderView(created))
  }

  #receive({ productId, adjustId, quantity }: StockAdjust): void {
    const id = `stock ${productId} ${adjustId}`
    if (this.#adjustments.has(id)) return
    const level = this.levels.get(productId) ?? none
    const available = level.available + quantity
    const reason = available < 0 ? 'BELOW_ZERO' : null
    this.#adjustments.set(id, { amount: quantity, balance: available, reason })
    if (reason === null)
      this.levels.set(productId, { ...level, received: level.received + quantity, available })
  }

  #grant({ userId, adjustId, amount }: PointAdjust, at: number): void {
    const id = `points ${userId} ${adjustId}`
    if (this.#adjustments.has(id)) return
    const ledger = this.ledgers.get(userId) ?? []
    const balance = (ledger.at(-1)?.balance ?? 0) + amount
    const reason = balance < 0 ? 'INSUFFICIENT_POINTS' : null
    this.#adjustments.set(id, { amount, balance, reason })
    if (reason !== null) return
    const kind = amount < 0 ? 'TAKEN' : 'GRANTED'
    this.ledgers.set(userId, [
      ...ledger,
      { kind, points: amount, balance, at, reference: `adjust:${adjustId}` },
    ])
  }
}

/** An order that waits for its payment. */
export function orderView({
  orderId,
  userId,
  items,
  userCouponId,
  pointsToUse,
  currency,
  payBy,
  bodyHash = null,
}: Omit<OrderCreated, 'shipTo' | 'bodyHash'> & { readonly bodyHash?: string | null }): OrderView {
  const total = items.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0)
  const points = Math.min(pointsToUse, total)
  return {
    orderId,
    userId,
    state: 'AWAITING_PAYMENT',
    returnState: 'NONE',
    step: 'payment',
    attempt: 1,
    revision: 4,
    createdAt: payBy - 60_000,
    since: payBy - 60_000,
    bodyHash,
    note: null,
    items,
    userCouponId,
    pointsToUse,
    currency,
    payBy,
    amounts: { items: total, discount: 0, points, final: total - points },
    paymentKey: null,
    confirmedAt: null,
    calledOff: false,
    returns: [],
    actions: ['pay', 'cancel'],
  }
}
