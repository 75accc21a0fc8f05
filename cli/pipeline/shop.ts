/**
 * The running shop: log, engine, metrics, HTTP and control socket, put together from the configuration.
 *
 * They open in the order in which one needs the other and close in reverse, so that nothing is asked for what is gone:
 * HTTP stops taking requests, the topologies commit what is complete, then the log closes. Every step of closing runs.
 */
import { randomBytes, randomFillSync } from 'node:crypto'
import { type Api, createApi, type Pipeline, uuid7Ids } from '../../api/index.ts'
import type { Config } from '../../config/index.ts'
import { createLogger, Telemetry } from '../../telemetry/index.ts'
import { type Clock, Streams, systemClock } from '../../streams/index.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../transports/embedded/index.ts'
import { Closing } from '../closing.ts'
import { controlAddress, removeRunFile, writeRunFile } from '../control/run-file.ts'
import { ControlServer } from '../control/server.ts'
import { DirectoryError } from '../errors.ts'
import { Admission, RateMeter } from './lag.ts'
import { couponPort, logPort, operationsPort, type PortParts, productPort } from './port.ts'
import { createProbes } from './probes.ts'
import { rankings } from './rankings.ts'
import { configFor, type DirectoryMode, directoryMode, rememberMode } from './recorded.ts'
import { checkOverrides, topicSpecs } from './topic-specs.ts'
import { shopTopologies } from './topologies.ts'

const MEASURE_EVERY_MS = 1_000
const CURSOR_SECRET = 'cli.cursor-secret'
const CURSOR_SECRET_BYTES = 32

export interface ShopOptions {
  readonly config: Config
  readonly version: string
  /** What the directory must be, or becomes when it is new; absent: whatever it is, `live` when it is new. */
  readonly mode?: DirectoryMode
}

export class Shop {
  /** As the directory's mode changed it. */
  readonly config: Config
  readonly mode: DirectoryMode
  readonly log: EmbeddedLog
  readonly streams: Streams
  readonly telemetry: Telemetry
  readonly port: Pipeline
  readonly clock: Clock
  readonly admission: Admission
  readonly #closing: Closing
  readonly #version: string
  #url: string | undefined

  private constructor(parts: ShopParts, closing: Closing) {
    this.config = parts.config
    this.mode = parts.mode
    this.log = parts.log
    this.streams = parts.streams
    this.telemetry = parts.telemetry
    this.port = parts.port
    this.clock = parts.clock
    this.admission = parts.admission
    this.#version = parts.version
    this.#closing = closing
  }

  /**
   * Opens everything but the doors. Rejects with what the log, the state and the engine reject with, a `ConfigError`,
   * or a `DirectoryError` where the directory has another mode; then nothing stays open.
   */
  static async open(options: ShopOptions): Promise<Shop> {
    const closing = new Closing()
    try {
      const parts = await openParts(options, closing)
      return new Shop(parts, closing)
    } catch (error) {
      await closing.close().catch(() => undefined)
      throw error
    }
  }

