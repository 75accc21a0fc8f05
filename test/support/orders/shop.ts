/**
 * A whole shop that takes orders, with a payment provider and a courier that decline, delay, lose and repeat, and an
 * operator who tries again what is stuck.
 */
import { type Chances, seededDeliveries, seededPayments } from '../../../processors/index.ts'
import {
  type Incident,
  type OrderRepair,
  type PaymentRefund,
  type PaymentRefundResult,
  type PointAccount,
  type SandboxPayment,
  type StockLevel,
  topics,
  type UserCoupon,
} from '../../../schemas/index.ts'
import { type Topology, topology } from '../../../streams/index.ts'
import {
  deliverySandbox,
  orders,
  paymentSandbox,
  pointAccountStore,
  points,
  sandboxPaymentStore,
  stock,
  stockLevelStore,
  wallet,
  walletStore,
} from '../../../topologies/index.ts'
import type { ShopRows } from './facts.ts'

export const RATE_BP = 1_000

export interface ShopOptions {
  /** Of the provider's and the courier's fates. */
  readonly seed: number
  /** How long an answer is waited for, milliseconds. */
  readonly patienceMs?: number
  /** Of a delay of provider and courier, milliseconds. */
  readonly maxDelayMs?: number
  readonly completeOn?: 'started' | 'delivered'
  /** As with a data platform; see `judgeToldPoints`. */
  readonly tellEntries?: boolean
}

export interface OrderShop {
  readonly topologies: readonly Topology[]
  /** Where each row of `ShopRows` is. */
  readonly places: {
    readonly levels: Place<typeof stockLevelStore>
    readonly accounts: Place<typeof pointAccountStore>
    readonly coupons: Place<typeof walletStore>
    readonly charges: Place<typeof sandboxPaymentStore>
  }
}

interface Place<S> {
  readonly topology: Topology
  readonly store: S
}

/** What a payment that no provider was asked for is known by; see `otherProvider`. */
export const STRAY = 'stray-'

/** Pays back what came in by itself: the sandbox knows nothing of it. */
const otherProvider = topology('other-provider', (t) => {
  t.stream(topics.paymentRefundRequested)
    .filter(({ paymentKey }) => paymentKey.startsWith(STRAY))
    .mapValues((refund: PaymentRefund): PaymentRefundResult => {
      return { ...refund, status: 'REFUNDED', reason: null }
    })
    .to(topics.paymentRefundResult)
})

/** An operator who tries again, at once, whatever needs attention. */
const operator = topology('operator', (t) => {
  t.stream(topics.opsIncident)
    .filter(({ invariant, status }) => invariant === 'ORDER_NEEDS_ATTENTION' && status === 'OPEN')
    .mapValues(({ subject }: Incident): OrderRepair => {
      const orderId = subject.split('/')[0] ?? subject
      return { orderId, action: 'RETRY', reason: 'looked at it', actor: 'eve' }
    })
    .selectKey(({ orderId }) => orderId, { name: 'by-order' })
    .to(topics.orderRepairRequested)
})

export function orderShop({
  seed,
  patienceMs = 5_000,
  maxDelayMs = 2_000,
  completeOn = 'started',
  tellEntries = false,
}: ShopOptions): OrderShop {
  const chances: Chances = { seed, decline: 120, lose: 100, twice: 150, maxDelayMs }
  const retry = { attempts: 3, backoffMs: 500, maxBackoffMs: 2_000 }
  const levels = stock()
  const accounts = points({ rateBp: RATE_BP, validForMs: null, tellEntries })
  const coupons = wallet({ waitMs: Math.min(2_000, patienceMs / 2) })
  const charges = paymentSandbox({ rule: seededPayments(chances) })
  const desk = orders({
    currency: 'GBP',
    completeOn,
    patience: { timeoutMs: patienceMs, retry },
    deliveryPatience: { timeoutMs: 4 * patienceMs },
  })
  const courier = deliverySandbox({ rule: seededDeliveries(chances) })
  return {
    topologies: [desk, levels, accounts, coupons, charges, courier, otherProvider, operator],
    places: {
      levels: { topology: levels, store: stockLevelStore },
      accounts: { topology: accounts, store: pointAccountStore },
      coupons: { topology: coupons, store: walletStore },
      charges: { topology: charges, store: sandboxPaymentStore },
    },
  }
}

type AnyPlace = OrderShop['places'][keyof OrderShop['places']]

/** `read`: all rows of a store, key and value. */
export function shopRowsOf(
  { levels, accounts, coupons, charges }: OrderShop['places'],
  read: (place: AnyPlace) => readonly (readonly [key: unknown, value: unknown])[],
): ShopRows {
  const rows = <V>(place: AnyPlace) => read(place) as readonly (readonly [string, V])[]
  const owned = read(coupons) as readonly (readonly [[userId: string, userCouponId: string], UserCoupon])[]
  return {
    levels: new Map(rows<StockLevel>(levels)),
    accounts: new Map(rows<PointAccount>(accounts)),
    coupons: new Map(owned.map(([[, userCouponId], row]) => [userCouponId, row])),
    charges: new Map(rows<SandboxPayment>(charges)),
  }
}
