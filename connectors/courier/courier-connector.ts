/**
 * Deliveries over HTTP: makes the calls of the delivery gateway. The contract is in `docs/providers.md`.
 *
 * An address is opened here, for the one call that needs it, and is nowhere else in the clear.
 */
import {
  type DeliveryCall,
  type DeliveryCallResult,
  type DeliveryCallStatus,
  SealingError,
  type Topics,
} from '../../schemas/index.ts'
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

/**
 * Opens an order's sealed address: its JSON; nothing where there is no key to it, because it is on its way or the person
 * was erased. Throws where the keys cannot be looked at now.
 */
export type AddressOpener = (
  of: Pick<DeliveryCall, 'orderId' | 'customerId'>,
  sealed: Buffer,
) => string | undefined

export interface CourierConnectorOptions extends ProviderOptions {
  /** With this deployment's schema ids. */
  readonly topics: Pick<Topics, 'deliveryCallRequested' | 'deliveryCallResult'>
  readonly openAddress: AddressOpener
}

const MAX_ID_CHARS = 200
/** Calls, with their waits between, for which a key that is not there is looked for. */
const KEY_LOOKS = 5

export function courierConnector(options: CourierConnectorOptions): Connector {
  const { deliveryCallRequested, deliveryCallResult } = options.topics
  const maker = (client: ProviderClient): CallMaker<DeliveryCall, DeliveryCallResult> => ({
    topic: deliveryCallResult,
    make(call, signal) {
      const request = requestOf(call, options.openAddress)
      if (request === 'close') return closed(call, client, signal)
      return 'kind' in request ? Promise.resolve(request) : client.call(request, signal)
    },
    answer: deliveryAnswer,
  })
  const topics = { input: deliveryCallRequested, output: deliveryCallResult }
  return providerConnector({ name: 'courier', ...topics, options, maker })
}

/** Where its address does not open: what is known without a call, or that its key is to be closed. */
function requestOf(call: DeliveryCall, openAddress: AddressOpener): ProviderRequest | CallOutcome | 'close' {
  const { kind, orderId, idempotencyKey, customerId } = call
  if (kind === 'CANCEL') return cancelOf(call)
  if (kind !== 'SHIP') return lookupOf(call)
  const shipTo = addressOf(call, openAddress)
  if (shipTo === 'close' || 'kind' in shipTo) return shipTo
  const body = { orderId, customerId, shipTo: shipTo.address }
  return { method: 'POST', path: '/shipments', idempotencyKey, body }
}

function cancelOf({ orderId, idempotencyKey }: DeliveryCall): ProviderRequest {
  return { method: 'POST', path: `/shipments/${idempotencyKey}/cancel`, idempotencyKey, body: { orderId } }
}

function lookupOf({ idempotencyKey }: DeliveryCall): ProviderRequest {
  return { method: 'GET', path: `/shipments/${idempotencyKey}` }
}

/**
 * Nobody can send it any more, but an earlier call may have done so, without an answer. A cancel says so, and closes the
 * key for what is still on its way; what is on the road is looked up.
 */
async function closed(call: DeliveryCall, client: ProviderClient, signal: AbortSignal): Promise<CallOutcome> {
  const cancelled = await client.call(cancelOf(call), signal)
  if (cancelled.kind !== 'answer') return cancelled.kind === 'away' ? cancelled : unknown(cancelled.code)
  switch (cancelled.body['status']) {
    case 'CANCELLED':
      return { kind: 'refused', code: 'ADDRESS_ERASED' }
    case 'TOO_LATE':
      return client.call(lookupOf(call), signal)
    default:
      return unknown('UNREADABLE')
  }
}

function unknown(code: string): CallOutcome {
  return { kind: 'unknown', code, retryAfterMs: null }
}

function addressOf(
  call: DeliveryCall,
  openAddress: AddressOpener,
): { readonly address: Json } | CallOutcome | 'close' {
  try {
    // The gateway asks for none without.
    if (call.shipTo === null) return { kind: 'refused', code: 'NO_ADDRESS' }
    const text = openAddress(call, call.shipTo)
    if (text === undefined) return withoutKey(call)
    return { address: JSON.parse(text) as Json }
  } catch (error) {
    if (error instanceof SealingError) return { kind: 'refused', code: 'ADDRESS_UNREADABLE' }
    // Keys that are not here now, or not configured: nothing was asked for.
    return { kind: 'away', code: 'ADDRESS_NOT_HERE', retryAfterMs: null }
  }
}

/** A key that is not there may be on its way still, for a while. After that nobody can send it, now or later. */
function withoutKey({ attempt }: DeliveryCall): CallOutcome | 'close' {
  return attempt > KEY_LOOKS ? 'close' : unknown('ADDRESS_KEY_MISSING')
}

/** What the log is told of a call. */
export function deliveryAnswer(call: DeliveryCall, outcome: CallOutcome): DeliveryCallResult {
  const { kind, orderId, idempotencyKey, attempt } = call
  const news: DeliveryCallResult = {
    kind: kind === 'CANCEL' ? 'CANCEL' : 'SHIPMENT',
    orderId,
    idempotencyKey,
    attempt,
    status: 'UNKNOWN',
    deliveryId: null,
    code: null,
    retryAfterMs: null,
    eventId: null,
  }
  switch (outcome.kind) {
    case 'answer':
      return { ...news, ...saidOf(call, outcome.body) }
    case 'refused':
      // Of a lookup or a cancel it says nothing about the shipment.
      return { ...news, status: kind === 'SHIP' ? 'FAILED' : 'UNKNOWN', code: outcome.code }
    case 'none':
      return { ...news, status: kind === 'LOOKUP' ? 'NOT_FOUND' : 'UNKNOWN', code: outcome.code }
    case 'unknown':
    case 'away':
      return { ...news, code: outcome.code, retryAfterMs: outcome.retryAfterMs }
  }
}

const STATES: ReadonlySet<unknown> = new Set(['ACCEPTED', 'STARTED', 'DELIVERED', 'FAILED', 'CANCELLED'])

function saidOf(
  { kind }: DeliveryCall,
  body: Json,
): Pick<DeliveryCallResult, 'status' | 'deliveryId' | 'code'> {
  const { status, deliveryId } = body
  const isName = typeof deliveryId === 'string' && deliveryId.length > 0 && deliveryId.length <= MAX_ID_CHARS
  const name = isName ? deliveryId : null
  const isKnown = kind === 'CANCEL' ? status === 'CANCELLED' || status === 'TOO_LATE' : STATES.has(status)
  if (!isKnown) return { status: 'UNKNOWN', deliveryId: null, code: 'UNREADABLE' }
  return { status: status as DeliveryCallStatus, deliveryId: name, code: codeOf(body['code']) ?? null }
}
