/**
 * What TLS and SASL are told, and what is refused before a secret leaves the process.
 *
 * Not its job: sockets and the exchange of SASL messages, which `link.ts` has from kafkajs.
 *
 * Invariants:
 * 1. A broker's certificate is always verified; no option, and no variable of the environment, turns that off.
 * 2. A secret that could be read on the wire (PLAIN, OAUTHBEARER) crosses it only inside TLS, or on the loopback of a
 *    machine where the options say so. It is checked for every broker: addresses come from the cluster, not only from
 *    the options.
 * 3. No error carries a secret.
 */
import { isIP } from 'node:net'
import { constants } from 'node:os'
import type { ConnectionOptions as TlsSocketOptions } from 'node:tls'
import { ClusterError } from './errors.ts'

type Pem = string | Buffer

export interface TlsOptions {
  /** Certificates that are trusted, PEM; absent: those that Node trusts. */
  readonly ca?: Pem | readonly Pem[]
  /** This client's certificate and key, PEM, where brokers ask for one. */
  readonly cert?: Pem
  readonly key?: Pem
  readonly passphrase?: string
  /** The name that the certificates must have; absent: the address of each broker. */
  readonly serverName?: string
}

export interface PasswordOptions {
  readonly username: string
  readonly password: string
}

export interface PlainOptions extends PasswordOptions {
  readonly mechanism: 'PLAIN'
  /** For development: without TLS to brokers on this machine. */
  readonly allowLoopbackWithoutTls?: boolean
}

export interface ScramOptions extends PasswordOptions {
  readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
}

export interface OAuthToken {
  readonly value: string
  /** SASL extensions, e.g. the logical cluster. */
  readonly extensions?: Readonly<Record<string, string>>
}

export interface OAuthBearerOptions {
  readonly mechanism: 'OAUTHBEARER'
  /** Called for each connection and before a session ends: it keeps the token and renews it in time. */
  readonly token: () => Promise<OAuthToken>
  /** For development: without TLS to brokers on this machine. */
  readonly allowLoopbackWithoutTls?: boolean
}

export type SaslOptions = PlainOptions | ScramOptions | OAuthBearerOptions

/** Throws `PASSWORD_EXPOSED` when the credentials must not go to `host` like this. */
export function checkExposure(
  host: string,
  tls: TlsOptions | undefined,
  sasl: SaslOptions | undefined,
): void {
  if (tls !== undefined || sasl === undefined) return
  // SCRAM proves that it knows the password without sending it.
  if (sasl.mechanism !== 'PLAIN' && sasl.mechanism !== 'OAUTHBEARER') return
  if (sasl.allowLoopbackWithoutTls === true && isLoopback(host)) return
  const why =
    sasl.allowLoopbackWithoutTls === true ? 'is not on this machine' : 'is to be reached without TLS'
  throw new ClusterError('PASSWORD_EXPOSED', `${sasl.mechanism} to ${host}, which ${why}`)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** Names each option that is passed on, so that none that weakens TLS can slip through. */
export function tlsSocketOptions(
  { ca, cert, key, passphrase, serverName }: TlsOptions,
  host: string,
): TlsSocketOptions {
  const name = serverName ?? (isIP(host) === 0 ? host : undefined)
  return {
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca: typeof ca === 'string' || Buffer.isBuffer(ca) ? ca : [...ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(name === undefined ? {} : { servername: name }),
  }
}

/** Codes of OpenSSL and of Node's TLS; those of a socket that breaks are the system's. */
export function isTlsError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && (code === 'EPROTO' || !(code in constants.errno))
}
