/** A log that is in the data directory, together with the tasks' state: one process, one LevelDB. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { HealthCheck } from '../../api/index.ts'
import { type Config, ConfigError } from '../../config/index.ts'
import { DATA_PLATFORM, groupOf } from '../../connectors/index.ts'
import { systemClock } from '../../streams/index.ts'
import { notifier, ORDER_LINES } from '../../topologies/index.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../transports/embedded/index.ts'
import { DirectoryError } from '../errors.ts'
import { refuseMigrated } from './migration/directory-mark.ts'
import { EmbeddedEraser } from './privacy/embedded-eraser.ts'
import { embeddedMasterKeys } from './privacy/master-key.ts'
import { configFor, type DirectoryMode } from './recorded.ts'
import type { DirectoryOptions, ShopDirectory, ShopLog } from './shop-log.ts'
import { watchers } from './topologies.ts'

const MODE = 'cli.mode'
const CURSOR_SECRET = 'cli.cursor-secret'
const CURSOR_SECRET_BYTES = 32

/** Rejects with what `openEmbeddedLog` rejects with, and a `DirectoryError` where the directory has another mode. */
export async function openEmbeddedDirectory(options: DirectoryOptions): Promise<ShopDirectory> {
  const { config, telemetry } = options
  refuseRegistry(config)
  const log = await openEmbeddedLog({
    directory: config.dataDir,
    application: config.application,
    hooks: telemetry.log,
    ...config.log,
  })
  try {
    await refuseMigrated(log)
    // Switched off, nobody must hold records for ever; on again, they begin with what is there.
    await forgetSwitchedOff(log, config)
    const eraser = new EmbeddedEraser({
      log,
      directory: config.dataDir,
      clock: systemClock,
      onFault: (err) =>
        telemetry.logger.warn({ err }, 'deleted keys are not swept; the next start tries again'),
    })
    return {
      mode: await settleMode(log, options.mode),
      cursorSecret: await cursorSecret(log),
      sealing: { masterKeys: await embeddedMasterKeys(config), eraser },
      openLog: () => Promise.resolve(shopLog(log, config)),
      backup: (directory) => log.backup(directory),
      async close() {
        await eraser.close()
        await log.close()
      },
    }
  } catch (error) {
    await log.close()
    throw error
  }
}

async function forgetSwitchedOff(log: EmbeddedLog, config: Config): Promise<void> {
  const platform = [ORDER_LINES, groupOf({ name: DATA_PLATFORM })].map((name) => ({
    name,
    internalTopics: [],
  }))
  const off = [
    ...watchers(config).off,
    ...(config.notifier.enabled ? [] : [notifier()]),
    ...(config.dataPlatform.target === 'off' ? platform : []),
  ]
  for (const { name: topology, internalTopics } of off) {
    const request = {
      topology,
      internalTopics: internalTopics.map(({ name }) => name),
      intermediateTopics: [],
    }
    await log.resetTopology(request, { dryRun: false })
  }
}

/** Throws a `DirectoryError` where there is no data directory: a command that looks at one must not make it. */
export function assertDirectory({ dataDir }: Config): void {
  if (existsSync(dataDir)) return
  throw new DirectoryError(`there is no data directory ${dataDir}; see --data-dir`)
}

/** A log that no process has open, for a command that works on it. */
export interface OfflineLog {
  readonly log: EmbeddedLog
  readonly mode: DirectoryMode
  /** As the directory's mode changes it. */
  readonly config: Config
}

/**
 * Throws a `DirectoryError` where there is no data directory, and what `openEmbeddedLog` throws. Without `checkTables` a
 * damaged row is found only when it is read.
 */
export async function openOfflineLog(config: Config, { checkTables = true } = {}): Promise<OfflineLog> {
  assertDirectory(config)
  const { dataDir: directory, application } = config
  const log = await openEmbeddedLog({ directory, application, housekeepingIntervalMs: 0, checkTables })
  const mode = (await log.setting(MODE)) === 'as-recorded' ? 'as-recorded' : 'live'
  return { log, mode, config: configFor(mode, config) }
}

/** Its records have the ids of this program; those of a registry would mean something else. */
function refuseRegistry({ registry }: Config): void {
  if (registry.url === undefined) return
  const message = 'is for Kafka mode; give kafka.brokers as well, or leave it out'
  throw new ConfigError([{ key: 'registry.url', origin: 'configuration', message }])
}

function shopLog(log: EmbeddedLog, { commitIntervalMs }: Config): ShopLog {
  return {
    log,
    engine: { commitIntervalMs },
    isShared: false,
    rows: (task) => log.taskState(task),
    checks: () => [roomCheck(log)],
    facts() {
      const { waiting, bytesOnDisk, maxDiskBytes } = log.stats()
      return {
        waitingRecords: waiting.records,
        waitingBytes: waiting.bytes,
        diskBytes: bytesOnDisk,
        diskLimitBytes: maxDiskBytes,
      }
    },
  }
}

function roomCheck(log: EmbeddedLog): HealthCheck {
  const { bytesOnDisk, maxDiskBytes } = log.stats()
  return { name: 'disk', ok: bytesOnDisk < maxDiskBytes, detail: `${bytesOnDisk} of ${maxDiskBytes} bytes` }
}

/** A directory keeps the mode it was made with: the windows that another one dropped are gone. */
async function settleMode(log: EmbeddedLog, wanted: DirectoryMode | undefined): Promise<DirectoryMode> {
  const setting = await log.setting(MODE)
  const found = setting === 'as-recorded' || setting === 'live' ? setting : undefined
  const mode = found ?? wanted ?? 'live'
  if (wanted !== undefined && wanted !== mode) {
    const how = mode === 'as-recorded' ? 'by replay --as-recorded' : 'without --as-recorded'
    throw new DirectoryError(`the data directory was made ${how}; use another --data-dir`)
  }
  if (found === undefined) await log.putSetting(MODE, mode)
  return mode
}

/** Drawn once and kept in the log, so that a cursor outlives the process that made it. */
async function cursorSecret(log: EmbeddedLog): Promise<Buffer> {
  const kept = await log.setting(CURSOR_SECRET)
  if (typeof kept === 'string') return Buffer.from(kept, 'base64')
  const fresh = randomBytes(CURSOR_SECRET_BYTES)
  await log.putSetting(CURSOR_SECRET, fresh.toString('base64'))
  return fresh
}
