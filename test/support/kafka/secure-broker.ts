/** A broker with a second listener that wants TLS, a password, or both. The plain one stays for the judges. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { inject } from 'vitest'
import type { LocalCluster } from '../../../cli/local-cluster/cluster.ts'
import type { Properties, SecondListener } from '../../../cli/local-cluster/properties.ts'
import { type Certificates, makeCertificates } from './certificates.ts'
import { duringFile, type OwnClusterOptions, startOwn } from './own-cluster.ts'

export type Mechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER'

export interface Security {
  /** Else the listener is without TLS. */
  readonly tls?: {
    /** Wants a certificate of the client's. */
    readonly clientCertificate?: boolean
    /** Names in the broker's certificate, else `ip:127.0.0.1` and `dns:localhost`. */
    readonly names?: readonly string[]
  }
  readonly sasl?: {
    readonly mechanisms: readonly Mechanism[]
    /** Passwords by name. OAUTHBEARER needs none: it takes whoever has an {@link unsecuredToken}. */
    readonly users?: Readonly<Record<string, string>>
  }
}

export interface SecureCluster extends LocalCluster {
  readonly secondBootstrap: string
  /** Absent without TLS. */
  readonly certificates: Certificates | undefined
}

/** As `oneBroker`. Give `tls` or `sasl`; the listener to be tested is at `secondBootstrap`. */
export function secureBroker(security: Security, options: OwnClusterOptions = {}): () => SecureCluster {
  return duringFile(async (directory) => {
    const certificates = await certificatesOf(security, directory)
    const secondListener = listenerOf(security, certificates)
    const cluster = await startOwn(directory, { ...options, brokers: 1, secondListener })
    const { secondBootstrap } = cluster
    if (secondBootstrap === undefined) throw new Error('there is no second listener')
    return { ...cluster, secondBootstrap, certificates }
  })
}

/** A token as Kafka's handler for development takes it: signed by nobody. */
export function unsecuredToken(user: string, lifetimeMs: number): string {
  const now = Date.now() / 1000
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: user, iat: now, exp: now + lifetimeMs / 1000 })}.`
}

async function certificatesOf({ tls }: Security, directory: string): Promise<Certificates | undefined> {
  if (tls === undefined) return undefined
  const place = join(directory, 'certificates')
  await mkdir(place)
  return makeCertificates(inject('kafka').java, place, tls.names ?? ['ip:127.0.0.1', 'dns:localhost'])
}

function listenerOf({ tls, sasl }: Security, certificates: Certificates | undefined): SecondListener {
  const properties = {
    ...tlsProperties(certificates, tls?.clientCertificate === true),
    ...saslProperties(sasl),
  }
  const protocol = sasl === undefined ? 'SSL' : tls === undefined ? 'SASL_PLAINTEXT' : 'SASL_SSL'
  return { protocol, properties, formatArgs: formatArgs(sasl) }
}

function tlsProperties(certificates: Certificates | undefined, clientCertificate: boolean): Properties {
  if (certificates === undefined) return {}
  const { brokerKeys, trusted, password } = certificates
  return {
    'ssl.keystore.type': 'PKCS12',
    'ssl.keystore.location': brokerKeys,
    'ssl.keystore.password': password,
    'ssl.key.password': password,
    'ssl.truststore.type': 'PKCS12',
    'ssl.truststore.location': trusted,
    'ssl.truststore.password': password,
    'ssl.client.auth': clientCertificate ? 'required' : 'none',
  }
}

function saslProperties(sasl: Security['sasl']): Properties {
  if (sasl === undefined) return {}
  const { mechanisms, users = {} } = sasl
  const logins = mechanisms.map((mechanism) => [
    `${mechanism.toLowerCase()}.sasl.jaas.config`,
    `${loginModule(mechanism, users)};`,
  ])
  return { 'sasl.enabled.mechanisms': mechanisms.join(','), ...Object.fromEntries(logins) }
}

function loginModule(mechanism: Mechanism, users: Readonly<Record<string, string>>): string {
  const security = 'org.apache.kafka.common.security'
  switch (mechanism) {
    case 'PLAIN': {
      const passwords = Object.entries(users).map(([name, password]) => ` user_${name}="${password}"`)
      return `${security}.plain.PlainLoginModule required${passwords.join('')}`
    }
    case 'SCRAM-SHA-256':
    case 'SCRAM-SHA-512':
      return `${security}.scram.ScramLoginModule required`
    case 'OAUTHBEARER':
      return `${security}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker"`
  }
}

/** Users of SCRAM are records of the cluster. */
function formatArgs(sasl: Security['sasl']): string[] {
  const { mechanisms = [], users = {} } = sasl ?? {}
  return mechanisms
    .filter((mechanism) => mechanism.startsWith('SCRAM'))
    .flatMap((mechanism) =>
      Object.entries(users).flatMap(([name, password]) => [
        '--add-scram',
        `${mechanism}=[name=${name},password=${password}]`,
      ]),
    )
}
