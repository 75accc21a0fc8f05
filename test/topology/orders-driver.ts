/** An order desk to test with: the orchestrator on the test driver, and words for what its services say. */
import type {
  OrderCreated,
  OrderRepair,
  OrderStatus,
  PaymentResult,
  RestoreResult,
  Topic,
} from '../../schemas/index.ts'
import { topics } from '../../schemas/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import { type OrderOptions, orders, orderStore } from '../../topologies/index.ts'
import { items } from '../unit/ranking/given.ts'

export const START = Date.UTC(2026, 0, 1)
export const MINUTE = 60_000
export const DAY = 24 * 60 * MINUTE

/** A topology must not notice a restart, wherever its state comes back from. */
export const modes: [string, Partial<DriverOptions>][] = [
  ['steady', {}],
  ['restarted after every record', { restartAfterEachRecord: true }],
  ['rebuilt from changelogs after every record', { restartAfterEachRecord: true, stateHome: 'task' }],
]

/** Order `o1` of two teas at 3.00 and a milk at 1.00, to be paid within the hour. */
export function created(changes: Partial<OrderCreated> = {}): OrderCreated {
  return {
    orderId: 'o1',
    userId: 'ann',
    items: items('2 tea 300, 1 milk 100'),
    userCouponId: null,
    pointsToUse: 0,
    currency: 'GBP',
    payBy: START + 60 * MINUTE,
    shipTo: Buffer.from('sealed'),
    bodyHash: null,
    ...changes,
  }
}

/** How each command reads; `#1` of a later epoch. */
const WORDS = {
  stockReserveRequested: (v) => `reserve ${v.productId} ${lines(v.lines)}`,
  stockRestoreRequested: (v) => `restore ${v.productId} ${lines(v.lines)}${of(v.returnId)}`,
  stockCommitRequested: (v) => `commit ${v.productId} ${lines(v.lines)}`,
  pointDeductRequested: (v) => `deduct ${v.amount}`,
  pointRestoreRequested: (v) =>
    `points back ${v.amount}${v.refundAmount > 0 ? ` for ${v.refundAmount}` : ''}${of(v.returnId)}`,
  couponUseRequested: (v) => `use ${v.userCouponId} on ${v.orderAmount}`,
  couponRestoreRequested: (v) => `coupon back ${v.userCouponId}`,
  paymentRequested: (v) => `pay ${v.amount}`,
  paymentRefundRequested: (v) => `refund ${v.amount} of ${v.paymentKey}`,
  deliveryRequested: (v) => `deliver to ${v.customerId}`,
  deliveryCancelRequested: () => 'stop delivery',
} satisfies { [N in keyof typeof topics]?: (value: ValueOf<N>) => string }
type ValueOf<N extends keyof typeof topics> = (typeof topics)[N] extends Topic<infer V> ? V : never
type Command = keyof typeof WORDS

const lines = (all: readonly { lineNo: number; quantity: number }[]) =>
  all.map(({ lineNo, quantity }) => `${lineNo}x${quantity}`).join('+')
const of = (returnId: string | null) => (returnId === null ? '' : ` of ${returnId}`)

export class OrderDesk {
  readonly driver: TopologyTestDriver
  readonly topology: ReturnType<typeof orders>
  readonly dropped: Map<string, number>
  readonly #seen = new Map<Command, number>()

  private constructor(
    driver: TopologyTestDriver,
    topology: ReturnType<typeof orders>,
    dropped: Map<string, number>,
  ) {
    this.driver = driver
    this.topology = topology
    this.dropped = dropped
  }

  static async open(
    mode: Partial<DriverOptions> = {},
    options: Partial<OrderOptions> = {},
  ): Promise<OrderDesk> {
    const topology = orders({ currency: 'GBP', ...options })
    const dropped = new Map<string, number>()
    const hooks = {
      onDropped: (_task: unknown, reason: string) => void dropped.set(reason, (dropped.get(reason) ?? 0) + 1),
    }
    const driver = await TopologyTestDriver.open({ topologies: [topology], now: START, hooks, ...mode })
    return new OrderDesk(driver, topology, dropped)
  }

  async say<N extends keyof typeof topics>(topic: N, value: ValueOf<N>): Promise<void> {
    const { keyOf } = topics[topic] as unknown as { keyOf: (value: ValueOf<N>) => string }
    await this.driver.pipe(topics[topic] as never, keyOf(value), value)
  }

  create(changes: Partial<OrderCreated> = {}): Promise<void> {
    return this.say('orderCreated', created(changes))
  }

  /** Each of the products is held: `tea milk`. */
  async reserved(products: string, epoch = 0): Promise<void> {
    for (const productId of products.split(' ')) {
      await this.say('stockReserveResult', {
        orderId: 'o1',
        productId,
        status: 'RESERVED',
        available: 5,
        reason: null,
        epoch,
      })
    }
  }

  rejected(productId: string, reason: string): Promise<void> {
    return this.say('stockReserveResult', {
      orderId: 'o1',
      productId,
      status: 'REJECTED',
      available: 0,
      reason,
      epoch: 0,
    })
  }

  deducted(status: 'DEDUCTED' | 'REJECTED' = 'DEDUCTED', reason: string | null = null): Promise<void> {
    return this.say('pointDeductResult', {
      orderId: 'o1',
      userId: 'ann',
      status,
      balanceAfter: 0,
      reason,
      epoch: 0,
    })
  }

