/** What the payment gateway uses; `topologies/payment-gateway.ts` gives it. */
import type {
  GatewayCharge,
  GatewayPayment,
  GatewayRefund,
  Incident,
  PaymentCall,
  PaymentRefundResult,
  PaymentResult,
} from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import type { PastCause } from '../../streams/index.ts'
import { type Keeping, pairKey } from '../keeping.ts'
import type { AskingRules } from './asking.ts'

export interface GatewayRules {
  readonly asking: AskingRules
  readonly keeping: Keeping
  /** How long the log has what others answered, milliseconds: of an older command nobody knows whether they did. */
  readonly answersMs: number
}

export interface PaymentGatewayRules extends GatewayRules {
  /** ISO 4217, of the shop. */
  readonly currency: string
  /** How long after its deadline a charge may still turn up at the provider, milliseconds. */
  readonly graceMs: number
}

export interface PaymentGatewayContext {
  readonly stores: {
    readonly charges: KeyValueStore<string, GatewayCharge>
    readonly payments: KeyValueStore<[orderId: string, paymentKey: string], GatewayPayment>
    readonly refunds: KeyValueStore<[orderId: string, refundId: string], GatewayRefund>
  }
  readonly emit: {
    readonly call: (orderId: string, call: PaymentCall) => void
    readonly paid: (orderId: string, result: PaymentResult) => void
    readonly refunded: (orderId: string, result: PaymentRefundResult) => void
    readonly incident: (key: string, incident: Incident) => void
  }
  /** Ask anew for a charge, a refund; forget what was. */
  readonly timers: {
    readonly charge: TimerHandle
    readonly refund: TimerHandle
    readonly forgetCharge: TimerHandle
    readonly forgetPayment: TimerHandle
    readonly forgetRefund: TimerHandle
  }
  readonly wallTime: number
  deadLetter(reason: string, message: string): void
  causedBy(cause: PastCause): void
  dropped(reason: string): void
}

/** Keeps what the provider has taken, and for how long it is known. */
export function keepPayment(
  { keeping }: GatewayRules,
  key: [orderId: string, paymentKey: string],
  payment: GatewayPayment,
  { stores, timers, wallTime }: PaymentGatewayContext,
): void {
  stores.payments.put(key, payment)
  timers.forgetPayment.schedule(pairKey(key), wallTime + keeping.keepDoneMs)
}

/** While it is not known what becomes of a refund, neither is what is left of the payment. */
export function forgetPayment(
  rules: GatewayRules,
  key: [orderId: string, paymentKey: string],
  context: PaymentGatewayContext,
): void {
  const { stores } = context
  const payment = stores.payments.get(key)
  if (payment === undefined || payment.pending === 0) return stores.payments.delete(key)
  keepPayment(rules, key, payment, context)
}
