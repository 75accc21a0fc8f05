/** TLS, SASL and rights against a broker that checks them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, connect, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { Cluster } from '../../transports/kafka/cluster.ts'
import { type ConnectionOptions, Connections } from '../../transports/kafka/connections.ts'
import { metadata } from '../../transports/kafka/protocol/metadata.ts'
import type { SaslOptions, TlsOptions } from '../../transports/kafka/security.ts'
import { Topics } from '../../transports/kafka/topics.ts'
import { eventually } from '../support/kafka/eventually.ts'
import {
  ALICE,
  BOB,
  BROKER_NAME,
  type SecureBroker,
  startSecureBroker,
  unsignedToken,
} from './secure-broker.ts'
import '../support/kafka/fixture.ts'

let directory: string
let broker: SecureBroker
let tls: TlsOptions

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-secure-'))
  broker = await startSecureBroker(directory, inject('kafka').version)
  tls = { ca: broker.authority, serverName: BROKER_NAME }
})
afterAll(async () => {
  await broker?.kill()
  await rm(directory, { recursive: true, force: true, maxRetries: 3 })
})

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

function connectionsTo(address: string, options: Partial<ConnectionOptions> = {}): Connections {
  const connections = new Connections({ brokers: [address], clientId: 'secure', ...options }, 'test')
  closing.push(() => connections.close())
  return connections
}

/** Asks something that only who was let in is told. */
const ask = (address: string, options: Partial<ConnectionOptions> = {}) =>
  connectionsTo(address, options).sendToAny(metadata([]))

const scram: SaslOptions = { mechanism: 'SCRAM-SHA-512', ...ALICE }

describe('TLS', () => {
  test('lets in who trusts the broker', async () => {
    expect((await ask(broker.tls, { tls })).brokers).toHaveLength(1)
  })

  test('is refused with an authority that is not trusted, also where the environment says otherwise', async () => {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    closing.push(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'])
    await expect(ask(broker.tls, { tls: { ...tls, ca: broker.strangeAuthority } })).rejects.toMatchObject({
      code: 'TLS_FAILED',
      detail: expect.stringContaining(broker.tls),
    })
  })

  test('is refused when the certificate has another name', async () => {
    await expect(ask(broker.tls, { tls: { ca: broker.authority } })).rejects.toMatchObject({
      code: 'TLS_FAILED',
      detail: expect.stringContaining('127.0.0.1'),
    })
  })

  test('is refused with certificates that are none', async () => {
    await expect(ask(broker.tls, { tls: { cert: 'no certificate', key: 'no key' } })).rejects.toMatchObject({
      code: 'TLS_FAILED',
    })
  })

  test('lets in who shows a certificate where one is asked for', async () => {
    const own = { ...tls, cert: broker.clientCert, key: broker.clientKey }
    expect((await ask(broker.mutualTls, { tls: own })).brokers).toHaveLength(1)
  })

  test('keeps out who shows none', async () => {
    await expect(ask(broker.mutualTls, { tls })).rejects.toMatchObject({ code: 'TLS_FAILED' })
  })

  test('is spoken of when one side speaks it and the other does not', async () => {
    await expect(ask(broker.tls)).rejects.toMatchObject({ code: 'CONNECTION_FAILED' })
    await expect(ask(broker.plain, { tls })).rejects.toMatchObject({
      code: 'CONNECTION_FAILED',
      detail: expect.stringContaining('TLS'),
    })
  })
})

describe('SASL', () => {
  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)(
    '%s lets in who knows the password',
    async (mechanism) => {
      expect((await ask(broker.sasl, { tls, sasl: { mechanism, ...ALICE } })).brokers).toHaveLength(1)
    },
  )

  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)(
    '%s names broker, mechanism and user of who does not, and never the password',
    async (mechanism) => {
      const password = 'wrong-and-secret'
      const failure: unknown = await ask(broker.sasl, {
        tls,
        sasl: { mechanism, username: 'alice', password },
      }).catch((error: unknown) => error)
      expect(failure).toMatchObject({
        code: 'AUTHENTICATION_FAILED',
        detail: expect.stringContaining(`broker ${broker.sasl}: ${mechanism} as alice: `),
      })
      expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain(password)
    },
  )

  test('OAUTHBEARER lets in who has a token', async () => {
    const sasl: SaslOptions = {
      mechanism: 'OAUTHBEARER',
      token: async () => ({ value: unsignedToken('alice') }),
    }
    expect((await ask(broker.sasl, { tls, sasl })).brokers).toHaveLength(1)
  })

  test('OAUTHBEARER keeps out who has one that is over', async () => {
    const value = unsignedToken('alice', -60)
    const sasl: SaslOptions = { mechanism: 'OAUTHBEARER', token: async () => ({ value }) }
    const failure: unknown = await ask(broker.sasl, { tls, sasl }).catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      detail: expect.stringContaining('OAUTHBEARER: the token was refused: {"status":"invalid_token"}'),
    })
    expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain(value)
  })

  test('OAUTHBEARER without a token sends nothing, and may be tried again', async () => {
    const token = () => Promise.reject(new Error('the issuer is down'))
    await expect(ask(broker.sasl, { tls, sasl: { mechanism: 'OAUTHBEARER', token } })).rejects.toMatchObject({
      code: 'CONNECTION_FAILED',
      cause: { message: 'the issuer is down' },
    })
  })

  test('a session is renewed on its connection, while requests go on', async () => {
    const front = await counter(broker.sasl)
    let tokens = 0
    const token = async () => {
      tokens++
      return { value: unsignedToken('alice') }
    }
    const connections = connectionsTo(broker.sasl, { tls, sasl: { mechanism: 'OAUTHBEARER', token } })
    connections.know([{ nodeId: 1, host: '127.0.0.1', port: front.port }])
    await eventually(async () => {
      await Promise.all(Array.from({ length: 5 }, () => connections.send(1, metadata([]))))
      return tokens >= 3
    })
    expect(front.connections).toBe(1)
  })

  test('is asked for where this side has none', async () => {
    await expect(ask(broker.sasl, { tls })).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      detail: expect.stringContaining('it may want credentials (SASL)'),
    })
  })

  test('is not understood by a listener without it', async () => {
    await expect(ask(broker.tls, { tls, sasl: scram })).rejects.toMatchObject({
      code: 'AUTHENTICATION_FAILED',
    })
  })

  test('SCRAM needs no TLS', async () => {
    expect((await ask(broker.saslInTheClear, { sasl: scram })).brokers).toHaveLength(1)
  })

  test('a password does not cross the network in the clear', async () => {
    await expect(
      ask(broker.saslInTheClear, { sasl: { mechanism: 'PLAIN', ...ALICE } }),
    ).rejects.toMatchObject({
      code: 'PASSWORD_EXPOSED',
      detail: 'PLAIN to 127.0.0.1, which is to be reached without TLS',
    })
  })

  test('a password may go to the same machine where the options say so', async () => {
    const sasl: SaslOptions = { mechanism: 'PLAIN', ...ALICE, allowLoopbackWithoutTls: true }
    expect((await ask(broker.saslInTheClear, { sasl })).brokers).toHaveLength(1)
  })
})

