/** The connector that sends mails, by configuration. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ProductPort } from '../../api/index.ts'
import type { Config } from '../../config/index.ts'
import {
  type Addressees,
  type Connector,
  fileTransport,
  mailConnector,
  type MailTransport,
  smtpTransport,
} from '../../connectors/index.ts'
import { SealingError, type Topics } from '../../schemas/index.ts'
import type { Clock } from '../../streams/index.ts'
import { type KeyedShop, KeyWait, openSealed } from './privacy/open-sealed.ts'

/** What a mail needs of the running shop. */
export interface MailShop extends KeyedShop {
  readonly clock: Clock
  readonly pipeline: KeyedShop['pipeline'] & Pick<ProductPort, 'titles'>
}

/**
 * Batches of all tasks together, at the rate of all: what was sent of them before a crash is sent again, and in a
 * rebalance or at the end what is under way has five seconds.
 */
const BATCH_SECONDS = 3
const MAX_BATCH = 50
const FILES_PER_SECOND = 1_000_000
const FILES_AT_ONCE = 8
/** Long enough for greylisting, and no burden to a server whose mailbox is full. */
const RETRY_AFTER_MS = 15 * 60_000

/** Whether the shop sends mails. */
export function sendsMail({ mail, orders }: Config): boolean {
  return orders.enabled && mail.transport !== 'off'
}

export function mailConnectorOf(config: Config, topics: Topics, shop: MailShop): Connector {
  const { mail, shop: settings, topics: log } = config
  const isOverWire = mail.transport === 'smtp'
  const perSecond = isOverWire ? mail.perSecond : FILES_PER_SECOND
  const tasks = log.overrides[topics.mailRequested.name]?.partitions ?? log.partitions
  const inTime = Math.floor((perSecond * BATCH_SECONDS) / tasks)
  const batchRecords = Math.max(1, Math.min(MAX_BATCH, inTime))
  return mailConnector({
    topics,
    clock: shop.clock,
    openTransport: () => openTransport(config),
    addressee: addresseesOf(shop),
    titles: (productIds) => titlesOf(shop, productIds),
    shopName: mail.shopName,
    domain: mail.from.slice(mail.from.indexOf('@') + 1),
    timeZone: settings.timeZone,
    language: mail.language,
    perSecond,
    concurrency: isOverWire ? mail.connections : FILES_AT_ONCE,
    retryAfterMs: RETRY_AFTER_MS,
    giveUpAfterMs: mail.maxAgeMs,
    // A connection, a login and a mail each have their time; so has the rate.
    delivery: { batchRecords, timeoutMs: (batchRecords / perSecond) * 1_000 + batchRecords * mail.timeoutMs },
  })
}

async function openTransport({ mail, dataDir }: Config): Promise<MailTransport> {
  const { from, host, port, security, ca, user, password, connections, timeoutMs } = mail
  if (mail.transport === 'files') return fileTransport(mail.directory ?? join(dataDir, 'mail'), from)
  return smtpTransport({
    host,
    port,
    security,
    ca: ca === undefined ? undefined : await readFile(ca, 'utf8'),
    user,
    password: password?.reveal(),
    connections,
    timeoutMs,
    from,
  })
}

function addresseesOf(shop: MailShop): Addressees {
  return async (mail, signal) => new KeyWait(shop.clock, signal).for(() => addresseeOf(shop, mail))
}

/** Nothing where no key opens the address, as far as it is known here. Throws an `Unavailable`. */
function addresseeOf(shop: MailShop, { userId, email, locale }: Parameters<Addressees>[0]) {
  if (email === null) return undefined
  try {
    const address = openSealed(shop, { kind: 'user.email', userId }, email)
    if (address === undefined) return undefined
    const language = locale === null ? undefined : openSealed(shop, { kind: 'user.locale', userId }, locale)
    return { email: address, locale: language }
  } catch (error) {
    if (error instanceof SealingError) return undefined
    throw error
  }
}

/** A title is nice to have. */
function titlesOf({ pipeline }: MailShop, productIds: readonly string[]): readonly (string | undefined)[] {
  try {
    return productIds.length === 0 ? [] : pipeline.titles(productIds)
  } catch {
    return []
  }
}
