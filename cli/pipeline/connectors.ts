/** The connectors of the shop, by configuration. */
import type { Config } from '../../config/index.ts'
import type { Connector } from '../../connectors/index.ts'
import { type Topics, topics as catalogue } from '../../schemas/index.ts'
import { systemClock } from '../../streams/index.ts'
import { mailConnectorOf, type MailShop, sendsMail } from './mail.ts'
import { platformConnector } from './platform-connector.ts'
import { providerConnectors } from './provider-connectors.ts'

export interface ConnectorParts {
  readonly config: Config
  /** With the serdes of this deployment. */
  readonly topics: Topics
  /** What runs them; nobody runs those that are asked for their topics alone. */
  readonly shop: ConnectorShop
}

/** The running shop, as connectors need it. */
export type ConnectorShop = MailShop

/** Pure: a connector opens what it needs when a task of its own arrives. */
export function connectorsOf({ config, topics, shop }: ConnectorParts): readonly Connector[] {
  const mail = sendsMail(config) ? mailConnectorOf(config, topics, shop) : undefined
  const others = [mail, platformConnector(config, topics)].filter((one) => one !== undefined)
  return [...others, ...providerConnectors(config, topics, shop)]
}

/** Those that are asked for their names and topics alone. */
export function connectorsNotRun(config: Config): readonly Connector[] {
  return connectorsOf({ config, topics: catalogue, shop: noShop })
}

const noShop: ConnectorShop = {
  clock: systemClock,
  pipeline: { opener: notRunning, titles: notRunning },
  keysKnown: notRunning,
}

function notRunning(): never {
  throw new Error('the connector does not run')
}
