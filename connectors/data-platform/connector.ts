/** The data platform as a connector: topics in, one target per task, a database that all of them share. */
import type { Topics } from '../../schemas/index.ts'
import type { Connector, DeliveryPolicy } from '../frame/connector.ts'
import type { Database } from './database.ts'
import { migrate } from './migrations.ts'
import type { PositionsOptions } from './positions.ts'
import { allTables } from './tables.ts'
import { DataPlatformTarget, reachable } from './target.ts'

export const DATA_PLATFORM = 'data-platform'

export interface DataPlatformOptions extends PositionsOptions {
  readonly topics: Topics
  /** The caller's, who closes it after the connector. */
  readonly database: Database
  readonly delivery?: Partial<DeliveryPolicy> | undefined
}

export function dataPlatform({ topics, database, delivery, ...positions }: DataPlatformOptions): Connector {
  const tableOf = new Map(allTables.map((table) => [topics[table.topic].name, table]))
  let migrated: Promise<void> | undefined
  return {
    name: DATA_PLATFORM,
    inputs: allTables.map(({ topic }) => topics[topic]),
    delivery,
    async open({ partitions }) {
      migrated ??= migrate(database)
      // Whoever opens next tries it again.
      await reachable(() => migrated as Promise<void>).catch((error: unknown) => {
        migrated = undefined
        throw error
      })
      return DataPlatformTarget.open({ ...positions, database, tableOf, partitions })
    },
  }
}
