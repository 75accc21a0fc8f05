/** A person of a running shop on a cluster is erased: what is left in topics, changelogs and on the broker's disk. */
import { expect, test } from 'vitest'
import { privacy, privacyKeyStore } from '../../topologies/index.ts'
import { MasterKeys, type Topic, topics, unseal } from '../../schemas/index.ts'
import { changelogTopic } from '../../streams/index.ts'
import type { Shop } from '../../cli/pipeline/shop.ts'
import { freshDirectory } from '../e2e/command.ts'
import { call, openShop, orderIn } from '../e2e/order-shop.ts'
import { filesWith, middleOf } from '../support/directory-bytes.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { readCommitted } from '../support/kafka/oracle.ts'
import { duringFile, startOwn } from '../support/kafka/own-cluster.ts'
import { kafkaTool } from '../support/kafka/tools.ts'

const MASTER_KEY = 'cd'.repeat(32)
/** In place of a day. */
const LAG_MS = 300
const CLEANED_WITHIN_MS = 90_000
const profile = { email: 'ann.secret@hidden.example' }
const shipTo = { name: 'Ann Verysecret', phone: '555-0199', zipcode: 'ZQX-4711', address: '1 Hidden Lane' }
const task = { topology: privacy.name, subTopology: 0, partition: 0 }
const changelog = changelogTopic('millrace', task, privacyKeyStore.name)

let disk = ''
const cluster = duringFile((directory) => startOwn((disk = directory), { brokers: 1 }))

async function openReady(dataDir = freshDirectory()): Promise<Shop> {
  const shop = await openShop(
    {
      'kafka.brokers': cluster().bootstrap,
      'kafka.leaveOnStop': 'true',
      'topics.partitions': '1',
      'orders.enabled': 'true',
      'privacy.masterKeys': MASTER_KEY,
    },
    dataDir,
  )
  await eventually(async () => (await fetch(`${shop.url}/readyz`)).ok, { timeoutMs: 60_000 })
  return shop
}

async function valuesOf<V>({ name, value }: Topic<V>): Promise<V[]> {
  const records = await readCommitted(cluster().bootstrap, name)
  return records.flatMap((record) => (record.value === null ? [] : [value.deserialize(record.value)]))
}

function configure(topic: string, change: readonly string[]): Promise<string> {
  const entity = ['--entity-type', 'topics', '--entity-name', topic]
  return kafkaTool(
    'kafka.admin.ConfigCommand',
    '--bootstrap-server',
    cluster().bootstrap,
    ...entity,
    ...change,
  )
}

test('an erased key leaves the topic, the changelog and the disk, and nothing that was decided changes', async () => {
  const shop = await openReady()
  for (const topic of [topics.privacyKey.name, changelog])
    expect(await configure(topic, ['--describe'])).toContain('max.compaction.lag.ms=86400000')

  await call(shop, 'PUT', '/v1/products/mug', { title: 'Mug', price: 300, received: 10 })
  for (const user of ['ann', 'bob'])
    expect((await call(shop, 'PUT', `/v1/users/${user}`, profile)).status).toBe(200)
  const order = { userId: 'ann', items: [{ productId: 'mug', quantity: 1 }], shipTo }
  const orderId = (await call(shop, 'POST', '/v1/orders', order)).body['orderId'] as string
  await orderIn(shop, orderId, 'COMPLETED')
  const [annKey, bobKey] = await valuesOf(topics.privacyKey)
  if (annKey === undefined || bobKey === undefined) throw new Error('both have a key')
  const dataKey = MasterKeys.parse(MASTER_KEY).unwrap('ann', annKey)
  const [created] = await valuesOf(topics.orderCreated)
  const place = { kind: 'order.shipTo', userId: 'ann', orderId } as const
  expect(JSON.parse(unseal(dataKey, place, created?.shipTo as Buffer).toString())).toMatchObject(shipTo)
  expect(await filesWith(disk, middleOf(annKey.key))).not.toEqual([])
  const { body: decided } = await call(shop, 'GET', `/v1/orders/${orderId}`)

  // From here on a day passes in no time. What was cleaned away leaves the disk at once.
  for (const topic of [topics.privacyKey.name, changelog]) {
    const soon = `max.compaction.lag.ms=${LAG_MS},file.delete.delay.ms=0`
    await configure(topic, ['--alter', '--add-config', soon])
  }
  const erased = await call(shop, 'DELETE', '/v1/users/ann/personal-data')
  expect(erased).toMatchObject({ status: 200, body: { status: 'ERASED' } })
  expect((await call(shop, 'GET', '/v1/users/ann')).body).toEqual({ userId: 'ann', erased: true })
  expect(await valuesOf(topics.opsAudit)).toContainEqual(
    expect.objectContaining({ action: 'user.erase', target: 'ann' }),
  )
  let customers = 0
  await eventually(
    async () => {
      // The next append after its time closes a segment, and only closed ones are cleaned.
      await call(shop, 'PUT', `/v1/users/customer-${customers++}`, profile)
      return (await filesWith(disk, middleOf(annKey.key))).length === 0
    },
    { timeoutMs: CLEANED_WITHIN_MS },
  )
  expect(await filesWith(disk, middleOf(bobKey.key))).not.toEqual([])
  expect((await valuesOf(topics.privacyKey)).map(({ userId }) => userId)).not.toContain('ann')
  const rows = await readCommitted(cluster().bootstrap, changelog)
  expect(rows.filter(({ value }) => value?.includes(middleOf(annKey.key)))).toEqual([])
  expect((await valuesOf(topics.orderCreated))[0]?.shipTo).toEqual(created?.shipTo)
  await shop.close()

  // Another directory: every row comes from the changelogs.
  const again = await openReady()
  expect((await call(again, 'GET', '/v1/users/ann')).body).toEqual({ userId: 'ann', erased: true })
  expect((await call(again, 'GET', '/v1/users/bob')).body).toEqual({ userId: 'bob', ...profile })
  expect((await call(again, 'GET', `/v1/orders/${orderId}`)).body).toEqual(decided)
}, 240_000)
