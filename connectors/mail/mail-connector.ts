/**
 * Sends what `mail.requested` asks for, and says on `mail.sent` what became of it.
 *
 * A mail that the server puts off is asked for again on `mail.retry.requested`, whose records rest there for a while: so
 * nobody else waits for a full mailbox.
 *
 * At least once: a crash between the mail server's answer and the commit sends a mail again, with the same Message-ID.
 *
 * Addresses are opened here and go nowhere but to the transport: not into topics, dead letters, log lines or metrics
 * (I25).
 */
import type { MailRequested, MailStatus, Topics } from '../../schemas/index.ts'
import type { Clock } from '../../streams/index.ts'
import type { Connector, DeliveryPolicy, Incoming } from '../frame/connector.ts'
import { eachRecord, type RecordOutcome } from '../frame/each-record.ts'
import { isUnavailable } from '../frame/failures.ts'
import { TokenBucket } from './rate.ts'
import { type MailFacts, mailTemplates, renderMail } from './render.ts'
import { isAddress, type MailOutcome, type MailTransport, type OutgoingMail } from './transport.ts'
import { languageOf, type MailLanguage } from './words.ts'

export interface MailConnectorOptions {
  readonly topics: Pick<Topics, 'mailRequested' | 'mailRetryRequested' | 'mailSent' | 'mailSuppressed'>
  readonly clock: Clock
  readonly openTransport: () => Promise<MailTransport>
  readonly addressee: Addressees
  /** Titles of products, where the shop knows them. */
  readonly titles: (productIds: readonly string[]) => readonly (string | undefined)[]
  readonly shopName: string
  /** What comes after the @ of Message-IDs. */
  readonly domain: string
  readonly timeZone: string
  readonly language: MailLanguage
  readonly perSecond: number
  /** Mails under way at a time. */
  readonly concurrency: number
  /** A mail that was put off is tried again after this, milliseconds. */
  readonly retryAfterMs: number
  /** A mail that is put off this long after the first time has failed, milliseconds. */
  readonly giveUpAfterMs: number
  readonly delivery?: Partial<DeliveryPolicy> | undefined
}

/**
 * Opens what is sealed of the user. Nothing where the user's key is gone. Rejects with an `Unavailable` where it is not
 * known here yet whether it is.
 */
export type Addressees = (
  mail: Pick<MailRequested, 'userId' | 'email' | 'locale'>,
  signal: AbortSignal,
) => Promise<Addressee | undefined>

export interface Addressee {
  readonly email: string
  readonly locale: string | undefined
}

/** ISO 4217's code for none: of mails that say no amount. */
const NO_CURRENCY = 'XXX'

export function mailConnector(options: MailConnectorOptions): Connector {
  const { topics, clock, perSecond, concurrency, openTransport, delivery, retryAfterMs } = options
  // One for all tasks of this process.
  const bucket = new TokenBucket(clock, perSecond)
  return {
    name: 'mail',
    inputs: [topics.mailRequested, topics.mailRetryRequested],
    outputs: [topics.mailSent, topics.mailSuppressed, topics.mailRetryRequested],
    restMs: { [topics.mailRetryRequested.name]: retryAfterMs },
    // What was sent of a batch before a crash is sent again: few at a time.
    delivery: { batchRecords: 50, ...delivery },
    async open() {
      const transport = await openTransport()
      return eachRecord({
        concurrency,
        deliver: (record, signal) => sendOne({ ...options, bucket, transport }, record, signal),
        close: () => transport.close(),
      })
    },
  }
}

interface Sending extends MailConnectorOptions {
  readonly bucket: TokenBucket
  readonly transport: MailTransport
}

async function sendOne(
  sending: Sending,
  record: Incoming<string, MailRequested>,
  signal: AbortSignal,
): Promise<RecordOutcome> {
  const { value: mail } = record
  const facts = factsOf(mail, sending.titles)
  if (facts === undefined) return { rejected: 'UnknownTemplate' }
  if (mail.suppressed) return ended(sending, record, 'SUPPRESSED')
  if (mail.email === null) return ended(sending, record, 'NO_ADDRESS')
  const addressee = await sending.addressee(mail, signal)
  if (addressee === undefined) return ended(sending, record, 'ERASED')
  if (!isAddress(addressee.email)) return ended(sending, record, 'BOUNCED', 'no address')
  const { transport, bucket, shopName, timeZone, domain } = sending
  await bucket.take(signal)
  const language = languageOf(addressee.locale, sending.language)
  const outcome = await sent(
    transport,
    {
      ...renderMail(facts, { language, shopName, timeZone }),
      messageId: `<${mail.mailId}@${domain}>`,
      mailId: mail.mailId,
      to: addressee.email,
      date: record.timestamp,
    },
    signal,
  )
  if (outcome.status === 'SENT') return ended(sending, record, 'SENT')
  if (outcome.status !== 'DEFERRED') return ended(sending, record, outcome.status, outcome.codes)
  return deferred(sending, record) ?? ended(sending, record, 'FAILED', outcome.codes)
}

/** Nothing where it was put off for too long. */
function deferred(
  { topics, clock, giveUpAfterMs }: Sending,
  { recordKey, value: mail, timestamp }: Incoming<string, MailRequested>,
): RecordOutcome {
  const now = clock.now()
  const deferredSince = mail.deferredSince ?? now
  if (now - deferredSince >= giveUpAfterMs) return undefined
  const value = { ...mail, deferredSince }
  return { outputs: [{ topic: topics.mailRetryRequested, key: recordKey, value, timestamp }] }
}

/** What else a transport throws may quote the address, and would go into a dead letter (I25). */
async function sent(transport: MailTransport, mail: OutgoingMail, signal: AbortSignal): Promise<MailOutcome> {
  try {
    return await transport.send(mail, signal)
  } catch (error) {
    if (isUnavailable(error) || signal.aborted) throw error
    throw new Error(`the transport failed: ${error instanceof Error ? error.name : typeof error}`)
  }
}

/** What became of it, and of an address that bounced. */
function ended(
  { topics }: Sending,
  { recordKey, value: mail, timestamp }: Incoming<string, MailRequested>,
  status: MailStatus,
  reason: string | null = null,
): RecordOutcome {
  const { mailId, orderId, userId, template, userCouponId, email } = mail
  const fact = { mailId, orderId, userId, template, status, userCouponId, reason }
  const outputs = [{ topic: topics.mailSent, key: recordKey, value: fact, timestamp }]
  if (status !== 'BOUNCED' || email === null) return { outputs }
  const suppressed = { userId, email, reason: reason ?? '', mailId, at: timestamp }
  return {
    outputs: [...outputs, { topic: topics.mailSuppressed, key: userId, value: suppressed, timestamp }],
  }
}

/** Nothing where there is no such template. */
function factsOf(mail: MailRequested, titles: MailConnectorOptions['titles']): MailFacts | undefined {
  const [name, returnId] = mail.template.split('#', 2)
  const template = mailTemplates.find((known) => known === name)
  if (template === undefined) return undefined
  const named = titles(mail.items.map(({ productId }) => productId))
  return {
    template,
    orderId: mail.orderId,
    couponId: mail.couponId ?? '',
    returnId,
    lines: mail.items.map(({ productId, quantity, amount }, at) => {
      return { title: named[at] ?? productId, quantity, amount }
    }),
    amount: mail.amount ?? 0,
    currency: mail.currency ?? NO_CURRENCY,
    step: mail.reason ?? '',
    refunded: mail.refunded,
    happenedAt: mail.happenedAt ?? undefined,
    expiresAt: mail.expiresAt ?? undefined,
  }
}
