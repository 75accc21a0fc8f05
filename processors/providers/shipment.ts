/**
 * An order's shipment at a courier that may be silent, as far as the shop knows it. Pure.
 *
 *     (none) ── request ──► ASKING ──► ACCEPTED ──► STARTED ──► DELIVERED | FAILED
 *     (none) ── cancel ───► CANCELLED             (a tombstone: a request that comes after it is not sent)
 *     ASKING | ACCEPTED ── cancel, the courier says so ──► CANCELLED
 *     FAILED | CANCELLED ── request of a higher epoch ──► ASKING
 *
 * 1. News only go forward: late, repeated and reordered ones change nothing.
 * 2. While it is ASKING, or a cancel is, it is asked for: nothing but the courier's word ends it. A shipment that the
 *    courier has is looked at now and then, for news that were lost.
 * 3. A cancel is settled by the first that holds: the courier called it off (CANCELLED), it had failed (CANCELLED), it
 *    was under way (TOO_LATE).
 */
import type {
  DeliveryCallKind,
  DeliveryCallResult,
  DeliveryCallStatus,
  DeliveryCancelResult,
  DeliveryRequested,
  DeliveryResult,
  GatewayDelivery,
} from '../../schemas/index.ts'
import { asked, beginAsking, notAsked } from './asking.ts'
import { idempotencyKey } from './idempotency.ts'

export const noShipment: GatewayDelivery = Object.freeze({
  epoch: -1,
  idempotencyKey: '',
  customerId: '',
  shipTo: null,
  state: 'UNKNOWN',
  deliveryId: '',
  reason: null,
  cancel: 'NONE',
  asking: notAsked,
  command: null,
  cancelCommand: null,
  elsewhere: null,
})

/** `NEW` is asked for, `REPEAT` is told as it is, `WAIT` when there are news. */
export type ShipmentHandling = 'NEW' | 'REPEAT' | 'WAIT'

export function requestShipment(
  before: GatewayDelivery,
  { orderId, customerId, shipTo, epoch }: DeliveryRequested,
  now: number,
): { readonly handling: ShipmentHandling; readonly shipment: GatewayDelivery } {
  const { state } = before
  if (!isAnew(before, epoch)) {
    const silent = state === 'ASKING' || state === 'ACCEPTED'
    return { handling: silent ? 'WAIT' : 'REPEAT', shipment: before }
  }
  const shipment: GatewayDelivery = {
    ...noShipment,
    epoch,
    idempotencyKey: idempotencyKey('shipment', orderId, epoch),
    customerId,
    shipTo,
    asking: beginAsking(before.asking, now),
  }
  if (shipTo !== null) return { handling: 'NEW', shipment: { ...shipment, state: 'ASKING' } }
  return { handling: 'REPEAT', shipment: { ...shipment, state: 'FAILED', reason: 'NO_ADDRESS' } }
}

/** A cancel before any request has no epoch: it stands against the first one. */
function isAnew({ state, epoch: known }: GatewayDelivery, epoch: number): boolean {
  if (state === 'UNKNOWN') return true
  const ended = state === 'FAILED' || state === 'CANCELLED'
  return ended && (known >= 0 ? epoch > known : epoch > 0)
}

/** `NEW` is asked for, `REPEAT` is told as it is, `WAIT` when it is known. */
export function requestCancel(
  before: GatewayDelivery,
  now: number,
): { readonly handling: ShipmentHandling; readonly shipment: GatewayDelivery } {
  switch (before.state) {
    case 'UNKNOWN':
      return { handling: 'REPEAT', shipment: { ...before, state: 'CANCELLED', cancel: 'CANCELLED' } }
    case 'FAILED':
    case 'CANCELLED':
      return { handling: 'REPEAT', shipment: { ...before, cancel: 'CANCELLED' } }
    case 'STARTED':
    case 'DELIVERED':
      return { handling: 'REPEAT', shipment: { ...before, cancel: 'TOO_LATE' } }
    case 'ASKING':
    case 'ACCEPTED':
      if (before.cancel === 'ASKING') return { handling: 'WAIT', shipment: before }
      return {
        handling: 'NEW',
        shipment: { ...before, cancel: 'ASKING', asking: beginAsking(before.asking, now) },
      }
  }
}

/** The next call; none where nothing is to be known any more. */
export function shipmentCall(
  before: GatewayDelivery,
  now: number,
): { readonly kind: Exclude<DeliveryCallKind, 'UNKNOWN'>; readonly shipment: GatewayDelivery } | undefined {
  const kind = callKind(before)
  return kind === undefined ? undefined : { kind, shipment: { ...before, asking: asked(before.asking, now) } }
}

