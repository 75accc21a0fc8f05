/** What is asked of a running shop: of the engine, the copies, the connectors. */
import type { HealthCheck, Pipeline } from '../../api/index.ts'
import type { Config } from '../../config/index.ts'
import type { Streams } from '../../streams/index.ts'
import type { Closing } from '../closing.ts'
import { deadLetterPort } from './dead-letters/port.ts'
import { Incidents } from './incidents.ts'
import { Admission, RateMeter } from './lag.ts'
import { newsPort } from './news-port.ts'
import { orderPort, pointPort, stockPort } from './order-port.ts'
import { couponPort, logPort, operationsPort, type PortParts, productPort } from './port.ts'
import { createProbes } from './probes.ts'
import { rankings } from './rankings.ts'
import { Replica } from './replica.ts'
import { connectorPort, type RunningConnectors } from './running-connectors.ts'
import type { ShopBase } from './shop-base.ts'
import { SuppressedMails } from './suppressed-mails.ts'
import { privacyPort, userPort } from './user-port.ts'

const MEASURE_EVERY_MS = 1_000

export interface ShopPipeline {
  readonly pipeline: Pipeline
  /** As `ConnectorShop`. */
  readonly keysKnown: () => boolean
  readonly admission: Admission
}

function breakerCheck({ deadLetters }: Config): readonly HealthCheck[] {
  return deadLetters.breaker === 'on' ? [] : [{ name: 'breaker', ok: true, detail: 'off' }]
}

/** What is asked of the engine, by HTTP and by whoever scrapes metrics. */
export function pipelineOf(
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
    ...newsPort(parts),
    ...operationsPort(parts),
    ...deadLetterPort({ streams, log, clock, topics, topologies: topologies.all, connectors }),
    ...connectorPort(connectors),
    ...suppressed.port,
    board: (query) => boards.board(query),
    boardUntil: (query, enough, wait) => boards.boardUntil(query, enough, wait),
    copies: replica,
  }
  return { pipeline, admission, keysKnown: () => replica?.knowsAllKeys === true }
}

/** Where other processes have tasks: what those said last, for when they cannot be asked. */
function replicaOf({ config, topics, shopLog, sealing, telemetry, clock }: ShopBase): Replica | undefined {
  if (!shopLog.isShared) return undefined
  return new Replica({
    log: shopLog.log,
    topics,
    timeZone: config.shop.timeZone,
    keyBytes:
      config.orders.enabled && sealing.masterKeys !== undefined ? config.privacy.keyCopyBytes : undefined,
    clock,
    onFault: (topic, fault) => telemetry.logger.warn({ topic, err: fault }, 'a copy cannot be read on'),
  })
}

/** What the sentinel and the order saga say, wherever they run. */
function incidentsOf({ config, topics, shopLog, telemetry, clock }: ShopBase): Incidents | undefined {
  if (!config.sentinel.enabled && !config.orders.enabled) return undefined
  return new Incidents({ log: shopLog.log, topics, clock, telemetry })
}
