/** What of a shop with topics of its own is brought to a cluster. */
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openOfflineLog } from '../../cli/pipeline/embedded-shop-log.ts'
import { planMigration } from '../../cli/pipeline/migration/plan.ts'
import { type Config, loadConfig } from '../../config/index.ts'
import { jsonSerde as json } from '../../connectors/bindings/external.ts'
import { topics } from '../../schemas/index.ts'
import { valuesOf } from '../support/read-all.ts'
import { freshDirectory, ROOT } from './command.ts'
import { call, openShop, WAIT } from './order-shop.ts'

const settings = { 'bindings.profiles': join(ROOT, 'samples/shops/d/profile.json'), 'shop.currency': 'KRW' }

function configOf(dataDir: string, more: Readonly<Record<string, string>>): Config {
  const flags = Object.fromEntries(
    Object.entries({ dataDir, ...more }).map(([key, text]) => [key, { text, flag: '--set' }]),
  )
  return loadConfig({ env: {}, cwd: '/', flags }).config
}

async function offline(dataDir: string) {
  const opened = await openOfflineLog(configOf(dataDir, settings))
  onTestFinished(() => opened.log.close())
  return opened
}

const order = { orderId: 'o1', products: [{ productId: 'mug', quantity: 1 }] }

test('bindings that tell the shop go on where they were; what they had told is not told again', async () => {
  const dataDir = freshDirectory()
  const shop = await openShop(settings, dataDir)
  await call(shop, 'POST', '/v1/events/order-created', order)
  const told = () =>
    valuesOf(shop.log, { ...topics.orderCompleted, name: 'stock-response-topic', value: json } as never)
  await expect.poll(async () => (await told()).length, WAIT).toBe(1)
  await shop.close()
  const { log, config } = await offline(dataDir)
  const { groups, left } = await planMigration(log, config)
  const group = groups.find(({ spec }) => spec.topology === 'connector-binding-d-stock-response')
  const positions = group?.tasks.flatMap(({ checkpoint }) => checkpoint.positions) ?? []
  expect(positions.map(({ topic }) => new Set([topic]))).toEqual(
    positions.map(() => new Set(['stock.reserve.result'])),
  )
  expect(positions.reduce((sum, { offset }) => sum + offset, 0)).toBe(1)
  expect(left).toContain('connector-binding-d-order-created')
  expect(left).not.toContain('connector-binding-d-stock-response')
})

test('messages of the shop that nobody has taken are not left behind', async () => {
  const dataDir = freshDirectory()
  const shop = await openShop(settings, dataDir)
  expect(await call(shop, 'POST', '/v1/ops/connectors/binding-d-order-created/pause')).toMatchObject({
    status: 200,
  })
  expect(await call(shop, 'POST', '/v1/events/order-created', order)).toMatchObject({ status: 202 })
  await shop.close()
  const { log, config } = await offline(dataDir)
  await expect(planMigration(log, config)).rejects.toThrow(
    /1 messages of order-created-\d wait for connector-binding-d-order-created/,
  )
})
