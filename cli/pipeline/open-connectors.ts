/** The connectors of a shop, and the bindings to the shops that it serves. */
import type { Closing } from '../closing.ts'
import { Bindings, bindingTopicSpecs } from './bindings.ts'
import { type ConnectorShop, connectorsOf } from './connectors.ts'
import { addressesBy, type KeyedShop } from './privacy/open-sealed.ts'
import { RunningConnectors } from './running-connectors.ts'
import type { ShopBase } from './shop-base.ts'

/** They deliver as soon as it is known which of them are paused. */
export async function openConnectors(
  base: ShopBase,
  shop: ConnectorShop,
  closing: Closing,
): Promise<RunningConnectors> {
  const { config, topics, shopLog, telemetry, clock } = base
  const bindings = await openBindings(base, shop)
  closing.add('bindings', () => bindings.close())
  const connectors = await RunningConnectors.open({
    application: config.application,
    connectors: [...connectorsOf({ config, topics, shop }), ...bindings.connectors],
    log: shopLog.log,
    topics,
    clock,
    random: Math.random,
    telemetry,
  })
  closing.add('connectors', () => connectors.close())
  return connectors
}

async function openBindings(base: ShopBase, shop: KeyedShop): Promise<Bindings> {
  const { config, profiles, shopLog, telemetry, clock } = base
  const { log } = shopLog
  await log.ensureTopics(bindingTopicSpecs(config, profiles))
  return new Bindings({
    profiles,
    log,
    clock,
    addresses: addressesBy(shop),
    currency: config.shop.currency,
    onFault: (topic, fault) =>
      telemetry.logger.warn({ topic, err: fault }, 'what profiles look into cannot be read on'),
  })
}
