/**
 * The books of a shop, worked out from its log alone: what each order has of stock, points, coupon and money in the end.
 * Plain maps and sums over commands and answers; it shares no code with the services that it is held against.
 *
 * A step stands where the highest epoch that was done is above the highest that was undone.
 */
import type { OrderCreated, OrderStatus, RestoreResult } from '../../../schemas/index.ts'
import type { Fact, ShopLog, TopicName, ValueOf } from './facts.ts'

/** A step of an order: epochs that were done, and that were undone. */
export class PlainStep {
  done = -1
  undone = -1

  get stands(): boolean {
    return this.done > this.undone
  }
}

export interface PlainPayment {
  readonly orderId: string
  readonly paymentKey: string
  readonly amount: number
  /** Paid back, each refundId once. */
  refunded: number
}

export interface PlainOrder {
  readonly orderId: string
  readonly created: OrderCreated | undefined
  /** In the order in which they were told. */
  readonly statuses: readonly OrderStatus[]
  readonly stock: ReadonlyMap<string, PlainStep>
  /** Units that came back, by line. */
  readonly unitsBack: ReadonlyMap<number, number>
  /** Products whose goods left. */
  readonly shipped: ReadonlySet<string>
  readonly points: PlainStep
  /** Points that it has taken and not given back. */
  readonly pointsSpent: number
  readonly coupon: PlainStep
  readonly payments: readonly PlainPayment[]
}

export interface Books {
  readonly orders: ReadonlyMap<string, PlainOrder>
  readonly payments: ReadonlyMap<string, PlainPayment>
  readonly received: ReadonlyMap<string, number>
  /** Points by user, as they must be now. */
  readonly balances: ReadonlyMap<string, number>
}

/** @param rateBp what a completed order earns, hundredths of a per cent */
export function booksOf(log: ShopLog, rateBp: number): Books {
  const by = <N extends TopicName>(name: N) => grouped(log.facts(name), (value) => orderOf(value))
  const sources = {
    created: by('orderCreated'),
    statuses: by('orderStatus'),
    reserved: by('stockReserveResult'),
    restored: by('restoreResult'),
    stockBack: by('stockRestoreRequested'),
    commits: by('stockCommitRequested'),
    deducts: by('pointDeductRequested'),
    deducted: by('pointDeductResult'),
    pointsBack: by('pointRestoreRequested'),
    used: by('couponUseResult'),
  }
  const payments = paymentsOf(log)
  const ids = new Set([...sources.created.keys(), ...sources.statuses.keys()])
  const orders = new Map<string, PlainOrder>()
  for (const orderId of ids) {
    const of = <N extends keyof typeof sources>(name: N) =>
      (sources[name].get(orderId) ?? []) as NonNullable<ReturnType<(typeof sources)[N]['get']>>
    const restored = of('restored')
    const points = stepOf(of('deducted'), 'DEDUCTED', undoes(restored, 'POINTS'))
    orders.set(orderId, {
      orderId,
      created: of('created')[0],
      statuses: of('statuses'),
      stock: stockOf(of('reserved'), restored),
      unitsBack: unitsBack(of('stockBack'), restored),
      shipped: new Set(of('commits').map(({ productId }) => productId)),
      points,
      pointsSpent: points.stands
        ? (of('deducts')[0]?.amount ?? 0) - pointsBack(of('pointsBack'), restored)
        : 0,
      coupon: stepOf(of('used'), 'USED', undoes(restored, 'COUPON')),
      payments: [...payments.values()].filter((payment) => payment.orderId === orderId),
    })
  }
  return { orders, payments, received: receivedOf(log), balances: balancesOf(log, orders, rateBp) }
}

/** How much of a line the order holds or has bought, still. */
export function unitsHeld(order: PlainOrder, lineNo: number): number {
  const item = order.created?.items.find((one) => one.lineNo === lineNo)
  if (item === undefined || order.stock.get(item.productId)?.stands !== true) return 0
  return item.quantity - (order.unitsBack.get(lineNo) ?? 0)
}

/** Minor units that were paid for it and not paid back. */
export function moneyKept({ payments }: Pick<PlainOrder, 'payments'>): number {
  return payments.reduce((sum, { amount, refunded }) => sum + amount - refunded, 0)
}

/** Hundredths of a per cent of an amount, rounded down. */
export function earnedBy(amount: number, rateBp: number): number {
  return Number((BigInt(Math.max(0, amount)) * BigInt(rateBp)) / 10_000n)
}

type Answer = { readonly epoch: number; readonly status: string }

function stepOf(answers: readonly Answer[], yes: string, undone: readonly Answer[]): PlainStep {
  const step = new PlainStep()
  for (const { status, epoch } of answers) if (status === yes) step.done = Math.max(step.done, epoch)
  for (const { epoch } of undone) step.undone = Math.max(step.undone, epoch)
  return step
}

function undoes(restored: readonly RestoreResult[], step: RestoreResult['step']): RestoreResult[] {
  return restored.filter((one) => one.step === step && one.returnId === null && isBack(one))
}

function isBack({ status }: RestoreResult): boolean {
  return status === 'RESTORED' || status === 'ALREADY'
}

