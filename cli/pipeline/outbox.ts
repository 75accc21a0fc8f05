/** The outbox of a shop whose truth is a database, by configuration. */
import type { Pipeline } from '../../api/index.ts'
import type { Config } from '../../config/index.ts'
import { type OutboxOptions, OutboxReader } from '../../connectors/index.ts'
import type { Topics } from '../../schemas/index.ts'
import type { Telemetry } from '../../telemetry/index.ts'
import type { Closing } from '../closing.ts'
import type { RunningConnectors } from './running-connectors.ts'

/** What other systems may say, as `POST /v1/events` takes it. */
const ALWAYS = [
  'couponIssueRequested',
  'orderConfirmed',
  'orderCancelled',
  'orderReturned',
  'productCatalog',
] as const satisfies readonly (keyof Topics)[]
/** Where the shop takes orders. */
const OF_ORDERS = [
  'orderCreated',
  'paymentResult',
  'deliveryResult',
  'deliveryCancelResult',
] as const satisfies readonly (keyof Topics)[]

const STATEMENT_TIMEOUT_MS = 30_000

export interface OutboxParts extends Pick<OutboxOptions, 'log' | 'clock'> {
  readonly config: Config
  readonly topics: Topics
  readonly telemetry: Pick<Telemetry, 'connectors'>
  readonly pipeline: Pick<Pipeline, 'admission'>
  readonly connectors: Pick<RunningConnectors, 'include'>
}

/**
 * Publishes it until everything closes: what another system's database says comes in as events from HTTP do, no faster
 * than the pipeline takes them. Does nothing where no outbox is configured.
 */
export function openOutbox(parts: OutboxParts, closing: Closing): void {
  const { config, topics, log, clock, telemetry, pipeline, connectors } = parts
  const { url, tls, tlsCaFile: caFile, ...settings } = config.outbox
  if (url === undefined) return
  const names = config.orders.enabled ? [...ALWAYS, ...OF_ORDERS] : ALWAYS
  const reader = new OutboxReader({
    ...settings,
    log,
    clock,
    url: url.reveal(),
    ...(tls ? { tls: { caFile } } : {}),
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    application: config.application,
    currency: config.shop.currency,
    topics: names.map((name) => topics[name]),
    waitMs: (topic) => pipeline.admission(topic)?.retryAfterMs,
    random: Math.random,
    hooks: telemetry.connectors,
  })
  closing.add('outbox', () => reader.close())
  connectors.include(reader)
  reader.start()
}
