/** The data platform by configuration: its database and its connector. */
import { join } from 'node:path'
import type { Config } from '../../config/index.ts'
import {
  type Connector,
  type Database,
  dataPlatform,
  pgliteDatabase,
  postgresDatabase,
} from '../../connectors/index.ts'
import type { Topics } from '../../schemas/index.ts'
import { UsageError } from '../errors.ts'

/** Throws a `UsageError` where there is none. Opens nothing. */
export function platformDatabase({ dataPlatform: settings, dataDir }: Config): Database {
  const { target, url, tls, tlsCaFile: caFile, connections, statementTimeoutMs } = settings
  if (target === 'pglite') return pgliteDatabase(join(dataDir, 'data-platform'))
  if (target === 'off' || url === undefined)
    throw new UsageError('there is no data platform: set dataPlatform.target to pglite or postgres')
  return postgresDatabase({
    url: url.reveal(),
    connections,
    statementTimeoutMs,
    ...(tls ? { tls: { caFile } } : {}),
  })
}

/** Nothing where it is off. */
export function platformConnector(config: Config, topics: Topics): Connector | undefined {
  const { target, batchRecords, statementTimeoutMs } = config.dataPlatform
  if (target === 'off') return undefined
  return dataPlatform({
    application: config.application,
    topics,
    database: () => platformDatabase(config),
    // Some statements make a delivery.
    delivery: { batchRecords, timeoutMs: 4 * statementTimeoutMs },
  })
}