describe('rights', () => {
  const spec = {
    name: 'secrets',
    partitions: 1,
    cleanup: 'delete',
    timestamps: 'CreateTime',
    retentionMs: Number.POSITIVE_INFINITY,
    retentionBytes: Number.POSITIVE_INFINITY,
  } as const

  async function open(user: {
    username: string
    password: string
  }): Promise<{ cluster: Cluster; topics: Topics }> {
    const connections = connectionsTo(broker.sasl, { tls, sasl: { mechanism: 'SCRAM-SHA-256', ...user } })
    const cluster = new Cluster(connections)
    const topics = new Topics(connections, cluster)
    closing.push(
      () => topics.close(),
      () => cluster.close(),
    )
    await cluster.open()
    return { cluster, topics }
  }

  test('that are missing are named with the topic', async () => {
    await (await open(ALICE)).topics.ensureTopics([spec])
    const { cluster, topics } = await open(BOB)
    const denied = { code: 'ACCESS_DENIED', detail: 'Metadata of topic secrets (TOPIC_AUTHORIZATION_FAILED)' }
    await expect(cluster.learn(['secrets'])).rejects.toMatchObject(denied)
    await expect(topics.ensureTopics([spec])).rejects.toMatchObject(denied)
    await expect(topics.planTopics([spec])).rejects.toMatchObject(denied)
  })

  test('that are missing are named with the group and the transactional id', async () => {
    const { cluster } = await open(BOB)
    await expect(cluster.coordinator('group', 'millrace-shop')).rejects.toMatchObject({
      code: 'ACCESS_DENIED',
      detail: 'FindCoordinator of group millrace-shop (GROUP_AUTHORIZATION_FAILED)',
    })
    await expect(cluster.coordinator('transaction', 'millrace.shop.0.1')).rejects.toMatchObject({
      code: 'ACCESS_DENIED',
      detail: 'FindCoordinator of transactional id millrace.shop.0.1 (TRANSACTIONAL_ID_AUTHORIZATION_FAILED)',
    })
  })
})

/** Passes bytes on to `address` and counts the connections. */
async function counter(address: string): Promise<{ readonly port: number; readonly connections: number }> {
  const [host = '', port = ''] = address.split(':')
  const counted = { port: 0, connections: 0 }
  const server: Server = createServer((near) => {
    counted.connections++
    const far = connect(Number(port), host)
    near.pipe(far).pipe(near)
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  closing.unshift(() => void server.close())
  const bound = server.address()
  if (bound !== null && typeof bound === 'object') counted.port = bound.port
  return counted
}
