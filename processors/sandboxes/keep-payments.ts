/** The payment sandbox: keeps what it was asked for, and answers when the time has come. */
import type {
  PaymentRefund,
  PaymentRefundResult,
  PaymentRequested,
  PaymentResult,
  SandboxPayment,
  SandboxRefund,
} from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import { pastCauseOf } from '../../streams/kit/index.ts'
import type { LogRecord, PastCause, StreamRecord } from '../../streams/index.ts'
import { type Fault, idFault, keyFault } from '../ids.ts'
import { type Keeping, pairKey, parsePair, tooOld } from '../keeping.ts'
import { decidePayment, decideRefund, paymentResult, refundResult } from './decide-payment.ts'
import type { PaymentRule } from './rules.ts'

export type PaymentCommand =
  | { readonly kind: 'PAY'; readonly command: PaymentRequested }
  | { readonly kind: 'REFUND'; readonly command: PaymentRefund }

/** What the sandbox uses; `topologies/payment-sandbox.ts` gives it. */
export interface PaymentContext {
  readonly stores: {
    readonly payments: KeyValueStore<string, SandboxPayment>
    readonly refunds: KeyValueStore<[orderId: string, refundId: string], SandboxRefund>
  }
  readonly emit: {
    readonly paid: (orderId: string, result: PaymentResult) => void
    readonly refunded: (orderId: string, result: PaymentRefundResult) => void
  }
  /** Answer a payment, a refund; forget them. */
  readonly timers: {
    readonly payment: TimerHandle
    readonly refund: TimerHandle
    readonly forgetPayment: TimerHandle
    readonly forgetRefund: TimerHandle
  }
  readonly wallTime: number
  deadLetter(reason: string, message: string): void
  causedBy(cause: PastCause): void
  dropped(reason: string): void
}

export interface PaymentSandbox {
  readonly process: (record: StreamRecord<string, PaymentCommand>, context: PaymentContext) => void
  readonly answerPayment: (orderId: string, context: PaymentContext) => void
  readonly answerRefund: (key: string, context: PaymentContext) => void
  readonly forgetPayment: (orderId: string, context: PaymentContext) => void
  readonly forgetRefund: (key: string, context: PaymentContext) => void
}

export function paymentSandboxKeeper(keeping: Keeping, rule: PaymentRule): PaymentSandbox {
  return {
    process({ key: orderId, value, timestamp, origin }, context) {
      const fault = paymentFault(orderId, value) ?? tooOld(keeping, timestamp, context.wallTime)
      if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
      const asked = { keeping, rule, origin }
      if (value.kind === 'PAY') pay(asked, value.command, context)
      else payBack(asked, value.command, context)
    },
    answerPayment,
    answerRefund,
    forgetPayment: (orderId, { stores }) => stores.payments.delete(orderId),
    forgetRefund: (key, { stores }) => stores.refunds.delete(parsePair(key)),
  }
}

export function paymentFault(key: string, { kind, command }: PaymentCommand): Fault | undefined {
  const wrong = keyFault(key, 'orderId', command.orderId)
  const wrongId = wrong ?? (kind === 'REFUND' ? idFault('refundId', command.refundId) : undefined)
  if (wrongId !== undefined || command.amount >= 1) return wrongId
  return { reason: 'InvalidAmount', message: `amount is ${command.amount}` }
}

interface Asked {
  readonly keeping: Keeping
  readonly rule: PaymentRule
  /** Of the command. */
  readonly origin: LogRecord
}

function pay({ keeping, rule, origin }: Asked, command: PaymentRequested, context: PaymentContext): void {
  const { orderId } = command
  const { stores, timers, emit, wallTime } = context
  const before = stores.payments.get(orderId)
  const { handling, payment, delayMs } = decidePayment(rule, before, command)
  if (handling === 'OUTDATED') return context.dropped('OutdatedPayment')
  if (payment !== before) {
    const asked = handling === 'NEW' ? pastCauseOf(origin) : payment.command
    stores.payments.put(orderId, { ...payment, command: asked })
    timers.forgetPayment.schedule(orderId, wallTime + keeping.keepDoneMs)
  }
  if (handling === 'REPEAT') emit.paid(orderId, paymentResult(orderId, payment))
  if (handling !== 'NEW') return
  if (delayMs === 0) answerPayment(orderId, context)
  else timers.payment.schedule(orderId, wallTime + delayMs)
}

/** As often as the rule said; also what the durable timer `payment` of an order does. */
function answerPayment(orderId: string, context: PaymentContext): void {
  const { stores, emit } = context
  const payment = stores.payments.get(orderId)
  if (payment === undefined || payment.answered) return
  stores.payments.put(orderId, { ...payment, answered: true })
  if (payment.command !== null) context.causedBy(payment.command)
  for (let i = 0; i < payment.answers; i++) emit.paid(orderId, paymentResult(orderId, payment))
}

function payBack({ keeping, rule, origin }: Asked, command: PaymentRefund, context: PaymentContext): void {
  const { orderId, refundId } = command
  const { stores, timers, emit, wallTime } = context
  const key: [string, string] = [orderId, refundId]
  const before = stores.payments.get(orderId)
  const known = stores.refunds.get(key)
  const { handling, payment, refund, delayMs } = decideRefund(rule, before, known, command)
  if (payment !== undefined && payment !== before) stores.payments.put(orderId, payment)
  if (handling === 'REPEAT') emit.refunded(orderId, refundResult(orderId, refundId, refund))
  if (handling !== 'NEW') return
  stores.refunds.put(key, { ...refund, command: pastCauseOf(origin) })
  timers.forgetRefund.schedule(pairKey(key), wallTime + keeping.keepDoneMs)
  if (delayMs === 0) answerRefund(pairKey(key), context)
  else timers.refund.schedule(pairKey(key), wallTime + delayMs)
}

/** As often as the rule said; also what the durable timer `refund` of a refund does. */
function answerRefund(timerKey: string, context: PaymentContext): void {
  const { stores, emit } = context
  const key = parsePair(timerKey)
  const refund = stores.refunds.get(key)
  if (refund === undefined || refund.answered) return
  stores.refunds.put(key, { ...refund, answered: true })
  if (refund.command !== null) context.causedBy(refund.command)
  const [orderId, refundId] = key
  for (let i = 0; i < refund.answers; i++) emit.refunded(orderId, refundResult(orderId, refundId, refund))
}
