/** A shop on a cluster that asks who it is and grants it what docs/kafka.md says, and nothing else. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { freshDirectory, getJson, ROOT, run, type Shop, startShopWith, stop } from '../e2e/command.ts'
import { ask, openCoupon } from '../e2e/coupons.ts'
import { Cluster } from '../../transports/kafka/cluster.ts'
import { Connections } from '../../transports/kafka/connections.ts'
import { isClusterError } from '../../transports/kafka/errors.ts'
import { eventually } from '../support/kafka/eventually.ts'
import '../support/kafka/fixture.ts'
import { ALICE, BOB, BROKER_NAME, type SecureBroker, startSecureBroker } from './secure-broker.ts'

const directory = freshDirectory()
const caFile = join(directory, 'certificates', 'authority.crt')
const RESOURCES = {
  Topic: AclResourceTypes.TOPIC,
  Group: AclResourceTypes.GROUP,
  TransactionalId: AclResourceTypes.TRANSACTIONAL_ID,
} as const
const OPERATIONS: Readonly<Record<string, AclOperationTypes>> = {
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
}

let broker: SecureBroker
let admin: Admin

beforeAll(async () => {
  broker = await startSecureBroker(directory, inject('kafka').version)
  admin = new Kafka({ brokers: [broker.plain], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const applied = await run(['topics', 'apply', ...settings(ALICE)], secrets(ALICE))
  if (applied.code !== 0) throw new Error(applied.stderr)
  await admin.createAcls({ acl: documented() })
  for (const resource of Object.keys(RESOURCES) as Row['resource'][])
    await eventually(() => isAllowed(resource))
})
afterAll(async () => {
  await admin?.disconnect()
  await broker?.kill()
})

interface Row {
  readonly resource: keyof typeof RESOURCES
  readonly prefix: string
  readonly operations: readonly string[]
}

/** The table of docs/kafka.md. */
function rows(): readonly Row[] {
  const text = readFileSync(join(ROOT, 'docs/kafka.md'), 'utf8')
  const found = [...text.matchAll(/^\| (Topic|Group|TransactionalId) \| `(\S+)` \| ([A-Za-z, ]+) \|/gm)]
  return found.map(([, resource, prefix = '', operations = '']) => ({
    resource: resource as Row['resource'],
    prefix,
    operations: operations.split(', '),
  }))
}

function documented() {
  return rows().flatMap(({ resource, prefix, operations }) =>
    operations.map((operation) => ({
      resourceType: RESOURCES[resource],
      resourceName: prefix,
      resourcePatternType: ResourcePatternTypes.PREFIXED,
      principal: `User:${BOB.username}`,
      host: '*',
      operation: OPERATIONS[operation] as AclOperationTypes,
      permissionType: AclPermissionTypes.ALLOW,
    })),
  )
}

/** Takes a right away; the answer gives it back. The brokers act on either a moment after they have answered. */
async function revoke(resource: Row['resource']): Promise<() => Promise<unknown>> {
  const acl = documented().filter(({ resourceType }) => resourceType === RESOURCES[resource])
  await admin.deleteAcls({ filters: acl })
  await eventually(async () => (await isAllowed(resource)) === false)
  return async () => {
    await admin.createAcls({ acl })
    await eventually(() => isAllowed(resource))
  }
}

async function isAllowed(resource: Row['resource']): Promise<boolean> {
  const tls = { ca: broker.authority, serverName: BROKER_NAME }
  const sasl = { mechanism: 'SCRAM-SHA-512', ...BOB } as const
  const connections = new Connections({ brokers: [broker.sasl], clientId: 'probe', tls, sasl }, 'probe')
  const cluster = new Cluster(connections)
  try {
    await cluster.open()
    if (resource === 'Topic') await cluster.learn(['coupon.issued'])
    else await cluster.coordinator(resource === 'Group' ? 'group' : 'transaction', 'millrace.probe')
    return true
  } catch (error) {
    if (isClusterError(error, 'ACCESS_DENIED')) return false
    throw error
  } finally {
    cluster.close()
    await connections.close()
  }
}

