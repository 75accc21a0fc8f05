/** Another master key for a shop: data keys are wrapped anew, and the old master key goes. */
import { expect, test } from 'vitest'
import { keyRecords } from '../../cli/pipeline/privacy/erasures.ts'
import { MasterKeys, type PrivacyKey, topics } from '../../schemas/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { filesWith, middleOf } from '../support/directory-bytes.ts'
import { readAll, valuesOf } from '../support/read-all.ts'
import { freshDirectory, run } from './command.ts'
import { call, openShop, WAIT } from './order-shop.ts'

const OLD = 'ab'.repeat(32)
const NEW = 'cd'.repeat(32)
const email = (user: string) => ({ email: `${user}@hidden.example` })
const settings = (masterKeys: string) => ({ 'orders.enabled': 'true', 'privacy.masterKeys': masterKeys })

async function rewrapped(dataDir: string, masterKeys: string) {
  const args = ['privacy', 'rewrap', '--data-dir', dataDir, '--json', '--set', 'orders.enabled=true']
  const { code, stdout, stderr } = await run(args, { MILLRACE_PRIVACY_MASTER_KEYS: masterKeys })
  return { code, stderr, report: code === 0 ? (JSON.parse(stdout) as object) : undefined }
}

const openLog = (directory: string) =>
  openEmbeddedLog({ directory, application: 'millrace', housekeepingIntervalMs: 0 })

/** A shop that was started, has sealed something for each user, and was ended. */
async function shopOf(users: readonly string[]): Promise<string> {
  const dataDir = freshDirectory()
  const shop = await openShop(settings(OLD), dataDir)
  for (const user of users)
    expect((await call(shop, 'PUT', `/v1/users/${user}`, email(user))).status).toBe(200)
  await shop.close()
  return dataDir
}

test('everything opens with the new master key alone, and the keys as they were leave the directory', async () => {
  const dataDir = await shopOf(['ann', 'bob'])
  const log = await openLog(dataDir)
  const before = (await valuesOf(log, topics.privacyKey)) as PrivacyKey[]
  await log.close()
  const done = await rewrapped(dataDir, `${NEW},${OLD}`)
  expect(done).toMatchObject({ code: 0, report: { users: 2, keys: 2, already: 0 } })

  const shop = await openShop(settings(NEW), dataDir)
  const profile = async (user: string) => (await call(shop, 'GET', `/v1/users/${user}`)).body
  for (const user of ['ann', 'bob'])
    await expect.poll(() => profile(user), WAIT).toEqual({ userId: user, ...email(user) })
  for (const { key } of before) await expect.poll(() => filesWith(dataDir, middleOf(key)), WAIT).toEqual([])
  // The data key is the same: what is sealed from now on is sealed with it.
  expect((await call(shop, 'PUT', '/v1/users/ann', email('anna'))).status).toBe(200)
  expect(await valuesOf(shop.log, topics.privacyKey)).toHaveLength(2)
  await shop.close()
  expect(await rewrapped(dataDir, `${NEW},${OLD}`)).toMatchObject({
    report: { users: 0, keys: 0, already: 2 },
  })
}, 120_000)

test('it may be run again before the next start, and brings back nobody whose erasure waits in the log', async () => {
  const dataDir = await shopOf(['ann', 'bob'])
  const log = await openLog(dataDir)
  await log.append([keyRecords()('bob', null)])
  await log.close()
  for (let runs = 0; runs < 2; runs++) expect((await rewrapped(dataDir, `${NEW},${OLD}`)).code).toBe(0)
  const shop = await openShop(settings(NEW), dataDir)
  await expect
    .poll(async () => (await call(shop, 'GET', '/v1/users/ann')).body, WAIT)
    .toEqual({ userId: 'ann', ...email('ann') })
  expect((await call(shop, 'GET', '/v1/users/bob')).body).toEqual({ userId: 'bob', erased: true })
}, 120_000)

test('of two keys of a user both are wrapped anew, and the last one still seals', async () => {
  const dataDir = await shopOf(['ann'])
  const first = MasterKeys.parse(OLD).make('ann').wrapped
  const log = await openLog(dataDir)
  await log.append([keyRecords()('ann', { userId: 'ann', ...first, createdAt: Date.now() })])
  await log.close()
  const done = await rewrapped(dataDir, `${NEW},${OLD}`)
  expect(done).toMatchObject({ report: { users: 1, keys: 2, already: 0 } })
  const after = await openLog(dataDir)
  const partitions = Array.from({ length: after.partitions(topics.privacyKey.name) }, (_, at) => at)
  const records = await Promise.all(
    partitions.map((partition) => readAll(after, { topic: topics.privacyKey.name, partition })),
  )
  await after.close()
  const last = topics.privacyKey.value.deserialize(records.flat().at(-1)?.value as Buffer)
  expect(last.keyId).toBe(first.keyId)
  expect(MasterKeys.parse(NEW).unwrap('ann', last).key).toEqual(
    MasterKeys.parse(OLD).unwrap('ann', first).key,
  )
}, 120_000)

test('without the old master key nothing changes, and it is said which is missing', async () => {
  const dataDir = await shopOf(['ann'])
  const { code, stderr } = await rewrapped(dataDir, NEW)
  expect(stderr).toMatch(/no master key [0-9a-f]{16} was given/)
  expect(code).toBe(2)
  const shop = await openShop(settings(OLD), dataDir)
  expect((await call(shop, 'GET', '/v1/users/ann')).body).toEqual({ userId: 'ann', ...email('ann') })
}, 120_000)

test('it is not for a shop that runs, nor for one on Kafka', async () => {
  const dataDir = freshDirectory()
  await openShop(settings(OLD), dataDir)
  expect(await rewrapped(dataDir, `${NEW},${OLD}`)).toMatchObject({ code: 4 })
  const args = ['privacy', 'rewrap', '--data-dir', dataDir, '--set', 'kafka.brokers=localhost:9']
  expect((await run(args)).code).toBe(2)
}, 120_000)
