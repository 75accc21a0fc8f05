/**
 * The running shop: directory, log, engine, metrics and the doors, put together from the configuration.
 *
 * They open in the order in which one needs the other: the directory, so that nobody else works in it; the doors, whose
 * address the log may tell others, with nothing behind them yet; the log; the topologies; the connectors; then the doors
 * lead to all of it. They close so that nothing is asked for what is gone: HTTP stops taking requests, connectors and
 * topologies commit what is complete, then the log closes. Every step of closing runs.
 */
import type { HealthCheck, Pipeline } from '../../api/index.ts'
import type { Config } from '../../config/index.ts'
import type { CompiledProfile } from '../../connectors/index.ts'
import type { Topics } from '../../schemas/index.ts'
import { type BreakerPolicy, type Clock, type Log, Streams, systemClock } from '../../streams/index.ts'
import { createLogger, Telemetry } from '../../telemetry/index.ts'
import { Closing } from '../closing.ts'
import { addressesBy, Bindings, bindingTopicSpecs, externalTopics, loadProfiles } from './bindings.ts'
import { type ConnectorShop, connectorsOf } from './connectors.ts'
import { deadLetterPort } from './dead-letters/port.ts'
import { openDoors } from './doors.ts'
import { openEmbeddedDirectory } from './embedded-shop-log.ts'
import { pipelineGate } from './gate.ts'
import { openKafkaDirectory } from './kafka-shop-log.ts'
import { Incidents } from './incidents.ts'
import { Admission, RateMeter } from './lag.ts'
import { couponPort, logPort, operationsPort, type PortParts, productPort } from './port.ts'
import { orderPort, pointPort, stockPort } from './order-port.ts'
import { openOutbox } from './outbox.ts'
import { createProbes } from './probes.ts'
import { rankings } from './rankings.ts'
import { configFor, type DirectoryMode } from './recorded.ts'
import { Replica } from './replica.ts'
import type { DirectoryOptions, ShopDirectory, ShopLog } from './shop-log.ts'
import { openTopics } from './shop-topics.ts'
import { connectorPort, RunningConnectors } from './running-connectors.ts'
import { SuppressedMails } from './suppressed-mails.ts'
import { checkOverrides, shopTopicSpecs, topicSpecs } from './topic-specs.ts'
import { sandboxesOf, type ShopTopologies, shopTopologies } from './topologies.ts'
import { privacyPort, type Sealing, userPort } from './user-port.ts'

const MEASURE_EVERY_MS = 1_000

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
  openOutbox({ ...base, log: shopLog.log, pipeline: behind.pipeline }, closing)
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

interface ShopBase {
  readonly config: Config
  readonly topologies: ShopTopologies
  readonly topics: Topics
  readonly profiles: readonly CompiledProfile[]
  readonly shopLog: ShopLog
  readonly sealing: Sealing
  readonly telemetry: Telemetry
  readonly clock: Clock
}

/** The engine, joined and not running yet. */
async function openStreams(base: ShopBase, closing: Closing): Promise<Streams> {
  const { config, topologies, shopLog, telemetry, clock } = base
  const { log } = shopLog
  const { application } = config
  if (config.orders.enabled) sayWhatIsPlayed(base)
  // Events of every kind are taken here, also for topologies that run elsewhere.
  await log.ensureTopics(shopTopicSpecs(config, topologies.all, { changelogs: false }))
  const streams = new Streams({
    application,
    topologies: topologies.here,
    log,
    topicSpec: topicSpecs(config),
    clock,
    hooks: telemetry.engine,
    breaker: breakerOf(base),
    ...shopLog.engine,
  })
  closing.add('topologies', () => streams.close())
  await streams.open()
  if (!shopLog.isShared) await streams.ready()
  return streams
}

/** Never on without a word. */
function sayWhatIsPlayed({ config, telemetry }: ShopBase): void {
  const { payments, deliveries } = sandboxesOf(config)
  const played = [payments && 'every payment is approved', deliveries && 'every parcel is delivered']
  const said = played.filter((one) => one !== false).join(', ')
  if (said !== '') telemetry.logger.warn(`orders.sandboxes is on: ${said}`)
}

/** They deliver as soon as it is known which of them are paused. */
async function openConnectors(
  base: ShopBase,
  shop: ConnectorShop,
  closing: Closing,
): Promise<RunningConnectors> {
  const { config, topics, shopLog, telemetry, clock } = base
  const bindings = await openBindings(base, (userId) => shop.pipeline.opener(userId))
  closing.add('bindings', () => bindings.close())
  const connectors = await RunningConnectors.open({
    application: config.application,
    connectors: [...connectorsOf({ config, topics, shop }), ...bindings.connectors],
    log: shopLog.log,
    topics,
    clock,
    random: Math.random,
    telemetry,
  })
  closing.add('connectors', () => connectors.close())
  return connectors
}

