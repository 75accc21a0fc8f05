/** Payments over HTTP: makes the calls of the payment gateway. The contract is in `docs/providers.md`. */
import type { PaymentCall, PaymentCallResult, Topics } from '../../schemas/index.ts'
import type { Connector } from '../frame/connector.ts'
import type { CallMaker } from '../providers/calls.ts'
import {
  type CallOutcome,
  codeOf,
  type Json,
  type ProviderClient,
  type ProviderRequest,
} from '../providers/client.ts'
import { type ProviderOptions, providerConnector } from '../providers/connector.ts'

export interface PaymentConnectorOptions extends ProviderOptions {
  /** With this deployment's schema ids. */
  readonly topics: Pick<Topics, 'paymentCallRequested' | 'paymentCallResult'>
}

const MAX_KEY_CHARS = 200

export function paymentConnector(options: PaymentConnectorOptions): Connector {
  const { paymentCallRequested, paymentCallResult } = options.topics
  const maker = (client: ProviderClient): CallMaker<PaymentCall, PaymentCallResult> => ({
    topic: paymentCallResult,
    make: (call, signal) => client.call(requestOf(call), signal),
    answer: paymentAnswer,
  })
  const topics = { input: paymentCallRequested, output: paymentCallResult }
  return providerConnector({ name: 'payment', ...topics, options, maker })
}

function requestOf(call: PaymentCall): ProviderRequest {
  const { kind, orderId, idempotencyKey, userId, refundId, paymentKey, amount, currency, deadline } = call
  switch (kind) {
    case 'CHARGE': {
      const until = deadline === null ? null : new Date(deadline).toISOString()
      const body = { orderId, userId, amount, currency, deadline: until }
      return { method: 'POST', path: '/charges', idempotencyKey, body }
    }
    case 'REFUND': {
      const body = { orderId, refundId, paymentKey, amount, currency }
      return { method: 'POST', path: '/refunds', idempotencyKey, body }
    }
    default:
      // What a later version asks for is at least looked up.
      return { method: 'GET', path: `/charges/${idempotencyKey}` }
  }
}

/** What the log is told of a call. */
export function paymentAnswer(call: PaymentCall, outcome: CallOutcome): PaymentCallResult {
  const { kind, orderId, idempotencyKey, attempt, refundId } = call
  const news: PaymentCallResult = {
    kind: kind === 'REFUND' ? 'REFUND' : 'CHARGE',
    orderId,
    idempotencyKey,
    attempt,
    status: 'UNKNOWN',
    paymentKey: null,
    refundId,
    amount: null,
    code: null,
    retryAfterMs: null,
    eventId: null,
  }
  switch (outcome.kind) {
    case 'answer':
      return { ...news, ...saidOf(call, outcome.body) }
    case 'refused':
      // Of a lookup it says nothing about what was looked up.
      return { ...news, status: kind === 'LOOKUP' ? 'UNKNOWN' : 'FAILED', code: outcome.code }
    case 'none':
      return { ...news, status: kind === 'LOOKUP' ? 'NOT_FOUND' : 'UNKNOWN', code: outcome.code }
    case 'unknown':
    case 'away':
      return { ...news, code: outcome.code, retryAfterMs: outcome.retryAfterMs }
  }
}

type Said = Pick<PaymentCallResult, 'status'> & Partial<PaymentCallResult>

function saidOf({ kind, currency }: PaymentCall, body: Json): Said {
  const { status, paymentKey, amount } = body
  const code = codeOf(body['code']) ?? null
  if (status === 'PENDING') return { status }
  const name = isName(paymentKey) ? paymentKey : null
  if (status === 'FAILED') return { status, code, paymentKey: name }
  if (status !== 'SUCCEEDED') return { status: 'UNKNOWN', code: 'UNREADABLE' }
  if (body['currency'] !== currency) return { status: 'UNKNOWN', code: 'WRONG_CURRENCY' }
  const isAmount = typeof amount === 'number' && Number.isSafeInteger(amount) && amount > 0
  if (!isAmount || (kind !== 'REFUND' && name === null)) return { status: 'UNKNOWN', code: 'UNREADABLE' }
  return { status, paymentKey: name, amount }
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_KEY_CHARS
}
