/** The outbox of a shop whose truth is a database, by configuration. */
import type { Config } from '../../config/index.ts'
import { type ConnectorHooks, type OutboxOptions, OutboxReader } from '../../connectors/index.ts'
import type { Topics } from '../../schemas/index.ts'

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

export interface OutboxParts extends Pick<OutboxOptions, 'log' | 'clock' | 'waitMs'> {
  readonly config: Config
  readonly topics: Topics
  readonly hooks: ConnectorHooks
}

/** One that has not started; nothing where no outbox is configured. */
export function outboxOf({ config, topics, ...parts }: OutboxParts): OutboxReader | undefined {
  const { url, tls, tlsCaFile: caFile, ...settings } = config.outbox
  if (url === undefined) return undefined
  const names = config.orders.enabled ? [...ALWAYS, ...OF_ORDERS] : ALWAYS
  return new OutboxReader({
    ...settings,
    ...parts,
    url: url.reveal(),
    ...(tls ? { tls: { caFile } } : {}),
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    application: config.application,
    currency: config.shop.currency,
    topics: names.map((name) => topics[name]),
    random: Math.random,
  })
}
