/**
 * Deliveries by a courier over HTTP: in place of the delivery sandbox. What is asked for goes out as
 * `delivery.call.requested` to the connector; `delivery.call.result` brings what the courier says, also by webhook. See
 * `docs/providers.md`.
 */
import {
  type AskingRules,
  askingRulesOf,
  type DeliveryGatewayMessage,
  deliveryGatewayKeeper,
  type DeliveryGatewayRules,
  type Keeping,
  keepingOf,
} from '../processors/index.ts'
import {
  type DeliveryCall,
  type DeliveryCancelResult,
  type DeliveryResult,
  type GatewayDelivery,
  gatewayDeliverySchema,
  type Incident,
  stateSerde,
  topics,
  upcastOf,
} from '../schemas/index.ts'
import { keyValueStore } from '../state/index.ts'
import { processor, shape, type Topology, topology } from '../streams/index.ts'

export interface DeliveryGatewayOptions extends Partial<Keeping> {
  readonly asking?: Partial<AskingRules>
  /** How often a shipment that the courier has is looked at: at first, and at most, milliseconds; 1 min and 1 h. */
  readonly lookMs?: number
  readonly maxLookMs?: number
  /**
   * How long the log has what others answered, milliseconds; for ever unless told. A command that is older, and of which
   * nothing is known, is refused: whether it was answered is not known either.
   */
  readonly answersMs?: number
}

const MINUTE_MS = 60_000
/** Looks without an answer until there is an incident. */
const SILENT_LOOKS = 3

/** Shipments by orderId. */
export const gatewayDeliveryStore = keyValueStore<GatewayDelivery>({
  name: 'gateway-shipments',
  value: stateSerde(gatewayDeliverySchema),
  version: gatewayDeliverySchema.version,
  upcast: upcastOf(gatewayDeliverySchema),
})

/** A command that says nothing, or for no order, is a fault of whoever sent it. */
const source = { onNullKey: 'dead-letter', onNullValue: 'dead-letter' } as const

/** What somebody else answered is known before any command is judged; who takes results puts aside what is wrong. */
const answers = { bootstrap: true, onUndecodable: 'skip', onBadTimestamp: 'clamp' } as const

/** Declares the gateway. Throws a `RangeError` for durations that cannot be. */
export function deliveryGateway(options: DeliveryGatewayOptions = {}): Topology {
  const gateway = gatewayOf(rulesOf(options))
  return topology('delivery-gateway', (t) => {
    const requests = t
      .stream(topics.deliveryRequested, source)
      .mapValues((command): DeliveryGatewayMessage => ({ kind: 'SEND', command }), { name: 'requests' })
    const cancels = t
      .stream(topics.deliveryCancelRequested, source)
      .mapValues((command): DeliveryGatewayMessage => ({ kind: 'CANCEL', command }), { name: 'cancels' })
    const news = t
      .stream(topics.deliveryCallResult, source)
      .mapValues((command): DeliveryGatewayMessage => ({ kind: 'NEWS', command }), { name: 'news' })
    const sent = t
      .stream(topics.deliveryResult, answers)
      .mapValues((command): DeliveryGatewayMessage => ({ kind: 'SENT', command }), { name: 'sent' })
    const calledOff = t
      .stream(topics.deliveryCancelResult, answers)
      .mapValues((command): DeliveryGatewayMessage => ({ kind: 'CALLED_OFF', command }), {
        name: 'called-off',
      })
    const out = requests.merge(cancels).merge(news).merge(sent).merge(calledOff).process(gateway)
    out.call.to(topics.deliveryCallRequested)
    out.news.to(topics.deliveryResult)
    out.cancelled.to(topics.deliveryCancelResult)
    out.incident.to(topics.opsIncident)
  })
}

function rulesOf(options: DeliveryGatewayOptions): DeliveryGatewayRules {
  const { lookMs = MINUTE_MS, maxLookMs = 60 * MINUTE_MS, answersMs = Number.POSITIVE_INFINITY } = options
  const asking = askingRulesOf(options.asking ?? {})
  const alarmMs = Math.max(asking.alarmMs, SILENT_LOOKS * (maxLookMs + asking.answerMs))
  const looking = askingRulesOf({ ...asking, backoffMs: lookMs, maxBackoffMs: maxLookMs, alarmMs })
  return { keeping: keepingOf(options), asking, answersMs, looking }
}

function gatewayOf(rules: DeliveryGatewayRules) {
  const keeper = deliveryGatewayKeeper(rules)
  return processor({
    name: 'shipment-asker',
    input: shape<string, DeliveryGatewayMessage>(),
    stores: { shipments: gatewayDeliveryStore },
    outputs: {
      call: shape<string, DeliveryCall>(),
      news: shape<string, DeliveryResult>(),
      cancelled: shape<string, DeliveryCancelResult>(),
      incident: shape<string, Incident>(),
    },
    timers: { shipment: 'wall', forget: 'wall' },
    process: keeper.process,
    onTimer: { shipment: keeper.askForShipment, forget: keeper.forget },
  })
}
