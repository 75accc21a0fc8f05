/** The data platform as commands need it: its database, and the log behind it. */
import type { Config } from '../../config/index.ts'
import { allTables, type Database } from '../../connectors/index.ts'
import { type Topics, topics as catalogue } from '../../schemas/index.ts'
import type { Log } from '../../streams/index.ts'
import { createLogger } from '../../telemetry/index.ts'
import { Closing } from '../closing.ts'
import type { Context } from '../context.ts'
import { openOfflineLog } from './embedded-shop-log.ts'
import { openToolLog } from './kafka-topics.ts'
import { platformDatabase } from './platform-connector.ts'
import { openTopics } from './shop-topics.ts'
import { topicSpecs } from './topic-specs.ts'

export interface OpenedPlatform {
  readonly config: Config
  readonly database: Database
  readonly topics: Topics
  readonly log: Log
}

/**
 * A platform for a command, with the log behind it: embedded, no process may have it open; on Kafka, others may run.
 * Rejects with a `UsageError`, a `DirectoryError` and what the log rejects with.
 */
export async function withPlatform<T>(
  context: Pick<Context, 'version' | 'stop'>,
  given: Config,
  work: (platform: OpenedPlatform) => Promise<T>,
): Promise<T> {
  const closing = new Closing()
  try {
    // First: a platform that is off needs no log.
    const unopened = platformDatabase(given)
    const { log, config } = await openLog(given, context.version)
    closing.add('log', () => log.close())
    closing.add('database', () => unopened.close())
    const logger = createLogger({ level: 'warn', format: 'text' })
    const schemas = await openTopics(config, { logger }, context.stop)
    closing.add('schemas', () => schemas.close())
    const { topics } = schemas
    return await work({ config, database: unopened, topics, log })
  } finally {
    await closing.close()
  }
}

async function openLog(given: Config, version: string): Promise<{ log: Log; config: Config }> {
  if (given.kafka.brokers.length === 0) return openOfflineLog(given)
  const log = await openToolLog(given, version, 'data-platform', { mayCreate: () => false })
  const specOf = topicSpecs(given)
  const inputs = allTables.map(({ topic }) => catalogue[topic])
  await log.ensureTopics(
    inputs.map(({ name, cleanup, timestamps }) => specOf({ name, role: 'source', cleanup, timestamps })),
  )
  return { log, config: given }
}
