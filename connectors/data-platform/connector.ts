/** The data platform as a connector: topics in, one target per task, a database that all of them share. */
import type { Topics } from '../../schemas/index.ts'
import type { Connector, DeliveryPolicy } from '../frame/connector.ts'
import type { Database } from './database.ts'
import { migrate } from './migrations.ts'
import { SharedDatabase } from './shared-database.ts'
import { allTables } from './tables.ts'
import { DataPlatformTarget, reachable } from './target.ts'

export const DATA_PLATFORM = 'data-platform'

export interface DataPlatformOptions {
  readonly application: string
  readonly topics: Topics
  /** Called when a task needs one and none of the others has it open. */
  readonly database: () => Database
  readonly delivery?: Partial<DeliveryPolicy> | undefined
}

export function dataPlatform({ application, topics, database, delivery }: DataPlatformOptions): Connector {
  const tableOf = new Map(allTables.map((table) => [topics[table.topic].name, table]))
  const shared = new SharedDatabase(database)
  return {
    name: DATA_PLATFORM,
    inputs: allTables.map(({ topic }) => topics[topic]),
    delivery,
    async open({ partitions, topicId }) {
      const share = shared.share()
      try {
        await reachable(() => migrate(share, application))
        return await DataPlatformTarget.open({ application, topicId, database: share, tableOf, partitions })
      } catch (error) {
        await share.close()
        throw error
      }
    },
  }
}
