/** The connectors of the shop, by configuration. */
import type { PrivacyPort } from '../../api/index.ts'
import type { Config } from '../../config/index.ts'
import { type Connector, courierConnector, paymentConnector } from '../../connectors/index.ts'
import type { Topics } from '../../schemas/index.ts'

export interface ConnectorParts {
  readonly config: Config
  /** With the serdes of this deployment. */
  readonly topics: Topics
  /** Asked by a task for what is sealed. Absent: nothing is delivered, only what there is is asked for. */
  readonly opener?: PrivacyPort['opener'] | undefined
}

/** Pure: a connector opens what it needs when a task of its own arrives. */
export function connectorsOf(parts: ConnectorParts): readonly Connector[] {
  return [...(parts.config.orders.enabled ? providersOf(parts) : [])]
}

/** Payment provider and courier, where they have addresses. */
function providersOf({ config, topics, opener }: ConnectorParts): readonly Connector[] {
  const { payments, deliveries } = config
  const connectors: Connector[] = []
  if (payments.url !== undefined) {
    const { url, token, timeoutMs, connections } = payments
    connectors.push(paymentConnector({ url, token: token?.reveal(), timeoutMs, connections, topics }))
  }
  if (deliveries.url !== undefined) {
    const { url, token, timeoutMs, connections } = deliveries
    connectors.push(
      courierConnector({
        url,
        token: token?.reveal(),
        timeoutMs,
        connections,
        topics,
        openAddress: ({ orderId, customerId }, sealed) =>
          opener?.(customerId)({ kind: 'order.shipTo', orderId }, sealed),
      }),
    )
  }
  return connectors
}
