/**
 * The running shop: directory, log, engine, metrics and the doors, put together from the configuration.
 *
 * They open in the order in which one needs the other: the directory, so that nobody else works in it; the doors, whose
 * address the log may tell others, with nothing behind them yet; the log; the topologies; the connectors; then the doors
 * lead to all of it. They close so that nothing is asked for what is gone: HTTP stops taking requests, connectors and
 * topologies commit what is complete, then the log closes. Every step of closing runs.
 */
import type { Config } from '../../config/index.ts'
import type { Topics } from '../../schemas/index.ts'
import { type Log, type Streams, systemClock } from '../../streams/index.ts'
import { createLogger, Telemetry } from '../../telemetry/index.ts'
import { Closing } from '../closing.ts'
import { externalTopics, loadProfiles } from './bindings.ts'
import { openDoors } from './doors.ts'
import { openEmbeddedDirectory } from './embedded-shop-log.ts'
import { pipelineGate } from './gate.ts'
import { openKafkaDirectory } from './kafka-shop-log.ts'
import type { Admission } from './lag.ts'
import { openConnectors } from './open-connectors.ts'
import { openStreams } from './open-streams.ts'
import { openOutbox } from './outbox.ts'
import { configFor, type DirectoryMode } from './recorded.ts'
import type { ShopBase } from './shop-base.ts'
import type { DirectoryOptions, ShopDirectory } from './shop-log.ts'
import { pipelineOf } from './shop-pipeline.ts'
import { openTopics } from './shop-topics.ts'
import { checkOverrides } from './topic-specs.ts'
import { shopTopologies } from './topologies.ts'

export interface ShopOptions {
  readonly config: Config
  readonly version: string
  /** What the directory must be, or becomes when it is new; absent: whatever it is, `live` when it is new. */
  readonly mode?: DirectoryMode | undefined
  /** Gives up opening, with the signal's reason. */
  readonly signal: AbortSignal
}

interface ShopParts {
  /** As the directory's mode changed it. */
  readonly config: Config
  readonly mode: DirectoryMode
  readonly url: string
  /** The catalogue with this deployment's schema ids. */
  readonly topics: Topics
  readonly log: Log
  readonly streams: Streams
  readonly admission: Admission
}

export class Shop implements ShopParts {
  readonly config: Config
  readonly mode: DirectoryMode
  readonly url: string
  readonly topics: Topics
  readonly log: Log
  readonly streams: Streams
  readonly admission: Admission
  readonly #closing: Closing

  private constructor(parts: ShopParts, closing: Closing) {
    this.config = parts.config
    this.mode = parts.mode
    this.url = parts.url
    this.topics = parts.topics
    this.log = parts.log
    this.streams = parts.streams
    this.admission = parts.admission
    this.#closing = closing
  }

  /**
   * Resolves once it serves; on Kafka, tasks may still be restored then. Rejects with what the directory, the log, the
   * registry, the state and the engine reject with, and a `ConfigError`; then nothing stays open.
   */
  static async open(options: ShopOptions): Promise<Shop> {
    const closing = new Closing()
    const { signal } = options
    // What waits for others, a broker for example, ends when what it waits with is closed.
    const giveUp = (): void => void closing.close().catch(() => undefined)
    signal.addEventListener('abort', giveUp, { once: true })
    try {
      signal.throwIfAborted()
      const parts = await openParts(options, closing)
      signal.throwIfAborted()
      return new Shop(parts, closing)
    } catch (error) {
      await closing.close().catch(() => undefined)
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  /** Idempotent; rejects with an `AggregateError` after every step ran. */
  close(): Promise<void> {
    return this.#closing.close()
  }
}

async function openParts(options: ShopOptions, closing: Closing): Promise<ShopParts> {
  const { version, signal } = options
  const clock = systemClock
  const telemetry = telemetryOf(options)
  // Before a directory is made: names depend on no mode.
  checkOverrides(options.config, shopTopologies(options.config).all)
  const directory = await openDirectory({ ...options, telemetry })
  closing.add('data directory', () => directory.close())
  const { mode } = directory
  const config = configFor(mode, options.config)
  const schemas = await openTopics(config, telemetry, signal)
  closing.add('schemas', () => schemas.close())
  const { topics } = schemas
  const profiles = await loadProfiles(config, topics)
  const topologies = shopTopologies(config, topics)

  const gate = pipelineGate(telemetry)
  const { pipeline } = gate
  const external = externalTopics(profiles)
  const doors = await openDoors(
    { config, version, directory, topics, external, pipeline, telemetry, clock },
    closing,
  )
  const { url } = doors
  const shopLog = await directory.openLog(url)
  const { sealing } = directory
  const base: ShopBase = { config, topologies, topics, profiles, shopLog, sealing, telemetry, clock }
  const streams = await openStreams(base, closing)
  let keysKnown = (): boolean => false
  const connectors = await openConnectors(base, { clock, pipeline, keysKnown: () => keysKnown() }, closing)
  const behind = pipelineOf(base, streams, connectors, closing)
  keysKnown = behind.keysKnown
  streams.run()
  gate.open(behind.pipeline)
  openOutbox({ ...base, log: shopLog.log, pipeline: behind.pipeline, connectors }, closing)
  if (config.orders.enabled) await sealing.eraser?.resume()
  // Again: who still asks is answered before what answers goes.
  closing.add('HTTP', () => doors.shut())
  telemetry.logger.info({ url, dataDir: config.dataDir, mode }, 'ready')
  const { admission } = behind
  return { config, mode, url, topics, log: shopLog.log, streams, admission }
}

function telemetryOf({ config: { logging, metrics }, version }: ShopOptions): Telemetry {
  const format = logging.format === 'auto' ? (process.stderr.isTTY ? 'text' : 'json') : logging.format
  const logger = createLogger({ level: logging.level, format })
  return new Telemetry({ logger, version, maxCampaigns: metrics.maxCampaigns })
}

function openDirectory(options: DirectoryOptions): Promise<ShopDirectory> {
  const onKafka = options.config.kafka.brokers.length > 0
  return onKafka ? openKafkaDirectory(options) : openEmbeddedDirectory(options)
}
