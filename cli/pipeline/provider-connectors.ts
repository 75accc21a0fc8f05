/** Payment provider and courier over HTTP, by configuration. */
import type { PrivacyPort } from '../../api/index.ts'
import type { Config } from '../../config/index.ts'
import {
  type AddressOpener,
  type Connector,
  courierConnector,
  paymentConnector,
} from '../../connectors/index.ts'
import type { Topics } from '../../schemas/index.ts'
import { isStreamsError } from '../../streams/index.ts'

/** What a courier needs of the running shop. */
export interface CourierShop {
  /** Questions are answered with `TASK_NOT_HERE` until it is there. */
  readonly pipeline: Pick<PrivacyPort, 'opener'>
  /** Whether the keys of users whose tasks run elsewhere are read along, as far as they were there at the start. */
  readonly keysKnown: () => boolean
}

/** Those that have addresses, where the shop takes orders. */
export function providerConnectors(config: Config, topics: Topics, shop: CourierShop): readonly Connector[] {
  const { orders, payments, deliveries } = config
  if (!orders.enabled) return []
  const connectors: Connector[] = []
  if (payments.url !== undefined) {
    connectors.push(paymentConnector({ ...addressOf(payments, payments.url), topics }))
  }
  if (deliveries.url !== undefined) {
    const openAddress = openerOf(shop)
    connectors.push(courierConnector({ ...addressOf(deliveries, deliveries.url), topics, openAddress }))
  }
  return connectors
}

function addressOf({ token, timeoutMs, connections }: Config['payments' | 'deliveries'], url: string) {
  return { url, token: token?.reveal(), timeoutMs, connections }
}

function openerOf({ pipeline, keysKnown }: CourierShop): AddressOpener {
  return ({ orderId, customerId }, sealed) => {
    try {
      return pipeline.opener(customerId)({ kind: 'order.shipTo', orderId }, sealed)
    } catch (error) {
      // Another process has the user, and no copy of a key is there any more: the person was erased.
      if (isStreamsError(error, 'TASK_NOT_HERE') && keysKnown()) return undefined
      throw error
    }
  }
}
