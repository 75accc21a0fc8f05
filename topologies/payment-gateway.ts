/**
 * Payments by a provider over HTTP: in place of the payment sandbox. What is asked for goes out as `payment.call.requested`
 * to the connector; `payment.call.result` brings what the provider says, also by webhook. See `docs/providers.md`.
 */
import {
  type AskingRules,
  askingRulesOf,
  type Keeping,
  keepingOf,
  type PaymentGatewayMessage,
  paymentGatewayKeeper,
  type PaymentGatewayRules,
} from '../processors/index.ts'
import {
  type GatewayCharge,
  gatewayChargeSchema,
  type GatewayPayment,
  gatewayPaymentSchema,
  type GatewayRefund,
  gatewayRefundSchema,
  type Incident,
  type PaymentCall,
  type PaymentRefundResult,
  type PaymentResult,
  stateSerde,
  topics,
  upcastOf,
} from '../schemas/index.ts'
import { keys, keyValueStore } from '../state/index.ts'
import { processor, shape, type Topology, topology } from '../streams/index.ts'

export interface PaymentGatewayOptions extends Partial<Keeping> {
  /** ISO 4217, of the shop. */
  readonly currency: string
  /** How long after its deadline a charge may still turn up at the provider, milliseconds; a minute unless told. */
  readonly graceMs?: number
  readonly asking?: Partial<AskingRules>
  /**
   * How long the log has what others answered, milliseconds; for ever unless told. A command that is older, and of which
   * nothing is known, is refused: whether it was answered is not known either.
   */
  readonly answersMs?: number
}

const MINUTE_MS = 60_000

/** Charges by orderId. */
export const gatewayChargeStore = keyValueStore<GatewayCharge>({
  name: 'gateway-charges',
  value: stateSerde(gatewayChargeSchema),
  version: gatewayChargeSchema.version,
  upcast: upcastOf(gatewayChargeSchema),
})

/** Money that the provider took, by (orderId, paymentKey). */
export const gatewayPaymentStore = keyValueStore<GatewayPayment, [orderId: string, paymentKey: string]>({
  name: 'gateway-payments',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(gatewayPaymentSchema),
  version: gatewayPaymentSchema.version,
  upcast: upcastOf(gatewayPaymentSchema),
})

/** Refunds by (orderId, refundId). */
export const gatewayRefundStore = keyValueStore<GatewayRefund, [orderId: string, refundId: string]>({
  name: 'gateway-refunds',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(gatewayRefundSchema),
  version: gatewayRefundSchema.version,
  upcast: upcastOf(gatewayRefundSchema),
})

/** A command that says nothing, or for no order, is a fault of whoever sent it. */
const source = { onNullKey: 'dead-letter', onNullValue: 'dead-letter' } as const

/** What somebody else answered is known before any command is judged; who takes results puts aside what is wrong. */
const answers = { bootstrap: true, onUndecodable: 'skip', onBadTimestamp: 'clamp' } as const

/** Declares the gateway. Throws a `RangeError` for durations that cannot be. */
export function paymentGateway(options: PaymentGatewayOptions): Topology {
  const gateway = gatewayOf(rulesOf(options))
  return topology('payment-gateway', (t) => {
    const payments = t
      .stream(topics.paymentRequested, source)
      .mapValues((command): PaymentGatewayMessage => ({ kind: 'PAY', command }), { name: 'payments' })
    const refunds = t
      .stream(topics.paymentRefundRequested, source)
      .mapValues((command): PaymentGatewayMessage => ({ kind: 'REFUND', command }), { name: 'refunds' })
    const news = t
      .stream(topics.paymentCallResult, source)
      .mapValues((command): PaymentGatewayMessage => ({ kind: 'NEWS', command }), { name: 'news' })
    const paid = t
      .stream(topics.paymentResult, answers)
      .mapValues((command): PaymentGatewayMessage => ({ kind: 'PAID', command }), { name: 'paid' })
    const refunded = t
      .stream(topics.paymentRefundResult, answers)
      .mapValues((command): PaymentGatewayMessage => ({ kind: 'REFUNDED', command }), { name: 'refunded' })
    const out = payments.merge(refunds).merge(news).merge(paid).merge(refunded).process(gateway)
    out.call.to(topics.paymentCallRequested)
    out.paid.to(topics.paymentResult)
    out.refunded.to(topics.paymentRefundResult)
    out.incident.to(topics.opsIncident)
  })
}

function rulesOf(options: PaymentGatewayOptions): PaymentGatewayRules {
  const { currency, graceMs = MINUTE_MS, asking = {}, answersMs = Number.POSITIVE_INFINITY } = options
  if (!Number.isSafeInteger(graceMs) || graceMs < 0) throw new RangeError(`graceMs ${graceMs} is no duration`)
  return { keeping: keepingOf(options), asking: askingRulesOf(asking), answersMs, currency, graceMs }
}

function gatewayOf(rules: PaymentGatewayRules) {
  const keeper = paymentGatewayKeeper(rules)
  return processor({
    name: 'payment-asker',
    input: shape<string, PaymentGatewayMessage>(),
    stores: { charges: gatewayChargeStore, payments: gatewayPaymentStore, refunds: gatewayRefundStore },
    outputs: {
      call: shape<string, PaymentCall>(),
      paid: shape<string, PaymentResult>(),
      refunded: shape<string, PaymentRefundResult>(),
      incident: shape<string, Incident>(),
    },
    timers: {
      charge: 'wall',
      refund: 'wall',
      forgetCharge: 'wall',
      forgetPayment: 'wall',
      forgetRefund: 'wall',
    },
    process: keeper.process,
    onTimer: {
      charge: keeper.askForCharge,
      refund: keeper.askForRefund,
      forgetCharge: keeper.forgetCharge,
      forgetPayment: keeper.forgetPayment,
      forgetRefund: keeper.forgetRefund,
    },
  })
}