function settings({ username }: typeof BOB): string[] {
  const [, port] = broker.sasl.split(':')
  const set = {
    'kafka.tls': true,
    'kafka.tlsCaFile': caFile,
    'kafka.saslMechanism': 'scram-sha-512',
    'kafka.saslUsername': username,
    'kafka.createTopics': username === ALICE.username,
    'kafka.leaveOnStop': true,
  }
  const flags = Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`])
  return ['--kafka', `${BROKER_NAME}:${port}`, ...flags]
}

function secrets({ password }: typeof BOB): Record<string, string> {
  return { MILLRACE_KAFKA_SASL_PASSWORD: password }
}

async function startReady(dataDir = freshDirectory()): Promise<Shop> {
  const shop = await startShopWith(secrets(BOB), dataDir, ...settings(BOB))
  await eventually(async () => (await fetch(`${shop.url}/readyz`)).ok)
  return shop
}

describe('with the rights of the table', () => {
  test('a shop does its work, and another process on an empty disk goes on with it', async () => {
    const first = await startReady()
    await openCoupon(first, 'spring', 2)
    const before = await ask(first, 'spring', 'ann', 'r1')
    expect(before).toMatchObject({ status: 'ISSUED', sequence: 1 })
    await eventually(async () => {
      const { items } = await getJson(`${first.url}/v1/users/ann/coupons`)
      return (items as readonly unknown[]).length === 1
    })
    expect((await stop(first)).code).toBe(0)
    const second = await startReady()
    expect(await ask(second, 'spring', 'ann', 'r1')).toEqual(before)
    await stop(second)
  })
})

describe('without a right', () => {
  const cases: readonly [resource: Row['resource'], says: RegExp][] = [
    ['Topic', /does not allow it: .* of topic \S+ \(TOPIC_AUTHORIZATION_FAILED\)/],
    ['Group', /does not allow it: .* of group millrace\.\S+ \(GROUP_AUTHORIZATION_FAILED\)/],
    [
      'TransactionalId',
      /does not allow it: .* of transactional id millrace\.\S+ \(TRANSACTIONAL_ID_AUTHORIZATION_FAILED\)/,
    ],
  ]
  test.each(cases)('to its %s a shop does not start, and names what it may not', async (resource, says) => {
    const restore = await revoke(resource)
    const args = ['start', '--port', '0', '--data-dir', freshDirectory(), ...settings(BOB)]
    const { code, stderr } = await run(args, secrets(BOB))
    await restore()
    expect(stderr).toMatch(says)
    expect(code).toBe(1)
  })

  test('that it had until now a shop processes nothing more, and answers read-only', async () => {
    const shop = await startReady()
    await openCoupon(shop, 'summer', 1_000)
    await ask(shop, 'summer', 'ann', 'r1')
    const before = await getJson(`${shop.url}/v1/coupons/summer/requests/r1`)
    const restore = await revoke('TransactionalId')
    // Taken by the log, which another right allows, and decided by nobody.
    let asked = 0
    await eventually(async () => {
      await request(shop, `late-${asked++}`)
      return (await fetch(`${shop.url}/readyz`)).status === 503
    })
    expect(await getJson(`${shop.url}/v1/coupons/summer`)).toMatchObject({ quota: 1_000 })
    expect(await getJson(`${shop.url}/v1/coupons/summer/requests/r1`)).toEqual(before)
    await restore()
    await stop(shop)
    // What it had taken meanwhile is decided by the next one.
    const next = await startReady()
    const last = `late-${asked - 1}`
    expect(await ask(next, 'summer', last, last)).toMatchObject({ status: 'ISSUED', sequence: asked + 1 })
    await stop(next)
  })
})

/** Asks, and waits for nothing but the log. */
async function request({ url }: Shop, id: string): Promise<void> {
  const body = JSON.stringify({ userId: id, requestId: id })
  const headers = { 'content-type': 'application/json' }
  await fetch(`${url}/v1/coupons/summer/requests`, { method: 'POST', headers, body })
}
