/** The catalogue of topics with the schema ids of this deployment: those of a registry, or those of this program. */
import type { Config } from '../../config/index.ts'
import { openRegistrySchemas } from '../../connectors/index.ts'
import { createTopics, type Topics, topics as embeddedTopics } from '../../schemas/index.ts'
import type { Telemetry } from '../../telemetry/index.ts'
import { registryAddress } from '../registry.ts'

export interface ShopTopics {
  readonly topics: Topics
  /** Idempotent. */
  close(): Promise<void>
}

/**
 * Waits for a registry that gives no answer, until `signal` fires. Rejects with what `openRegistrySchemas` rejects with,
 * and a `UsageError`.
 */
export async function openTopics(
  config: Config,
  { logger }: Pick<Telemetry, 'logger'>,
  signal: AbortSignal,
): Promise<ShopTopics> {
  const registry = registryAddress(config)
  if (registry === undefined) return { topics: embeddedTopics, close: () => Promise.resolve() }
  const schemas = await openRegistrySchemas({
    registry,
    register: config.registry.register,
    signal,
    onUnavailable: (error, retryInMs) =>
      logger.warn({ err: error, retryInMs }, 'the schema registry is away'),
  })
  return { topics: createTopics(schemas), close: () => schemas.close() }
}
