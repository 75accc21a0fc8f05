/** The connector that sends mails, by configuration. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PrivacyPort, ProductPort } from '../../api/index.ts'
import type { Config } from '../../config/index.ts'
import {
  type Addressees,
  type Connector,
  fileTransport,
  mailConnector,
  type MailTransport,
  smtpTransport,
  Unavailable,
} from '../../connectors/index.ts'
import { SealingError, type Topics } from '../../schemas/index.ts'
import { type Clock, isStreamsError } from '../../streams/index.ts'

/** What a mail needs of the running shop. */
export interface MailShop {
  readonly clock: Clock
  /** Questions are answered with `TASK_NOT_HERE` until it is there. */
  readonly pipeline: Pick<PrivacyPort, 'opener'> & Pick<ProductPort, 'titles'>
  /** Whether the keys of users whose tasks run elsewhere are read along, as far as they were there at the start. */
  readonly keysKnown: () => boolean
}

/** Mails of one batch: what was sent of them before a crash is sent again. */
const BATCH_SECONDS = 5
const MAX_BATCH = 50
const FILES_PER_SECOND = 1_000_000
const FILES_AT_ONCE = 8
/** Long enough for greylisting, and no burden to a server whose mailbox is full. */
const RETRY_AFTER_MS = 15 * 60_000
/** How long the key of a user may be on its way from another process, and the time between looks. */
const KEY_WAIT_MS = 2_000
const KEY_LOOK_MS = 100

/** Whether the shop sends mails. */
export function sendsMail({ mail, orders }: Config): boolean {
  return orders.enabled && mail.transport !== 'off'
}

export function mailConnectorOf(config: Config, topics: Topics, shop: MailShop): Connector {
  const { mail, shop: settings } = config
  const isOverWire = mail.transport === 'smtp'
  const perSecond = isOverWire ? mail.perSecond : FILES_PER_SECOND
  const batchRecords = Math.max(1, Math.min(MAX_BATCH, Math.floor(perSecond * BATCH_SECONDS)))
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
  return async ({ userId, email, locale }, signal) => {
    const until = shop.clock.monotonic() + KEY_WAIT_MS
    for (;;) {
      const opened = email === null ? undefined : open(shop, userId, email, locale)
      if (opened !== undefined || shop.clock.monotonic() >= until) return opened
      signal.throwIfAborted()
      await new Promise<void>((resolve) => shop.clock.after(KEY_LOOK_MS, resolve))
    }
  }
}

/** Nothing where the user has no key that opens it, as far as it is known here. Throws an `Unavailable`. */
function open({ pipeline, keysKnown }: MailShop, userId: string, email: Buffer, locale: Buffer | null) {
  try {
    const opener = pipeline.opener(userId)
    const address = opener({ kind: 'user.email' }, email)
    if (address === undefined) return undefined
    return { email: address, locale: locale === null ? undefined : opener({ kind: 'user.locale' }, locale) }
  } catch (cause) {
    if (cause instanceof SealingError) return undefined
    if (isStreamsError(cause, 'TASK_NOT_HERE') && keysKnown()) return undefined
    // The keys are not read yet, or the master key is not configured here.
    throw new Unavailable('addresses cannot be opened here now', { cause })
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