function callKind({ state, cancel }: GatewayDelivery): 'SHIP' | 'LOOKUP' | 'CANCEL' | undefined {
  if (cancel === 'ASKING') return 'CANCEL'
  if (state === 'ASKING') return 'SHIP'
  return state === 'ACCEPTED' || state === 'STARTED' ? 'LOOKUP' : undefined
}

/** Whether an order waits for the courier's word. */
export function isUnknown({ state, cancel }: Pick<GatewayDelivery, 'state' | 'cancel'>): boolean {
  return state === 'ASKING' || cancel === 'ASKING'
}

/** How far news of one shipment have come: they only go forward. */
export function newsRank(state: GatewayDelivery['state']): number {
  return RANK[state]
}

const RANK: Readonly<Record<GatewayDelivery['state'], number>> = {
  UNKNOWN: 0,
  ASKING: 0,
  ACCEPTED: 1,
  STARTED: 2,
  DELIVERED: 3,
  FAILED: 3,
  CANCELLED: 3,
}

/** The state that news speak of; none where they say nothing of it. */
const STATES: Readonly<Partial<Record<DeliveryCallStatus, GatewayDelivery['state']>>> = {
  ACCEPTED: 'ACCEPTED',
  STARTED: 'STARTED',
  DELIVERED: 'DELIVERED',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
}

/** What news make of it: `MOVED`, to be asked again, or nothing. */
export type ShipmentHeard =
  | { readonly kind: 'MOVED' | 'AGAIN'; readonly shipment: GatewayDelivery }
  | { readonly kind: 'IGNORED'; readonly why: 'StaleAnswer' | 'RepeatedAnswer' }

export function hearOfShipment(
  before: GatewayDelivery,
  news: DeliveryCallResult,
  now: number,
): ShipmentHeard {
  const { status, attempt, deliveryId } = news
  const state = stateOf(before, news)
  if (status === 'TOO_LATE' && before.cancel === 'ASKING') {
    const asking = beginAsking(before.asking, now)
    return { kind: 'MOVED', shipment: { ...before, cancel: 'TOO_LATE', asking } }
  }
  if (state !== undefined && RANK[state] > RANK[before.state]) {
    const reason = state === 'FAILED' ? (news.code ?? 'FAILED') : before.reason
    const moved = { ...before, state, reason, deliveryId: deliveryId ?? before.deliveryId, shipTo: null }
    return { kind: 'MOVED', shipment: settled(moved, now) }
  }
  if (attempt === 0) return { kind: 'IGNORED', why: 'RepeatedAnswer' }
  if (attempt !== before.asking.attempt) return { kind: 'IGNORED', why: 'StaleAnswer' }
  if (callKind(before) === undefined) return { kind: 'IGNORED', why: 'RepeatedAnswer' }
  // The same state again is an answer all the same.
  const silentSince = state === undefined || isUnknown(before) ? before.asking.silentSince : now
  return { kind: 'AGAIN', shipment: { ...before, asking: { ...before.asking, silentSince } } }
}

/** A parcel that comes back on its way has failed; a cancel that is refused without a word says nothing. */
function stateOf(
  before: GatewayDelivery,
  { kind, status }: DeliveryCallResult,
): GatewayDelivery['state'] | undefined {
  if (kind === 'CANCEL' && status !== 'CANCELLED') return undefined
  if (status === 'CANCELLED' && before.state === 'STARTED') return 'FAILED'
  return STATES[status]
}

/** What has moved ends a cancel that waits. */
function settled(moved: GatewayDelivery, now: number): GatewayDelivery {
  const asking = beginAsking(moved.asking, now)
  if (moved.cancel !== 'ASKING' || moved.state === 'ACCEPTED') return { ...moved, asking }
  const called = moved.state === 'CANCELLED' || moved.state === 'FAILED'
  return { ...moved, asking, cancel: called ? 'CANCELLED' : 'TOO_LATE' }
}

/** What orders are told of it; one that is called off is told as FAILED to whoever asks for it again. */
export function shipmentResult(
  orderId: string,
  { state, deliveryId, idempotencyKey: key, reason }: GatewayDelivery,
): DeliveryResult | undefined {
  const news = { orderId, deliveryId: deliveryId || key }
  switch (state) {
    case 'STARTED':
    case 'DELIVERED':
      return { ...news, status: state, reason: null }
    case 'FAILED':
      return { ...news, status: 'FAILED', reason }
    case 'CANCELLED':
      return { ...news, status: 'FAILED', reason: 'CANCELLED' }
    default:
      return undefined
  }
}

export function cancelResult(
  orderId: string,
  { cancel, deliveryId, state }: GatewayDelivery,
): DeliveryCancelResult | undefined {
  if (cancel !== 'CANCELLED' && cancel !== 'TOO_LATE') return undefined
  const reason = cancel === 'TOO_LATE' ? state : null
  return { orderId, deliveryId: deliveryId === '' ? null : deliveryId, status: cancel, reason }
}