  used(discountAmount: number): Promise<void> {
    return this.say('couponUseResult', {
      orderId: 'o1',
      userCouponId: 'c1',
      status: 'USED',
      discountAmount,
      reason: null,
      epoch: 0,
    })
  }

  couponRejected(reason: string): Promise<void> {
    return this.say('couponUseResult', {
      orderId: 'o1',
      userCouponId: 'c1',
      status: 'REJECTED',
      discountAmount: null,
      reason,
      epoch: 0,
    })
  }

  paid(amount: number, paymentKey = 'p1', orderId = 'o1'): Promise<void> {
    return this.say('paymentResult', { orderId, paymentKey, amount, status: 'SUCCESS', failureCode: null })
  }

  declined(failureCode: PaymentResult['failureCode'], amount = 700): Promise<void> {
    return this.say('paymentResult', {
      orderId: 'o1',
      paymentKey: 'p0',
      amount,
      status: 'FAILED',
      failureCode,
    })
  }

  courier(status: 'STARTED' | 'DELIVERED' | 'FAILED', reason: string | null = null): Promise<void> {
    return this.say('deliveryResult', { orderId: 'o1', deliveryId: 'd1', status, reason })
  }

  stopped(status: 'CANCELLED' | 'TOO_LATE'): Promise<void> {
    return this.say('deliveryCancelResult', { orderId: 'o1', deliveryId: 'd1', status, reason: null })
  }

  /** `tea`, `milk`, `POINTS`, `COUPON` were given back. */
  async restored(what: string, changes: Partial<RestoreResult> = {}): Promise<void> {
    for (const one of what.split(' ')) {
      const isProduct = one !== 'POINTS' && one !== 'COUPON'
      await this.say('restoreResult', {
        orderId: 'o1',
        step: isProduct ? 'STOCK' : one,
        lineNo: isProduct ? (one === 'tea' ? 1 : 2) : null,
        returnId: null,
        status: 'RESTORED',
        reason: null,
        productId: isProduct ? one : null,
        shortfall: 0,
        epoch: 0,
        ...changes,
      })
    }
  }

  refunded(refundId: string, amount: number, status: 'REFUNDED' | 'FAILED' = 'REFUNDED'): Promise<void> {
    const reason = status === 'FAILED' ? 'BANK' : null
    return this.say('paymentRefundResult', {
      refundId,
      orderId: 'o1',
      paymentKey: 'p1',
      amount,
      status,
      reason,
    })
  }

  cancel(): Promise<void> {
    return this.say('orderCancelRequested', { orderId: 'o1', reason: 'changed my mind', actor: 'ann' })
  }

  /** `1x2 2x1` comes back. */
  takeBack(returnId: string, what: string): Promise<void> {
    const back = what.split(' ').map((text) => {
      const [lineNo, quantity] = text.split('x').map(Number)
      return { lineNo: lineNo ?? 0, quantity: quantity ?? 0 }
    })
    return this.say('orderReturnRequested', {
      orderId: 'o1',
      returnId,
      items: back,
      reason: 'too sweet',
      actor: 'ann',
    })
  }

  repair(action: OrderRepair['action']): Promise<void> {
    return this.say('orderRepairRequested', { orderId: 'o1', action, reason: 'looked at it', actor: 'eve' })
  }

  /** Commands since the last look, by topic, in the order of `WORDS`. */
  get news(): string[] {
    return (Object.keys(WORDS) as Command[]).flatMap((name) => {
      const all = this.driver.read(topics[name] as Topic<never>)
      const fresh = all.slice(this.#seen.get(name) ?? 0)
      this.#seen.set(name, all.length)
      return fresh.map(({ value }) => {
        const { epoch = 0 } = value as unknown as { epoch?: number }
        const text = (WORDS[name] as (value: never) => string)(value as never)
        return epoch === 0 ? text : `${text} #${epoch}`
      })
    })
  }

  get statuses(): OrderStatus[] {
    return this.driver.read(topics.orderStatus).map(({ value }) => value as OrderStatus)
  }

  /** Each state once, as long as it lasts. */
  get states(): string[] {
    return this.statuses.map(({ state }) => state).filter((state, i, all) => state !== all[i - 1])
  }

  get status(): OrderStatus | undefined {
    return this.statuses.at(-1)
  }

  facts<N extends keyof typeof topics>(topic: N): ValueOf<N>[] {
    return this.driver.read(topics[topic] as unknown as Topic<ValueOf<N>>).map(({ value }) => {
      return structuredClone({ ...(value as object) }) as ValueOf<N>
    })
  }

  /** `OPEN ORDER_STRAY_PAYMENT o1/p1: LATE_PAYMENT, refunded`. */
  get incidents(): string[] {
    return this.facts('opsIncident').map(
      ({ status, invariant, subject, detail }) =>
        `${status} ${invariant} ${subject}${detail === '' ? '' : `: ${detail}`}`,
    )
  }

  /** Dead letters as `reason: message`. */
  deadLetters(topic: keyof typeof topics): string[] {
    return this.driver.deadLetters(topics[topic] as never).map((record) => {
      const header = (name: string) =>
        record.headers.find(([key]) => key === `__streams.errors.${name}`)?.[1].toString()
      return `${header('exception')}: ${header('message')}`
    })
  }

  stored(orderId = 'o1') {
    return this.driver.store(this.topology, orderStore).get(orderId).value
  }

  close(): Promise<void> {
    return this.driver.close()
  }
}
