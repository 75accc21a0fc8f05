/** A courier to try orders with: deliveries start, arrive, are refused, lost and called off by a rule. */
import {
  deliverAll,
  type DeliveryCommand,
  type DeliveryRule,
  deliverySandboxKeeper,
  type Keeping,
  keepingOf,
} from '../processors/index.ts'
import {
  type DeliveryCancelResult,
  type DeliveryResult,
  type SandboxDelivery,
  sandboxDeliverySchema,
  stateSerde,
  topics,
  upcastOf,
} from '../schemas/index.ts'
import { keyValueStore } from '../state/index.ts'
import { processor, shape, type Topology, topology } from '../streams/index.ts'

export interface DeliverySandboxOptions extends Partial<Keeping> {
  /** What becomes of each delivery; all start after a second and arrive a minute later unless told. */
  readonly rule?: DeliveryRule
}

/** Deliveries by orderId. */
export const sandboxDeliveryStore = keyValueStore<SandboxDelivery>({
  name: 'sandbox-deliveries',
  value: stateSerde(sandboxDeliverySchema),
  version: sandboxDeliverySchema.version,
  upcast: upcastOf(sandboxDeliverySchema),
})

/** A command that says nothing, or for no order, is a fault of whoever sent it. */
const source = { onNullKey: 'dead-letter', onNullValue: 'dead-letter' } as const

/** Declares the sandbox. Throws a `RangeError` for durations that cannot be. */
export function deliverySandbox(options: DeliverySandboxOptions = {}): Topology {
  const sandbox = sandboxOf(keepingOf(options), options.rule ?? deliverAll)
  return topology('delivery-sandbox', (t) => {
    const requests = t
      .stream(topics.deliveryRequested, source)
      .mapValues((command): DeliveryCommand => ({ kind: 'SEND', command }), { name: 'requests' })
    const cancels = t
      .stream(topics.deliveryCancelRequested, source)
      .mapValues((command): DeliveryCommand => ({ kind: 'CANCEL', command }), { name: 'cancels' })
    const answers = requests.merge(cancels).process(sandbox)
    answers.news.to(topics.deliveryResult)
    answers.cancelled.to(topics.deliveryCancelResult)
  })
}

function sandboxOf(keeping: Keeping, rule: DeliveryRule) {
  const keeper = deliverySandboxKeeper(keeping, rule)
  return processor({
    name: 'delivery-keeper',
    input: shape<string, DeliveryCommand>(),
    stores: { deliveries: sandboxDeliveryStore },
    outputs: { news: shape<string, DeliveryResult>(), cancelled: shape<string, DeliveryCancelResult>() },
    timers: { next: 'wall', forget: 'wall' },
    process: keeper.process,
    onTimer: { next: keeper.next, forget: keeper.forget },
  })
}
