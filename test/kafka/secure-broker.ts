/**
 * A broker with a listener for every way in, rights that are checked, and certificates made for it.
 *
 * Needs Java, Maven and openssl.
 */
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { kafkaJars } from '../../cli/local-cluster/artifacts.ts'
import { Broker, jvmOptions, logDirectoryOf } from '../../cli/local-cluster/broker.ts'
import { findJava } from '../../cli/local-cluster/java.ts'
import { freePort } from '../../cli/local-cluster/ports.ts'
import { memberProperties } from '../../cli/local-cluster/properties.ts'

const run = promisify(execFile)

/** The name that the broker's certificate has. */
export const BROKER_NAME = 'localhost'
export const ALICE = { username: 'alice', password: 'wonder-land-7' }
/** Has no right to anything. */
export const BOB = { username: 'bob', password: 'no-body-9' }
/** Seconds after which a client of OAUTHBEARER or PLAIN must say again who it is. */
const SESSION_MS = 2000
const HEAP_MB = 512

export interface SecureBroker {
  /** `host:port` of each listener. */
  readonly plain: string
  readonly tls: string
  /** TLS, and the client shows a certificate. */
  readonly mutualTls: string
  readonly sasl: string
  /** SASL without TLS. */
  readonly saslInTheClear: string
  /** Certificates and keys, PEM. */
  readonly authority: string
  readonly strangeAuthority: string
  readonly clientCert: string
  readonly clientKey: string
  kill(): Promise<void>
}

export async function startSecureBroker(directory: string, version: string): Promise<SecureBroker> {
  const certificates = join(directory, 'certificates')
  await makeCertificates(certificates)
  const java = await findJava(process.env)
  const jars = await kafkaJars(version, { env: process.env })
  const [port, controllerPort, tls, mutual, sasl, clear] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  const own = join(directory, 'broker')
  const member = { id: 1, port, controllerPort }
  const ports = { PLAINTEXT: port, TLS: tls, MUTUAL: mutual, SASL: sasl, CLEAR: clear }
  const broker = new Broker({
    ...member,
    directory: own,
    properties: {
      ...memberProperties(member, [member], logDirectoryOf(own), undefined),
      ...listeners(ports, controllerPort),
      ...tlsProperties(certificates),
      ...saslProperties('sasl'),
      ...saslProperties('clear'),
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS;User:alice;User:CN=client',
    },
    java,
    jars,
    jvmOptions: jvmOptions.start,
    heapMb: HEAP_MB,
  })
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) =>
    [ALICE, BOB].flatMap(({ username, password }) => [
      '--add-scram',
      `${mechanism}=[name=${username},password=${password}]`,
    ]),
  )
  await broker.prepare({ clusterId: 'MkU3OEVBNTcwNTJENDM2Qg', args: scram })
  await broker.start()
  const pem = (name: string) => readFile(join(certificates, name), 'utf8')
  const at = (listener: number) => `127.0.0.1:${listener}`
  return {
    plain: at(port),
    tls: at(tls),
    mutualTls: at(mutual),
    sasl: at(sasl),
    saslInTheClear: at(clear),
    authority: await pem('authority.crt'),
    strangeAuthority: await pem('strange.crt'),
    clientCert: await pem('client.crt'),
    clientKey: await pem('client.key'),
    kill: () => broker.kill(),
  }
}

function listeners(ports: Readonly<Record<string, number>>, controllerPort: number): Record<string, string> {
  const on = (host: (name: string) => string) =>
    Object.entries(ports).map(([name, port]) => `${name}://${host(name)}:${port}`)
  const all = on(() => '127.0.0.1')
  return {
    listeners: [...all, `CONTROLLER://127.0.0.1:${controllerPort}`].join(','),
    // Where the certificate's name counts for a whole program, which takes it from the address.
    'advertised.listeners': on((name) => (name === 'SASL' ? BROKER_NAME : '127.0.0.1')).join(','),
    'listener.security.protocol.map':
      'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,TLS:SSL,MUTUAL:SSL,SASL:SASL_SSL,CLEAR:SASL_PLAINTEXT',
  }
}

function tlsProperties(certificates: string): Record<string, string> {
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': join(certificates, 'broker.pem'),
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': join(certificates, 'authority.crt'),
    'listener.name.mutual.ssl.client.auth': 'required',
  }
}

function saslProperties(listener: string): Record<string, string> {
  const prefix = `listener.name.${listener}`
  const security = 'org.apache.kafka.common.security'
  return {
    [`${prefix}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
    [`${prefix}.plain.sasl.jaas.config`]: `${security}.plain.PlainLoginModule required user_alice="${ALICE.password}" user_bob="${BOB.password}";`,
    [`${prefix}.scram-sha-256.sasl.jaas.config`]: `${security}.scram.ScramLoginModule required;`,
    [`${prefix}.scram-sha-512.sasl.jaas.config`]: `${security}.scram.ScramLoginModule required;`,
    // Takes tokens without signature.
    [`${prefix}.oauthbearer.sasl.jaas.config`]: `${security}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
    [`${prefix}.oauthbearer.connections.max.reauth.ms`]: String(SESSION_MS),
  }
}

/** A token of the broker's, without signature. `seconds`: how long it is good. */
export function unsignedToken(subject: string, seconds = 3600): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: now, exp: now + seconds })}.`
}

/** Two authorities; the first has signed for broker and client. */
async function makeCertificates(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  const openssl = (...args: string[]) => run('openssl', args, { cwd: directory })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  for (const authority of ['authority', 'strange']) {
    await openssl(
      'req',
      '-x509',
      ...key,
      '-subj',
      `/CN=${authority}`,
      '-keyout',
      `${authority}.key`,
      '-out',
      `${authority}.crt`,
    )
  }
  for (const [name, subject] of [
    ['broker', BROKER_NAME],
    ['client', 'client'],
  ] as const) {
    const signed = [
      '-CA',
      'authority.crt',
      '-CAkey',
      'authority.key',
      '-addext',
      `subjectAltName=DNS:${subject}`,
    ]
    await openssl(
      'req',
      '-x509',
      ...key,
      ...signed,
      '-subj',
      `/CN=${subject}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
    )
  }
  const chain = ['broker.key', 'broker.crt'].map((name) => readFile(join(directory, name), 'utf8'))
  await writeFile(join(directory, 'broker.pem'), (await Promise.all(chain)).join(''))
}
