/** A payment provider to try orders with: it approves, declines, delays, loses and repeats answers by a rule. */
import {
  approveAll,
  type Keeping,
  keepingOf,
  type PaymentCommand,
  type PaymentRule,
  paymentSandboxKeeper,
} from '../processors/index.ts'
import {
  type PaymentRefundResult,
  type PaymentResult,
  type SandboxPayment,
  sandboxPaymentSchema,
  type SandboxRefund,
  sandboxRefundSchema,
  stateSerde,
  topics,
  upcastOf,
} from '../schemas/index.ts'
import { keys, keyValueStore } from '../state/index.ts'
import { processor, shape, type Topology, topology } from '../streams/index.ts'

export interface PaymentSandboxOptions extends Partial<Keeping> {
  /** What becomes of each request; approves all of them at once unless told. */
  readonly rule?: PaymentRule
}

/** Payments by orderId. */
export const sandboxPaymentStore = keyValueStore<SandboxPayment>({
  name: 'sandbox-payments',
  value: stateSerde(sandboxPaymentSchema),
  version: sandboxPaymentSchema.version,
  upcast: upcastOf(sandboxPaymentSchema),
})

/** Refunds by (orderId, refundId). */
export const sandboxRefundStore = keyValueStore<SandboxRefund, [orderId: string, refundId: string]>({
  name: 'sandbox-refunds',
  key: keys.tuple(keys.string, keys.string),
  value: stateSerde(sandboxRefundSchema),
  version: sandboxRefundSchema.version,
  upcast: upcastOf(sandboxRefundSchema),
})

/** A command that says nothing, or for no order, is a fault of whoever sent it. */
const source = { onNullKey: 'dead-letter', onNullValue: 'dead-letter' } as const

/** Declares the sandbox. Throws a `RangeError` for durations that cannot be. */
export function paymentSandbox(options: PaymentSandboxOptions = {}): Topology {
  const sandbox = sandboxOf(keepingOf(options), options.rule ?? approveAll)
  return topology('payment-sandbox', (t) => {
    const payments = t
      .stream(topics.paymentRequested, source)
      .mapValues((command): PaymentCommand => ({ kind: 'PAY', command }), { name: 'payments' })
    const refunds = t
      .stream(topics.paymentRefundRequested, source)
      .mapValues((command): PaymentCommand => ({ kind: 'REFUND', command }), { name: 'refunds' })
    const answers = payments.merge(refunds).process(sandbox)
    answers.paid.to(topics.paymentResult)
    answers.refunded.to(topics.paymentRefundResult)
  })
}

function sandboxOf(keeping: Keeping, rule: PaymentRule) {
  const keeper = paymentSandboxKeeper(keeping, rule)
  return processor({
    name: 'payment-keeper',
    input: shape<string, PaymentCommand>(),
    stores: { payments: sandboxPaymentStore, refunds: sandboxRefundStore },
    outputs: { paid: shape<string, PaymentResult>(), refunded: shape<string, PaymentRefundResult>() },
    timers: { payment: 'wall', refund: 'wall', forgetPayment: 'wall', forgetRefund: 'wall' },
    process: keeper.process,
    onTimer: {
      payment: keeper.answerPayment,
      refund: keeper.answerRefund,
      forgetPayment: keeper.forgetPayment,
      forgetRefund: keeper.forgetRefund,
    },
  })
}
