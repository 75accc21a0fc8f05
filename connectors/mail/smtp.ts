/**
 * Mails over SMTP, by nodemailer: a few connections that are kept, TLS, and what the server says read as the frame needs
 * it.
 *
 * | the server says | means |
 * | --- | --- |
 * | 2xx | sent |
 * | nothing, a cut connection, no login; 421; no to anything but the recipient and the message | it takes no mail: all wait |
 * | 4xx to the recipient or the message | it does not take this one now: a full mailbox, greylisting |
 * | 5xx to the recipient for what the recipient is | the address bounced |
 * | 5xx to the recipient for who we are: a policy, our sender address | somebody may mend that: not now, either |
 * | any other 5xx | this mail will never be taken |
 */
import { createTransport } from 'nodemailer'
import { Unavailable } from '../frame/connector.ts'
import { composed } from './compose.ts'
import type { MailOutcome, MailTransport } from './transport.ts'

export interface SmtpOptions {
  readonly host: string
  readonly port: number
  /** `tls`: from the first byte. `starttls`: asked for, and nothing is said without. `none`: in the clear. */
  readonly security: 'tls' | 'starttls' | 'none'
  /** PEM of who may sign the server's certificate; the system's unless told. */
  readonly ca?: string | undefined
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly connections: number
  readonly timeoutMs: number
  readonly from: string
}

export function smtpTransport(options: SmtpOptions): MailTransport {
  const { host, port, security, ca, user, password, connections, timeoutMs, from } = options
  const transport = createTransport({
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    tls: { minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }) },
    ...(user !== undefined && { auth: { user, pass: password ?? '' } }),
    pool: true,
    maxConnections: connections,
    maxMessages: 100,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    async send(mail) {
      try {
        await transport.sendMail(composed(mail, from))
        return { status: 'SENT' }
      } catch (error) {
        return refusalOf(error)
      }
    },
    close: () => Promise.resolve(transport.close()),
  }
}

interface SmtpFailure {
  readonly code?: string
  readonly responseCode?: number
  readonly response?: string
  readonly command?: string
  readonly rejectedErrors?: readonly SmtpFailure[]
}

/** The server closes the connection, whatever it was asked. */
const CLOSING = 421
/** Enhanced codes (RFC 3463, without the class) of an address that nobody has, or that takes no mail any more. */
const NOBODY: ReadonlySet<string> = new Set(['1.1', '1.2', '1.3', '1.6', '1.10', '2.1'])
/** Reply codes that mean it, of a server that has no enhanced ones. */
const NOBODY_REPLIES: ReadonlySet<number> = new Set([550, 551, 553])
/** What is wrong is not the recipient: policies, and the address that mails come from. */
const AGAINST_US = /^(7\.|1\.[78]$)/

/** Throws an `Unavailable` where it is not about this mail. */
function refusalOf(error: unknown): MailOutcome {
  const failure = error as SmtpFailure
  const { rejectedErrors: [said = failure] = [] } = failure
  const { responseCode = 0, command = '' } = said
  const codes = codesOf(said)
  const isOfRecipient = command.startsWith('RCPT')
  if (responseCode < 400 || responseCode === CLOSING || !(isOfRecipient || command === 'DATA'))
    throw new Unavailable(`the mail server takes no mails now (${codes})`)
  if (responseCode < 500) return { status: 'DEFERRED', codes }
  if (!isOfRecipient) return { status: 'FAILED', codes }
  const enhanced = enhancedOf(said)?.slice('5.'.length)
  if (enhanced === undefined)
    return { status: NOBODY_REPLIES.has(responseCode) ? 'BOUNCED' : 'FAILED', codes }
  if (NOBODY.has(enhanced)) return { status: 'BOUNCED', codes }
  return { status: AGAINST_US.test(enhanced) ? 'DEFERRED' : 'FAILED', codes }
}

/** Reply code and enhanced status code, or what nodemailer calls it. */
function codesOf(failure: SmtpFailure): string {
  const { responseCode, code = 'unknown' } = failure
  if (responseCode === undefined) return code
  const enhanced = enhancedOf(failure)
  return enhanced === undefined ? String(responseCode) : `${responseCode} ${enhanced}`
}

function enhancedOf({ response = '' }: SmtpFailure): string | undefined {
  return /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1]
}
