/**
 * The delivery gateway: what orders ask a courier for goes out as calls, which a connector makes; news come as answers
 * and by webhook, and are told once. It asks until it knows. Addresses stay sealed.
 */
import type {
  DeliveryCall,
  DeliveryCallResult,
  DeliveryCancel,
  DeliveryCancelResult,
  DeliveryRequested,
  DeliveryResult,
  GatewayDelivery,
  Incident,
} from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import type { LogRecord, PastCause, StreamRecord } from '../../streams/index.ts'
import { pastCauseOf } from '../../streams/kit/index.ts'
import { keyFault } from '../ids.ts'
import { tooOld } from '../keeping.ts'
import type { DeliveryCommand } from '../sandboxes/keep-deliveries.ts'
import { answerBy, askAgainAt, type AskingRules, beginAsking } from './asking.ts'
import { calledOffElsewhere, mayHaveBeenAnswered, shippedElsewhere, wasAnswered } from './elsewhere.ts'
import { idempotencyKey } from './idempotency.ts'
import { type About, alarmIfOverdue, allClear } from './incidents.ts'
import type { GatewayRules } from './payment-context.ts'
import {
  cancelResult,
  hearOfShipment,
  isUnknown,
  noShipment,
  requestCancel,
  requestShipment,
  shipmentCall,
  shipmentResult,
} from './shipment.ts'

export type DeliveryGatewayMessage =
  | DeliveryCommand
  | { readonly kind: 'NEWS'; readonly command: DeliveryCallResult }
  | TopicResult

/** What orders are told, by whoever answers them: also by the gateway itself. */
type TopicResult =
  | { readonly kind: 'SENT'; readonly command: DeliveryResult }
  | { readonly kind: 'CALLED_OFF'; readonly command: DeliveryCancelResult }

export interface DeliveryGatewayRules extends GatewayRules {
  /** How a shipment that the courier has is looked at, for news that were lost. */
  readonly looking: AskingRules
}

/** What the gateway uses; `topologies/delivery-gateway.ts` gives it. */
export interface DeliveryGatewayContext {
  readonly stores: { readonly shipments: KeyValueStore<string, GatewayDelivery> }
  readonly emit: {
    readonly call: (orderId: string, call: DeliveryCall) => void
    readonly news: (orderId: string, result: DeliveryResult) => void
    readonly cancelled: (orderId: string, result: DeliveryCancelResult) => void
    readonly incident: (key: string, incident: Incident) => void
  }
  /** Ask anew; forget what was. */
  readonly timers: { readonly shipment: TimerHandle; readonly forget: TimerHandle }
  readonly wallTime: number
  deadLetter(reason: string, message: string): void
  causedBy(cause: PastCause): void
  dropped(reason: string): void
}

export interface DeliveryGateway {
  readonly process: (
    record: StreamRecord<string, DeliveryGatewayMessage>,
    context: DeliveryGatewayContext,
  ) => void
  readonly askForShipment: (orderId: string, context: DeliveryGatewayContext) => void
  readonly forget: (orderId: string, context: DeliveryGatewayContext) => void
}

export function deliveryGatewayKeeper(rules: DeliveryGatewayRules): DeliveryGateway {
  return {
    process({ key: orderId, value, timestamp, origin }, context) {
      if (value.kind === 'SENT' || value.kind === 'CALLED_OFF') {
        return heed(rules, orderId, value, origin, context)
      }
      const old = value.kind === 'NEWS' ? undefined : tooOld(rules.keeping, timestamp, context.wallTime)
      const fault = keyFault(orderId, 'orderId', value.command.orderId) ?? old
      if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
      if (value.kind === 'SEND') send(rules, value.command, origin, context)
      else if (value.kind === 'CANCEL') callOff(rules, value.command, origin, context)
      else hear(rules, value.command, origin, context)
    },
    askForShipment: (orderId, context) => askAgain(rules, orderId, context),
    forget(orderId, { stores, timers, wallTime }) {
      const shipment = stores.shipments.get(orderId)
      if (shipment === undefined || !isUnknown(shipment)) return stores.shipments.delete(orderId)
      timers.forget.schedule(orderId, wallTime + rules.keeping.keepDoneMs)
    },
  }
}

