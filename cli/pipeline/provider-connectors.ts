/** Payment provider and courier over HTTP, by configuration. */
import type { Config } from '../../config/index.ts'
import {
  type AddressOpener,
  type Connector,
  courierConnector,
  paymentConnector,
} from '../../connectors/index.ts'
import type { Topics } from '../../schemas/index.ts'
import { type KeyedShop, openSealed } from './privacy/open-sealed.ts'

/** Those that have addresses, where the shop takes orders. */
export function providerConnectors(config: Config, topics: Topics, shop: KeyedShop): readonly Connector[] {
  const { orders, payments, deliveries } = config
  if (!orders.enabled) return []
  const connectors: Connector[] = []
  if (payments.url !== undefined) {
    connectors.push(paymentConnector({ ...addressOf(payments, payments.url), topics }))
  }
  if (deliveries.url !== undefined) {
    // A key that is not there is looked for by later calls: none is waited for here.
    const openAddress: AddressOpener = ({ orderId, customerId: userId }, sealed) =>
      openSealed(shop, { kind: 'order.shipTo', userId, orderId }, sealed)
    connectors.push(courierConnector({ ...addressOf(deliveries, deliveries.url), topics, openAddress }))
  }
  return connectors
}

function addressOf({ token, timeoutMs, connections }: Config['payments' | 'deliveries'], url: string) {
  return { url, token: token?.reveal(), timeoutMs, connections }
}