async function openBindings(base: ShopBase, opener: Pipeline['opener']): Promise<Bindings> {
  const { config, profiles, shopLog, telemetry, clock } = base
  const { log } = shopLog
  await log.ensureTopics(bindingTopicSpecs(config, profiles))
  return new Bindings({
    profiles,
    log,
    clock,
    openAddress: addressesBy(opener),
    onFault: (topic, fault) =>
      telemetry.logger.warn({ topic, err: fault }, 'what profiles look into cannot be read on'),
  })
}

/** Never off without a word. */
function breakerOf({ config: { deadLetters }, telemetry }: ShopBase): BreakerPolicy | 'off' {
  const { breaker, ...policy } = deadLetters
  if (breaker === 'on') return policy
  telemetry.logger.warn('deadLetters.breaker is off: no flood of dead letters pauses a task')
  return 'off'
}

interface ShopPipeline {
  readonly pipeline: Pipeline
  /** As `ConnectorShop`. */
  readonly keysKnown: () => boolean
  readonly admission: Admission
}

function breakerCheck({ deadLetters }: Config): readonly HealthCheck[] {
  return deadLetters.breaker === 'on' ? [] : [{ name: 'breaker', ok: true, detail: 'off' }]
}

/** What is asked of the engine, by HTTP and by whoever scrapes metrics. */
function pipelineOf(
  base: ShopBase,
  streams: Streams,
  connectors: RunningConnectors,
  closing: Closing,
): ShopPipeline {
  const { config, topologies, topics, shopLog, telemetry, clock } = base
  const monotonic = (): number => clock.monotonic()
  const { maxLagRecords } = config.backpressure
  const admission = new Admission({ streams, topologies: topologies.deciding, maxLagRecords, monotonic })
  const rates = new RateMeter(streams, monotonic)
  const measuring = setInterval(() => rates.measure(), MEASURE_EVERY_MS).unref()
  closing.add('rates', () => clearInterval(measuring))
  const replica = replicaOf(base)
  closing.add('copies', () => replica?.close())

  const { log } = shopLog
  const suppressed = new SuppressedMails({ config, log: shopLog.log, topics, clock, telemetry })
  closing.add('bounces', () => suppressed.close())
  const incidents = incidentsOf(base)
  closing.add('incidents', () => incidents?.close())
  // Without the sentinel nobody knows that no invariant is broken.
  const judged = config.sentinel.enabled ? incidents : undefined
  const checks = () => [...shopLog.checks(), ...breakerCheck(config), ...(judged?.checks() ?? [])]
  const { deciding } = topologies
  const watched = { telemetry, clock, admission, rates, replica, incidents }
  const parts: PortParts = { streams, deciding, log, checks, ...watched }
  const { timeZone } = config.shop
  const boards = rankings({ streams, clock, topology: topologies.ranking, timeZone })
  const watermarkMs = (): number | undefined => boards.watermarkMs()
  const orders = config.orders.enabled ? incidents : undefined
  const found = { invariants: judged, orders }
  telemetry.watch(createProbes({ streams, shopLog, connectors, now: () => clock.now(), watermarkMs, found }))
  closing.add('metrics', () => telemetry.watch(undefined))
  const pipeline: Pipeline = {
    ...logPort(parts),
    ...couponPort(parts),
    ...productPort(parts),
    ...orderPort(parts),
    ...stockPort(parts),
    ...pointPort(parts),
    ...userPort(parts),
    ...privacyPort(parts, base.sealing),
    ...operationsPort(parts),
    ...deadLetterPort({ streams, log, clock, topics, topologies: topologies.all, connectors }),
    ...connectorPort(connectors),
    ...suppressed.port,
    board: (query) => boards.board(query),
    boardUntil: (query, enough, wait) => boards.boardUntil(query, enough, wait),
    copies: replica,
  }
  return { pipeline, admission, keysKnown: () => replica === undefined || replica.ready }
}

/** Where other processes have tasks: what those said last, for when they cannot be asked. */
function replicaOf({ config, topics, shopLog, sealing, telemetry, clock }: ShopBase): Replica | undefined {
  if (!shopLog.isShared) return undefined
  return new Replica({
    log: shopLog.log,
    topics,
    timeZone: config.shop.timeZone,
    sealing: config.orders.enabled && sealing.masterKeys !== undefined,
    clock,
    onFault: (topic, fault) => telemetry.logger.warn({ topic, err: fault }, 'a copy cannot be read on'),
  })
}

/** What the sentinel and the order saga say, wherever they run. */
function incidentsOf({ config, topics, shopLog, telemetry, clock }: ShopBase): Incidents | undefined {
  if (!config.sentinel.enabled && !config.orders.enabled) return undefined
  return new Incidents({ log: shopLog.log, topics, clock, telemetry })
}
