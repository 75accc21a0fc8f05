/**
 * The payment gateway: what orders ask a payment provider for goes out as calls, which a connector makes; what comes of
 * them, or by webhook, is told once. It asks until it knows.
 *
 * Its job: which call is to be made when, and what news mean. Not its job: HTTP.
 */
import type { PaymentCallResult, PaymentRefundResult, PaymentResult } from '../../schemas/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { keyFault } from '../ids.ts'
import { parsePair, tooOld } from '../keeping.ts'
import { paymentFault, type PaymentCommand } from '../sandboxes/keep-payments.ts'
import { askForChargeAgain, charge, forgetCharge, heardOfCharge, paidElsewhere } from './keep-charges.ts'
import { askForRefundAgain, forgetRefund, heardOfRefund, paidBackElsewhere, payBack } from './keep-refunds.ts'
import { forgetPayment, type PaymentGatewayContext, type PaymentGatewayRules } from './payment-context.ts'

export type PaymentGatewayMessage =
  | PaymentCommand
  | { readonly kind: 'NEWS'; readonly command: PaymentCallResult }
  | TopicResult

/** What orders are told, by whoever answers them: also by the gateway itself. */
type TopicResult =
  | { readonly kind: 'PAID'; readonly command: PaymentResult }
  | { readonly kind: 'REFUNDED'; readonly command: PaymentRefundResult }

export interface PaymentGateway {
  readonly process: (
    record: StreamRecord<string, PaymentGatewayMessage>,
    context: PaymentGatewayContext,
  ) => void
  readonly askForCharge: (orderId: string, context: PaymentGatewayContext) => void
  readonly askForRefund: (key: string, context: PaymentGatewayContext) => void
  readonly forgetCharge: (orderId: string, context: PaymentGatewayContext) => void
  readonly forgetPayment: (key: string, context: PaymentGatewayContext) => void
  readonly forgetRefund: (key: string, context: PaymentGatewayContext) => void
}

export function paymentGatewayKeeper(rules: PaymentGatewayRules): PaymentGateway {
  return {
    process({ key: orderId, value, timestamp, origin }, context) {
      if (value.kind === 'NEWS') {
        const fault = keyFault(orderId, 'orderId', value.command.orderId)
        if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
        return hear(rules, value.command, origin, context)
      }
      if (value.kind === 'PAID' || value.kind === 'REFUNDED')
        return heed(rules, orderId, value, origin, context)
      const fault = paymentFault(orderId, value) ?? tooOld(rules.keeping, timestamp, context.wallTime)
      if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
      if (value.kind === 'PAY') charge(rules, value.command, origin, context)
      else payBack(rules, value.command, origin, context)
    },
    askForCharge: (orderId, context) => askForChargeAgain(rules, orderId, context),
    askForRefund: (key, context) => askForRefundAgain(rules, parsePair(key), context),
    forgetCharge: (orderId, context) => forgetCharge(rules, orderId, context),
    forgetPayment: (key, context) => forgetPayment(rules, parsePair(key), context),
    forgetRefund: (key, context) => forgetRefund(rules, parsePair(key), context),
  }
}

/** Those who take results put aside what is wrong with one. */
function heed(
  rules: PaymentGatewayRules,
  orderId: string,
  { kind, command }: TopicResult,
  origin: StreamRecord<string, unknown>['origin'],
  context: PaymentGatewayContext,
): void {
  if (command.orderId !== orderId || command.status === 'UNKNOWN') return context.dropped('UnknownResult')
  if (kind === 'PAID') paidElsewhere(rules, command, origin, context)
  else paidBackElsewhere(rules, command, origin, context)
}

function hear(
  rules: PaymentGatewayRules,
  news: PaymentCallResult,
  origin: StreamRecord<string, unknown>['origin'],
  context: PaymentGatewayContext,
): void {
  if (news.kind === 'CHARGE') heardOfCharge(rules, news, origin, context)
  else if (news.kind === 'REFUND') heardOfRefund(rules, news, origin, context)
  else context.dropped('UnknownNews')
}
