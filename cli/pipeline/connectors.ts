/** The connectors of the shop, by configuration. */
import type { Config } from '../../config/index.ts'
import type { Connector } from '../../connectors/index.ts'
import type { Topics } from '../../schemas/index.ts'
import { platformConnector } from './platform-connector.ts'

export interface ConnectorParts {
  readonly config: Config
  /** With the serdes of this deployment. */
  readonly topics: Topics
}

/** Pure: a connector opens what it needs when a task of its own arrives. */
export function connectorsOf({ config, topics }: ConnectorParts): readonly Connector[] {
  return [platformConnector(config, topics)].filter((one) => one !== undefined)
}
