/**
 * Mails over SMTP, by nodemailer: a few connections that are kept, TLS, and what the server says read as the frame needs
 * it.
 *
 * | the server says | means |
 * | --- | --- |
 * | 2xx | sent |
 * | 4xx, nothing, a cut connection, no login | try again later |
 * | 5xx to the recipient | the address bounced |
 * | 5xx to the message | this mail will never be taken |
 * | 5xx to anything else | it is us who are not welcome: try again later |
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

/** Throws an `Unavailable` for what may go better later. */
function refusalOf(error: unknown): MailOutcome {
  const failure = error as SmtpFailure
  const { rejectedErrors: [said = failure] = [] } = failure
  const { responseCode = 0, command = '' } = said
  const codes = codesOf(said)
  if (responseCode >= 500 && command.startsWith('RCPT')) return { status: 'BOUNCED', codes }
  if (responseCode >= 500 && command === 'DATA') return { status: 'FAILED', codes }
  throw new Unavailable(`the mail server does not take it now (${codes})`)
}

/** Reply code and enhanced status code (RFC 3463), or what nodemailer calls it. */
function codesOf({ responseCode, response = '', code = 'unknown' }: SmtpFailure): string {
  if (responseCode === undefined) return code
  const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1]
  return enhanced === undefined ? String(responseCode) : `${responseCode} ${enhanced}`
}