  /** Where it listens; throws before `listen`. */
  get url(): string {
    if (this.#url === undefined) throw new Error('the shop does not listen yet')
    return this.#url
  }

  /** Opens the doors: HTTP and the control socket. On failure the shop is to be closed. */
  async listen(): Promise<string> {
    const { config, log, telemetry, clock } = this
    const { dataDir, http } = config
    const api: Api = createApi(
      {
        host: http.host,
        port: http.port,
        currency: config.shop.currency,
        version: this.#version,
        tokens: config.auth.tokens.map(({ id, role, topics, token }) => ({
          name: id,
          role,
          secret: token.reveal(),
          topics: role === 'producer' ? topics : undefined,
        })),
        limits: {
          sockets: http.maxConnections,
          clientRequestsPerSecond: http.clientRequestsPerSecond,
          clientBurst: http.clientBurst,
        },
        clock,
        ids: uuid7Ids(
          () => clock.now(),
          (pool) => void randomFillSync(pool),
        ),
        cursorSecret: await cursorSecret(log),
        hooks: {
          onResponse: (route, method, status, ms) => telemetry.onHttpAnswer({ route, method, status, ms }),
          onError: (error, route) => telemetry.incident('http-error', { route, cause: error }),
        },
      },
      this.port,
    )
    this.#closing.add('HTTP', () => api.close())
    const url = await api.listen()
    this.#url = url
    const address = controlAddress(dataDir)
    const control = await ControlServer.listen(address, async (request) => {
      if (request.command === 'ping') return { pid: process.pid, url, version: this.#version }
      const startedAt = clock.monotonic()
      await log.backup(request.directory)
      return { directory: request.directory, seconds: (clock.monotonic() - startedAt) / 1000 }
    })
    this.#closing.add('control socket', () => control.close())
    const startedAt = new Date(clock.now()).toISOString()
    writeRunFile(dataDir, { pid: process.pid, control: address, url, startedAt })
    this.#closing.add('run file', () => removeRunFile(dataDir))
    telemetry.logger.info({ url, dataDir, mode: this.mode }, 'ready')
    return url
  }

  /** Idempotent; rejects with an `AggregateError` after every step ran. */
  close(): Promise<void> {
    return this.#closing.close()
  }
}

interface ShopParts extends PortParts {
  readonly config: Config
  readonly version: string
  readonly mode: DirectoryMode
  readonly port: Pipeline
}

async function openParts(options: ShopOptions, closing: Closing): Promise<ShopParts> {
  const { version } = options
  const clock = systemClock
  const { logging, metrics } = options.config
  const format = logging.format === 'auto' ? (process.stderr.isTTY ? 'text' : 'json') : logging.format
  const logger = createLogger({ level: logging.level, format })
  const telemetry = new Telemetry({ logger, version, maxCampaigns: metrics.maxCampaigns })

  // Before a directory is made: names of topics depend on no mode.
  checkOverrides(options.config, shopTopologies(options.config).all)
  const log = await openLog(options.config, telemetry)
  closing.add('log', () => log.close())
  const mode = await settleMode(log, options.mode)
  const config = configFor(mode, options.config)
  const { all: topologies, ranking } = shopTopologies(config)

  const streams = new Streams({
    application: config.application,
    topologies,
    log,
    topicSpec: topicSpecs(config),
    clock,
    hooks: telemetry.engine,
    commitIntervalMs: config.commitIntervalMs,
  })
  closing.add('topologies', () => streams.close())
  await streams.open()
  await streams.ready()

  const monotonic = (): number => clock.monotonic()
  const { maxLagRecords } = config.backpressure
  const admission = new Admission({ streams, topologies, maxLagRecords, monotonic })
  const rates = new RateMeter(streams, monotonic)
  const measuring = setInterval(() => rates.measure(), MEASURE_EVERY_MS).unref()
  closing.add('rates', () => clearInterval(measuring))

  const base: PortParts = { streams, log, telemetry, clock, admission, rates }
  const boards = rankings(streams, ranking, config.shop.timeZone)
  const port: Pipeline = {
    ...logPort(base),
    ...couponPort(base),
    ...productPort(base),
    ...operationsPort(base),
    board: (query) => boards.board(query),
  }
  const watermarkMs = (): number | undefined => boards.watermarkMs()
  telemetry.watch(createProbes({ streams, log, now: () => clock.now(), watermarkMs }))
  closing.add('metrics', () => telemetry.watch(undefined))
  streams.run()
  return { ...base, config, version, mode, port }
}

function openLog(config: Config, telemetry: Telemetry): Promise<EmbeddedLog> {
  return openEmbeddedLog({
    directory: config.dataDir,
    application: config.application,
    hooks: telemetry.log,
    ...config.log,
  })
}

/** A directory keeps the mode it was made with: the windows that another one dropped are gone. */
async function settleMode(log: EmbeddedLog, wanted: DirectoryMode | undefined): Promise<DirectoryMode> {
  const found = await directoryMode(log)
  const mode = found ?? wanted ?? 'live'
  if (wanted !== undefined && wanted !== mode) {
    const how = mode === 'as-recorded' ? 'by replay --as-recorded' : 'without --as-recorded'
    throw new DirectoryError(`the data directory was made ${how}; use another --data-dir`)
  }
  if (found === undefined) await rememberMode(log, mode)
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