function send(
  rules: DeliveryGatewayRules,
  command: DeliveryRequested,
  origin: LogRecord,
  context: DeliveryGatewayContext,
): void {
  const { orderId } = command
  const found = context.stores.shipments.get(orderId)
  const before = found ?? noShipment
  if (wasAnswered(before.elsewhere, origin)) {
    context.dropped('AnsweredElsewhere')
    if (command.epoch > before.epoch) settledElsewhere(rules, before, command, origin, context)
    return
  }
  const fault = found === undefined ? mayHaveBeenAnswered(rules, origin, context.wallTime) : undefined
  if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
  const { handling, shipment } = requestShipment(before, command, context.wallTime)
  const kept = shipment === before ? before : { ...shipment, command: pastCauseOf(origin) }
  if (handling === 'NEW') return ask(rules, orderId, kept, context)
  if (kept !== before) keep(rules, orderId, kept, context)
  const result = handling === 'REPEAT' ? shipmentResult(orderId, kept) : undefined
  if (result !== undefined) context.emit.news(orderId, result)
}

/** Whoever answered may have been the same courier, before a reset: what is under way is looked at under its key. */
function settledElsewhere(
  rules: DeliveryGatewayRules,
  before: GatewayDelivery,
  { orderId, customerId, epoch }: DeliveryRequested,
  origin: LogRecord,
  context: DeliveryGatewayContext,
): void {
  const key = idempotencyKey('shipment', orderId, epoch)
  const asking = beginAsking(before.asking, context.wallTime)
  const known = { ...before, epoch, idempotencyKey: key, customerId, asking, command: pastCauseOf(origin) }
  keep(rules, orderId, known, context)
  if (shipmentCall(known, context.wallTime) !== undefined) putOff(rules, orderId, known, null, context)
}

function callOff(
  rules: DeliveryGatewayRules,
  { orderId }: DeliveryCancel,
  origin: LogRecord,
  context: DeliveryGatewayContext,
): void {
  const before = context.stores.shipments.get(orderId) ?? noShipment
  if (wasAnswered(before.elsewhere, origin)) return context.dropped('AnsweredElsewhere')
  const { handling, shipment } = requestCancel(before, context.wallTime)
  if (handling === 'WAIT') return
  const kept = { ...shipment, cancelCommand: pastCauseOf(origin) }
  if (handling === 'NEW') return ask(rules, orderId, kept, context)
  keep(rules, orderId, kept, context)
  const result = cancelResult(orderId, kept)
  if (result !== undefined) context.emit.cancelled(orderId, result)
}

/**
 * A result on the topic: the gateway's own has its row already, and changes nothing. Those who take results put aside
 * what is wrong with one.
 */
function heed(
  rules: DeliveryGatewayRules,
  orderId: string,
  { kind, command }: TopicResult,
  origin: LogRecord,
  context: DeliveryGatewayContext,
): void {
  if (command.orderId !== orderId) return context.dropped('UnknownResult')
  const before = context.stores.shipments.get(orderId)
  if (before !== undefined && before.elsewhere === null) return
  const told =
    kind === 'SENT' ? shippedElsewhere(before, command, origin) : calledOffElsewhere(before, command, origin)
  keep(rules, orderId, told, context)
}

/** The durable timer `shipment` of an order: no answer, or none that ends it. */
function askAgain(rules: DeliveryGatewayRules, orderId: string, context: DeliveryGatewayContext): void {
  const before = context.stores.shipments.get(orderId)
  if (before === undefined) return
  const asking = alarmIfOverdue(rulesFor(rules, before), before.asking, about(orderId), context)
  ask(rules, orderId, { ...before, asking }, context)
}