function stockOf(
  reserved: readonly ValueOf<'stockReserveResult'>[],
  restored: readonly RestoreResult[],
): Map<string, PlainStep> {
  const products = new Map<string, PlainStep>()
  const undone = undoes(restored, 'STOCK')
  for (const [productId, answers] of Map.groupBy(reserved, (one) => one.productId)) {
    const own = undone.filter((one) => one.productId === productId)
    products.set(productId, stepOf(answers, 'RESERVED', own))
  }
  return products
}

/** Each (line, returnId) comes back once. */
function unitsBack(
  commands: readonly ValueOf<'stockRestoreRequested'>[],
  restored: readonly RestoreResult[],
): Map<number, number> {
  const units = new Map<number, number>()
  const seen = new Set<string>()
  for (const { step, status, returnId, lineNo } of restored) {
    if (step !== 'STOCK' || status !== 'RESTORED' || returnId === null || lineNo === null) continue
    if (seen.has(`${returnId} ${lineNo}`)) continue
    seen.add(`${returnId} ${lineNo}`)
    const asked = commands.filter((one) => one.returnId === returnId).flatMap(({ lines }) => lines)
    const quantity = asked.find((line) => line.lineNo === lineNo)?.quantity ?? 0
    units.set(lineNo, (units.get(lineNo) ?? 0) + quantity)
  }
  return units
}

/** Points that went back in parts: of returns, and what the order did not need. */
function pointsBack(
  commands: readonly ValueOf<'pointRestoreRequested'>[],
  restored: readonly RestoreResult[],
): number {
  return settledParts(restored).reduce((sum, id) => {
    return sum + (commands.find(({ returnId }) => returnId === id)?.amount ?? 0)
  }, 0)
}

function settledParts(restored: readonly RestoreResult[]): string[] {
  const parts = restored.filter((one) => one.step === 'POINTS' && one.status === 'RESTORED')
  return [...new Set(parts.flatMap(({ returnId }) => returnId ?? []))]
}

function paymentsOf(log: ShopLog): Map<string, PlainPayment> {
  const payments = new Map<string, PlainPayment>()
  for (const { value } of log.facts('paymentResult')) {
    const { orderId, paymentKey, amount, status } = value
    if (status !== 'SUCCESS' || payments.has(paymentKey)) continue
    payments.set(paymentKey, { orderId, paymentKey, amount, refunded: 0 })
  }
  const paidBack = new Set<string>()
  for (const { value } of log.facts('paymentRefundResult')) {
    const { refundId, paymentKey, amount, status } = value
    const payment = payments.get(paymentKey)
    if (status !== 'REFUNDED' || paidBack.has(refundId) || payment === undefined) continue
    paidBack.add(refundId)
    payment.refunded += amount
  }
  return payments
}

function receivedOf(log: ShopLog): Map<string, number> {
  const received = new Map<string, number>()
  for (const { productId, quantity } of once(log.facts('stockAdjustRequested'))) {
    received.set(productId, (received.get(productId) ?? 0) + quantity)
  }
  return received
}

/** Grants, less what orders spent, and what completed orders earned less what their returns took back of it. */
function balancesOf(
  log: ShopLog,
  orders: ReadonlyMap<string, PlainOrder>,
  rateBp: number,
): Map<string, number> {
  const balances = new Map<string, number>()
  const add = (userId: string, points: number) => balances.set(userId, (balances.get(userId) ?? 0) + points)
  for (const { userId, amount } of once(log.facts('pointAdjustRequested'))) add(userId, amount)
  for (const { created, pointsSpent } of orders.values())
    if (created !== undefined) add(created.userId, -pointsSpent)
  const refunds = grouped(log.facts('pointRestoreRequested'), orderOf)
  const answers = grouped(log.facts('restoreResult'), orderOf)
  for (const [orderId, [completed]] of grouped(log.facts('orderCompleted'), orderOf)) {
    if (completed === undefined) continue
    const { userId, finalAmount } = completed
    const settled = (answers.get(orderId) ?? []).filter((one) => one.step === 'POINTS' && isBack(one))
    const ids = new Set(settled.flatMap(({ returnId }) => returnId ?? []))
    const back = [...ids].reduce((sum, id) => {
      return sum + (refunds.get(orderId)?.find(({ returnId }) => returnId === id)?.refundAmount ?? 0)
    }, 0)
    const short = [...ids].reduce((sum, id) => {
      return sum + (settled.find(({ returnId }) => returnId === id)?.shortfall ?? 0)
    }, 0)
    add(userId, earnedBy(finalAmount - back, rateBp) + short)
  }
  return balances
}

/** Adjustments, each id once. */
function once<V extends { readonly adjustId: string }>(facts: readonly Fact<V>[]): V[] {
  return [...new Map(facts.toReversed().map(({ value }) => [value.adjustId, value])).values()]
}

function orderOf(value: unknown): string {
  return (value as { readonly orderId: string }).orderId
}

function grouped<V>(facts: readonly Fact<V>[], key: (value: V) => string): Map<string, V[]> {
  return Map.groupBy(
    facts.map(({ value }) => value),
    key,
  )
}
