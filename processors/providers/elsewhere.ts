/**
 * Commands that somebody else has answered: the sandbox, or a provider on the topics, before there was an address. They
 * are settled: nothing is asked for, and nothing is told, for the answer is in the log.
 *
 * Results are read before commands (`bootstrap`), so whatever was answered when the gateway began is known by then.
 */
import type {
  AnswerElsewhere,
  DeliveryCancelResult,
  DeliveryResult,
  GatewayCharge,
  GatewayDelivery,
  GatewayRefund,
  PaymentRefundResult,
  PaymentResult,
} from '../../schemas/index.ts'
import type { LogRecord } from '../../streams/index.ts'
import { notAsked } from './asking.ts'
import type { Fault } from '../ids.ts'
import type { GatewayRules } from './payment-context.ts'
import { newsRank, noShipment } from './shipment.ts'

/** Commands whose answers are known by name; of older ones the time has to do. */
const ANSWERED = 8

/**
 * Of a row that somebody else's answer made. An answer names its command; where it does not, it is none to a command that
 * is newer, as far as the clocks of who wrote them agree.
 */
export function wasAnswered(elsewhere: AnswerElsewhere | null | undefined, command: LogRecord): boolean {
  if (elsewhere === null || elsewhere === undefined) return false
  const { at, to } = elsewhere
  const { timestamp, lineage } = command
  if (lineage !== undefined && to.includes(lineage.eventId)) return true
  return timestamp < at || (timestamp === at && to.length === 0)
}

/** Of a command of which nothing is known: whether an answer to it may be gone. */
export function mayHaveBeenAnswered(
  { answersMs }: Pick<GatewayRules, 'answersMs'>,
  { timestamp }: LogRecord,
  wallTime: number,
): Fault | undefined {
  const age = wallTime - timestamp
  if (age < answersMs) return undefined
  return { reason: 'TooOld', message: `${age} ms old, and answers are known for ${answersMs} ms` }
}

function answerOf(
  { timestamp, lineage }: LogRecord,
  before: AnswerElsewhere | null | undefined,
): AnswerElsewhere {
  const { at, to } = before ?? { at: timestamp, to: [] }
  const answered = lineage?.causationId
  const known = answered === undefined || to.includes(answered) ? to : [...to, answered]
  return { at: Math.max(at, timestamp), to: known.slice(-ANSWERED) }
}

/** Money that was taken stays the answer, whatever is told after it. */
export function chargedElsewhere(
  before: GatewayCharge | undefined,
  { paymentKey, amount, status, failureCode }: PaymentResult,
  currency: string,
  origin: LogRecord,
): GatewayCharge {
  const terms = { epoch: 0, userId: '', amount, currency, deadline: 0, command: null }
  const known: GatewayCharge = before ?? { ...noCharge, terms }
  const elsewhere = answerOf(origin, before?.elsewhere)
  if (status === 'SUCCESS') return { ...known, state: 'SUCCEEDED', paymentKey, failureCode: null, elsewhere }
  if (known.state === 'SUCCEEDED') return { ...known, elsewhere }
  return { ...known, state: 'FAILED', paymentKey, failureCode, elsewhere }
}

const noCharge: Omit<GatewayCharge, 'terms'> = Object.freeze({
  idempotencyKey: '',
  state: 'FAILED',
  lookOnly: false,
  paymentKey: null,
  failureCode: null,
  asking: notAsked,
  next: null,
  elsewhere: null,
})

export function refundedElsewhere(
  before: GatewayRefund | undefined,
  { paymentKey, amount, status, reason }: PaymentRefundResult,
  origin: LogRecord,
): GatewayRefund {
  const elsewhere = answerOf(origin, before?.elsewhere)
  if (before?.state === 'REFUNDED') return { ...before, elsewhere }
  // Each that failed had a key of its own.
  const newest = elsewhere.to.at(-1)
  const isAnother = newest !== undefined && before?.elsewhere?.to.includes(newest) === false
  const tries = before === undefined ? 0 : before.tries + (isAnother ? 1 : 0)
  const state = status === 'REFUNDED' ? 'REFUNDED' : 'FAILED'
  const known = { paymentKey, amount, state, reason, elsewhere } as const
  return { ...known, tries, asking: notAsked, command: null, counted: state === 'REFUNDED' }
}

/** News of one parcel only go forward; those of another replace them. */
export function shippedElsewhere(
  before: GatewayDelivery = noShipment,
  { deliveryId, status, reason }: DeliveryResult,
  origin: LogRecord,
): GatewayDelivery {
  const elsewhere = answerOf(origin, before.elsewhere)
  if (status === 'UNKNOWN') return { ...before, elsewhere }
  const same = before.deliveryId === deliveryId
  if (same && newsRank(status) <= newsRank(before.state)) return { ...before, elsewhere }
  return { ...before, state: status, deliveryId, reason, elsewhere }
}

/** What was too late to be called off is under way. */
export function calledOffElsewhere(
  before: GatewayDelivery = noShipment,
  { status, deliveryId }: DeliveryCancelResult,
  origin: LogRecord,
): GatewayDelivery {
  const row = { ...before, elsewhere: answerOf(origin, before.elsewhere) }
  if (status === 'CANCELLED') return { ...row, state: 'CANCELLED', cancel: 'CANCELLED' }
  if (status !== 'TOO_LATE') return row
  const state = before.state === 'UNKNOWN' ? 'STARTED' : before.state
  return { ...row, state, deliveryId: deliveryId ?? before.deliveryId, cancel: 'TOO_LATE' }
}
