/**
 * A log on a Kafka cluster: the data directory holds what this process can have again from there (the tasks' databases)
 * and what makes it itself (its slot in the groups, its secret).
 *
 *     <dataDir>/                 a LevelDB without rows: marker and lock, as every database of this program has them
 *     <dataDir>/slot             place in the groups, where the configuration names none
 *     <dataDir>/cursor-secret    where processes share none
 *     <dataDir>/tasks/           a database per task
 */
import { createHmac, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Config } from '../../config/index.ts'
import { type LevelDatabase, openLevelDb } from '../../state/index.ts'
import { type KafkaLog, type KafkaLogOptions, openKafkaLog } from '../../transports/kafka/index.ts'
import { Closing } from '../closing.ts'
import { UsageError } from '../errors.ts'
import { connectionOptions } from './kafka-connection.ts'
import { type KeptValue, keptValue } from './kept-file.ts'
import { configuredMasterKeys } from './privacy/master-key.ts'
import type { DirectoryOptions, ShopDirectory, ShopLog } from './shop-log.ts'
import { TaskStores } from './task-stores.ts'

/** The directory's own database stays empty: LevelDB's least will do. */
const LOCK_DATABASE = { writeBufferSize: 65_536, cacheSize: 65_536, maxOpenFiles: 20 }
const SLOT: KeptValue = {
  name: 'slot',
  pattern: /^[A-Za-z0-9_-]{1,64}$/,
  draw: () => randomBytes(4).toString('hex'),
}
const CURSOR_SECRET: KeptValue = {
  name: 'cursor-secret',
  pattern: /^[0-9a-f]{64}$/,
  draw: () => randomBytes(32).toString('hex'),
}
/** A transaction costs as much for few records as for many: its interval decides, and this only keeps memory low. */
const COMMIT_BYTES = 16 * 1024 * 1024
/** Addresses to listen on that are none to be reached at. */
const EVERY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '[::]'])

/** Rejects with what `openLevelDb` rejects with, a `DirectoryError`, and a `UsageError` for orders as recorded. */
export async function openKafkaDirectory(options: DirectoryOptions): Promise<ShopDirectory> {
  const { config } = options
  const { dataDir, peers } = config
  if (options.mode === 'as-recorded') throw new UsageError('--as-recorded is for a data directory with a log')
  const closing = new Closing()
  const lock = await lockKafkaDirectory(dataDir, config.application)
  closing.add('lock', () => lock.close())
  try {
    const slot = config.kafka.slot ?? (await keptValue(dataDir, SLOT))
    // Processes that share a secret can read each other's cursors.
    const cursorSecret =
      peers.secret === undefined
        ? Buffer.from(await keptValue(dataDir, CURSOR_SECRET), 'hex')
        : createHmac('sha256', peers.secret.reveal()).update('cursors').digest()
    return {
      mode: 'live',
      cursorSecret,
      sealing: { masterKeys: configuredMasterKeys(config), eraser: undefined },
      async openLog(url) {
        const address = addressOf(config, url)
        if (address === undefined)
          options.telemetry.logger.warn('peers.address is not set: other processes cannot ask this one')
        const log = await openKafkaLog(logOptions(options, slot, address))
        closing.add('log', () => log.close())
        return shopLog(log, config)
      },
      backup: () => Promise.reject(new Error('in Kafka mode the cluster has everything: back that up')),
      close: () => closing.close(),
    }
  } catch (error) {
    await closing.close()
    throw error
  }
}

/** Keeps everybody else out until it is closed; makes the directory. Rejects with what `openLevelDb` rejects with. */
export function lockKafkaDirectory(directory: string, application: string): Promise<LevelDatabase> {
  return openLevelDb(directory, { application: `${application} on Kafka`, ...LOCK_DATABASE })
}

/** Where the tasks' databases are. */
export function taskDirectory(directory: string): string {
  return join(directory, 'tasks')
}

function shopLog(log: KafkaLog, { dataDir, application, kafka }: Config): ShopLog {
  const stores = new TaskStores(taskDirectory(dataDir), application)
  return {
    log,
    engine: {
      commitIntervalMs: kafka.commitIntervalMs,
      commitWhenIdle: false,
      commitBytes: COMMIT_BYTES,
      stateDirectory: stores,
    },
    isShared: true,
    rows: (task) => Promise.resolve(stores.rows(task)),
    // A process that the cluster does not hear loses its tasks, and those are looked at anyway.
    checks: () => [],
    facts: () => undefined,
  }
}

/** Where others reach this process; nothing where only they could know. */
function addressOf({ peers }: Config, url: string): string | undefined {
  return peers.address ?? (EVERY_ADDRESS.has(new URL(url).hostname) ? undefined : url)
}

function logOptions(
  { config, telemetry, version, signal }: DirectoryOptions,
  slot: string,
  address: string | undefined,
): KafkaLogOptions {
  const { application, kafka } = config
  const { replicationFactor, minInSyncReplicas, createTopics, compression } = kafka
  const { logger } = telemetry
  return {
    application,
    connection: connectionOptions(config, `${application}-${slot}`),
    slot,
    version,
    signal,
    guarantee: kafka.guarantee,
    sessionTimeoutMs: kafka.sessionTimeoutMs,
    transactionTimeoutMs: kafka.transactionTimeoutMs,
    leaves: kafka.leaveOnStop,
    standbys: kafka.standbys,
    // A start that gave up would be started again, and again.
    waitsForCluster: true,
    topics: { replicationFactor, minInSyncReplicas, mayCreate: () => createTopics },
    hooks: {
      onFenced: (topology, ids) =>
        logger.info({ topology, transactionalIds: ids }, 'ended open transactions'),
      onUnreadableMember: (topology, member, reason) =>
        logger.warn({ topology, member, reason }, 'a member gets no tasks: it cannot be understood'),
      onUnavailable: (error) => logger.warn({ err: error }, 'no broker answers; waiting for one'),
    },
    ...(compression === 'none' ? {} : { compression }),
    ...(address === undefined ? {} : { address }),
  }
}
