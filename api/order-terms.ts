/** What an order needs before the log takes it: prices of the server, and advice from what the services know here. */
import type { OrderItem, ProductCatalog } from '../schemas/index.ts'
import { isStreamsError } from '../streams/index.ts'
import type { ApiContext } from './context.ts'
import { ApiError, type FieldProblem } from './errors.ts'
import type { OrderTerms } from './options.ts'

/** Lines as a client wants them. */
export interface WantedLine {
  readonly productId: string
  readonly quantity: number
}

export interface WantedOrder {
  readonly userId: string
  readonly items: readonly WantedLine[]
  readonly userCouponId: string | null
  readonly pointsToUse: number
}

/** @throws ApiError `ORDERS_OFF` */
export function takingOrders({ orders }: Pick<ApiContext, 'orders'>): OrderTerms {
  if (orders === undefined) throw new ApiError('ORDERS_OFF', 'Orders are off: orders.enabled.')
  return orders
}

/** Lines with the server's prices, numbered from 1. @throws ApiError `ORDER_NOT_POSSIBLE` naming lines that have none */
export function pricedLines(context: ApiContext, items: readonly WantedLine[]): readonly OrderItem[] {
  const products = context.pipeline.priced(items.map(({ productId }) => productId))
  const errors: FieldProblem[] = []
  const lines = items.map(({ productId, quantity }, index): OrderItem => {
    const product = products[index]
    const path = `body.items.${index}.productId`
    if (product === undefined) {
      errors.push({ path, code: 'UNKNOWN_PRODUCT', message: 'no product has this productId' })
    } else if (product.currency !== context.currency) {
      errors.push({ path, code: 'WRONG_CURRENCY', message: `its price is not in ${context.currency}` })
    }
    return lineOf(index + 1, productId, quantity, product)
  })
  if (errors.length > 0) throw notPossible(errors)
  return lines
}

function lineOf(
  lineNo: number,
  productId: string,
  quantity: number,
  product: ProductCatalog | undefined,
): OrderItem {
  const { categoryId = null, price = 0 } = product ?? {}
  return { lineNo, productId, categoryId, quantity, unitPrice: price }
}

/** Before coupon and points, minor units. @throws ApiError `INVALID_REQUEST` beyond what can be counted exactly */
export function itemsTotal(lines: readonly OrderItem[]): number {
  const total = lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice, 0)
  if (Number.isSafeInteger(total)) return total
  const errors = [{ path: 'body.items', message: 'the total is too large' }]
  throw new ApiError('INVALID_REQUEST', 'See errors.', { errors })
}

/**
 * Advice only: the services decide. What belongs to a task of another process is not asked about.
 * @throws ApiError `ORDER_NOT_POSSIBLE`
 */
export function adviseAgainst(context: ApiContext, wanted: WantedOrder, total: number): void {
  const errors = [
    ...stockProblems(context, wanted),
    ...pointProblems(context, wanted, total),
    ...couponProblems(context, wanted, total),
  ]
  if (errors.length > 0) throw notPossible(errors)
}

function stockProblems({ pipeline }: ApiContext, { items }: WantedOrder): FieldProblem[] {
  const wanted = new Map<string, number>()
  return items.flatMap(({ productId, quantity }, index): FieldProblem[] => {
    const units = (wanted.get(productId) ?? 0) + quantity
    wanted.set(productId, units)
    const level = known(() => ({ available: pipeline.stock(productId).value?.available ?? 0 }))
    if (level === undefined || units <= level.available) return []
    const message = `only ${level.available} are available`
    return [{ path: `body.items.${index}.quantity`, code: 'OUT_OF_STOCK', message }]
  })
}

function pointProblems(
  { pipeline }: ApiContext,
  { userId, pointsToUse }: WantedOrder,
  total: number,
): FieldProblem[] {
  // More than everything costs is never deducted.
  const needed = Math.min(pointsToUse, total)
  if (needed === 0) return []
  const balance = known(() => pipeline.points(userId).value)
  if (balance === undefined || needed <= balance) return []
  const message = `the user has ${balance}`
  return [{ path: 'body.pointsToUse', code: 'INSUFFICIENT_POINTS', message }]
}

/** A coupon that is not there may be on its way: it was issued a moment ago. */
function couponProblems(
  { pipeline, now }: ApiContext,
  { userId, userCouponId }: WantedOrder,
  total: number,
): FieldProblem[] {
  if (userCouponId === null) return []
  const coupon = known(() => pipeline.userCoupon(userId, userCouponId))
  if (coupon === undefined) return []
  const refuse = (code: string, message: string): FieldProblem[] => [
    { path: 'body.userCouponId', code, message },
  ]
  const { status, expiresAt, discount } = coupon
  if (status === 'USED') return refuse('ALREADY_USED', 'another order uses it')
  if (status === 'REVOKED') return refuse('REVOKED', 'it was revoked')
  if (status === 'EXPIRED' || (expiresAt !== null && expiresAt <= now())) {
    return refuse('EXPIRED', 'its time is over')
  }
  const least = discount?.minOrderAmount ?? 0
  return total < least ? refuse('BELOW_MINIMUM', `the items must cost ${least} at least`) : []
}

/** Nothing where another process has it. */
function known<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (isStreamsError(error, 'TASK_NOT_HERE')) return undefined
    throw error
  }
}

function notPossible(errors: readonly FieldProblem[]): ApiError {
  return new ApiError('ORDER_NOT_POSSIBLE', 'Nothing was ordered. See errors.', { errors })
}