/** Does nothing where there is nothing more to be known. */
function ask(
  rules: DeliveryGatewayRules,
  orderId: string,
  before: GatewayDelivery,
  context: DeliveryGatewayContext,
): void {
  const { emit, timers, wallTime } = context
  const call = shipmentCall(before, wallTime)
  if (call === undefined) return
  const { kind, shipment } = call
  const { idempotencyKey, customerId, shipTo, asking } = shipment
  const expiresAt = answerBy(rules.asking, wallTime)
  keep(rules, orderId, shipment, context)
  const at = askAgainAt(rulesFor(rules, shipment), asking, idempotencyKey, null, expiresAt)
  timers.shipment.schedule(orderId, at)
  emit.call(orderId, {
    kind,
    orderId,
    idempotencyKey,
    attempt: asking.attempt,
    customerId,
    shipTo: kind === 'SHIP' ? shipTo : null,
    expiresAt,
  })
}

function hear(
  rules: DeliveryGatewayRules,
  news: DeliveryCallResult,
  origin: LogRecord,
  context: DeliveryGatewayContext,
): void {
  const { orderId } = news
  const before = context.stores.shipments.get(orderId)
  if (before === undefined || before.idempotencyKey !== news.idempotencyKey) {
    return context.dropped('UnexpectedAnswer')
  }
  // It was another courier's.
  if (news.status === 'NOT_FOUND' && before.elsewhere !== null) return context.timers.shipment.cancel(orderId)
  const heard = hearOfShipment(before, news, context.wallTime)
  if (heard.kind === 'IGNORED') return context.dropped(heard.why)
  const { shipment } = heard
  const silent = shipment.asking.silentSince === before.asking.silentSince
  const known = heard.kind === 'MOVED' ? !isUnknown(shipment) : !silent
  const asking = known ? allClear(shipment.asking, about(orderId), context, origin) : shipment.asking
  const after = { ...shipment, asking }
  if (heard.kind === 'MOVED') return move(rules, orderId, before, after, context)
  keep(rules, orderId, after, context)
  putOff(rules, orderId, after, news.retryAfterMs, context)
}

/** It has moved: whoever waits is told, and it is looked at again in time, or at once where a cancel came too late. */
function move(
  rules: DeliveryGatewayRules,
  orderId: string,
  before: GatewayDelivery,
  after: GatewayDelivery,
  context: DeliveryGatewayContext,
): void {
  const { emit, timers } = context
  if (before.cancel === 'ASKING' && after.cancel === 'TOO_LATE' && after.state === before.state) {
    ask(rules, orderId, after, context)
  } else {
    keep(rules, orderId, after, context)
    if (shipmentCall(after, context.wallTime) === undefined) timers.shipment.cancel(orderId)
    else putOff(rules, orderId, after, null, context)
  }
  if (after.cancel !== before.cancel) {
    const result = cancelResult(orderId, after)
    if (after.cancelCommand !== null) context.causedBy(after.cancelCommand)
    if (result !== undefined) emit.cancelled(orderId, result)
  }
  // What was called off is told by the cancel's answer.
  if (after.state === before.state || (after.state === 'CANCELLED' && after.cancel !== 'NONE')) return
  const result = shipmentResult(orderId, after)
  if (result === undefined) return
  if (after.command !== null) context.causedBy(after.command)
  emit.news(orderId, result)
}

function putOff(
  rules: DeliveryGatewayRules,
  orderId: string,
  shipment: GatewayDelivery,
  retryAfterMs: number | null,
  { timers, wallTime }: DeliveryGatewayContext,
): void {
  const { asking, idempotencyKey } = shipment
  const at = askAgainAt(rulesFor(rules, shipment), asking, idempotencyKey, retryAfterMs, wallTime)
  timers.shipment.schedule(orderId, at)
}

function rulesFor(rules: DeliveryGatewayRules, shipment: GatewayDelivery): AskingRules {
  return isUnknown(shipment) ? rules.asking : rules.looking
}

function keep(
  { keeping }: DeliveryGatewayRules,
  orderId: string,
  row: GatewayDelivery,
  { stores, timers, wallTime }: DeliveryGatewayContext,
): void {
  stores.shipments.put(orderId, row)
  timers.forget.schedule(orderId, wallTime + keeping.keepDoneMs)
}

function about(orderId: string): About {
  const detail = 'the courier does not say how the shipment is'
  return { invariant: 'DELIVERY_UNKNOWN', subject: orderId, detail }
}
