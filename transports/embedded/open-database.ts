import { openLevelDb } from '../../state/index.ts'
import { type EmbeddedLogOptions, limitsOf } from './options.ts'
import type { LogDatabase } from './storage.ts'

/** The database of a log, with the log's limits. Throws what `openLevelDb` throws. */
export function openDatabase(options: EmbeddedLogOptions): Promise<LogDatabase> {
  const limits = limitsOf(options)
  return openLevelDb(options.directory, {
    application: options.application,
    writeBufferSize: limits.writeBufferBytes,
    cacheSize: limits.blockCacheBytes,
    maxOpenFiles: limits.maxOpenFiles,
    checkTables: options.checkTables ?? true,
  })
}
