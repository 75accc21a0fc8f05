/**
 * Erasure by key: with the key gone, nothing that is left anywhere opens, and nothing that was decided is another thing.
 * The bytes of every topic are looked at: input, outputs, dead letters, changelogs.
 */
import { describe, expect, test } from 'vitest'
import { MasterKeys, seal, type SealedPlace, topics, unseal } from '../../schemas/index.ts'
import { changelogTopic, type LogRecord, type Topology } from '../../streams/index.ts'
import { TopologyTestDriver } from '../../testing/index.ts'
import {
  deliverySandbox,
  orders,
  paymentSandbox,
  points,
  privacy,
  privacyKeyStore,
  profileStore,
  stock,
  users,
  wallet,
} from '../../topologies/index.ts'
import { decidedOtherwise } from '../property/service-history.ts'
import { DAY, modes, START } from '../support/services.ts'

const masterKeys = MasterKeys.parse('ab'.repeat(32))
const { dataKey, wrapped } = masterKeys.make('ann')
const address = 'Ann Verysecret, 1 Hidden Lane'
const place: SealedPlace = { kind: 'order.shipTo', userId: 'ann', orderId: 'o1' }
const shipTo = seal(dataKey, place, Buffer.from(address))
const email = seal(dataKey, { kind: 'user.email', userId: 'ann' }, Buffer.from('ann@hidden.example'))
const item = { lineNo: 1, productId: 'mug', categoryId: null, quantity: 1, unitPrice: 300 }
const order = {
  orderId: 'o1',
  userId: 'ann',
  items: [item],
  userCouponId: null,
  pointsToUse: 0,
  currency: 'GBP',
  payBy: START + DAY,
  shipTo,
  bodyHash: null,
}

const keeping = { keepMs: 30 * DAY, keepDoneMs: 400 * DAY }
const patience = { timeoutMs: 10_000, retry: { attempts: 3, backoffMs: 1_000 } }
const all: readonly Topology[] = [
  privacy,
  users,
  orders({ currency: 'GBP', keepMs: 400 * DAY, patience, deliveryPatience: { timeoutMs: DAY } }),
  stock(keeping),
  points({ ...keeping, rateBp: 100, validForMs: null }),
  wallet({ ...keeping, waitMs: 1_000 }),
  paymentSandbox(keeping),
  deliverySandbox(keeping),
]

class Run {
  readonly driver: TopologyTestDriver

  private constructor(driver: TopologyTestDriver) {
    this.driver = driver
  }

  /** One order to its end; one that is a dead letter, with an address too. */
  static async play(mode: (typeof modes)[number][1], { erased }: { readonly erased: boolean }): Promise<Run> {
    const driver = await TopologyTestDriver.open({ topologies: all, now: START, ...mode })
    const { stockAdjustRequested, privacyKey, userProfile, orderCreated } = topics
    const adjust = { adjustId: 'a', productId: 'mug', quantity: 5, reason: '' }
    await driver.pipe(stockAdjustRequested, 'mug', adjust)
    await driver.pipe(privacyKey, 'ann', { userId: 'ann', ...wrapped, createdAt: START })
    await driver.pipe(userProfile, 'ann', { userId: 'ann', email, locale: null })
    await driver.pipe(orderCreated, 'o1', order)
    await driver.pipe(orderCreated, 'o2', { ...order, orderId: 'o2', items: [] })
    if (erased) await driver.pipe(privacyKey, 'ann', null)
    await driver.advanceWallTime(5_000)
    return new Run(driver)
  }

  /** Every record of every topic, changelogs and dead letters among them. */
  get records(): readonly LogRecord[] {
    return this.driver.log.topics().flatMap(({ name }) => this.driver.log.records(name))
  }

  /** What each of the topics said, without who caused it. */
  said(names: readonly string[]): readonly string[] {
    return names.flatMap((name) =>
      this.driver.log.records(name).map(({ key, value }) => {
        return `${name} ${key?.toString()} ${value?.toString('hex')}`
      }),
    )
  }
}

const holding = (records: readonly LogRecord[], bytes: Buffer) =>
  records.filter(({ value, headers }) => {
    return value?.includes(bytes) === true || headers.some(([, header]) => header.includes(bytes))
  })

describe.each(modes)('erasure by key, %s', (_, mode) => {
  test('I25: sealed data is in the log as ciphertext, and opens only with the key', async () => {
    const { driver, records } = await Run.play(mode, { erased: false })
    expect(holding(records, Buffer.from(address))).toEqual([])
    expect(holding(records, shipTo).length).toBeGreaterThan(2)
    const [delivery] = driver.read(topics.deliveryRequested)
    expect(driver.latest(topics.orderStatus).get('o1')).toMatchObject({ state: 'COMPLETED' })
    const [kept] = driver.store(privacy, privacyKeyStore).get('ann').value?.keys ?? []
    const key = masterKeys.unwrap('ann', kept as typeof wrapped)
    expect(unseal(key, place, delivery?.value?.shipTo as Buffer).toString()).toBe(address)
    await driver.close()
  })

  test('the key is the last of its kind nowhere: not in its topic, not in the store, not in a changelog', async () => {
    const { driver } = await Run.play(mode, { erased: true })
    expect(driver.store(privacy, privacyKeyStore).get('ann').value).toBeUndefined()
    expect(driver.latest(topics.privacyKey).has('ann')).toBe(false)
    if (mode.stateHome === 'task') {
      const task = { topology: privacy.name, subTopology: 0, partition: 0 }
      const changes = driver.log.records(changelogTopic('test', task, privacyKeyStore.name))
      expect(changes.map(({ value }) => value === null)).toEqual([false, true])
    }
    // What it sealed is where it was: input, delivery, the order's row, a dead letter, the profile.
    expect(driver.deadLetters(topics.orderCreated as never)).toHaveLength(1)
    expect(driver.deadLetters(topics.orderCreated as never)[0]?.value?.includes(shipTo)).toBe(true)
    expect(driver.store(users, profileStore).get('ann').value?.email).toEqual(email)
    await driver.close()
  })

  test('decisions are the same, and a replay makes the same bytes', async () => {
    const before = await Run.play(mode, { erased: false })
    const after = await Run.play(mode, { erased: true })
    const decided = [
      topics.orderStatus,
      topics.stockReserveResult,
      topics.paymentResult,
      topics.deliveryRequested,
      topics.deliveryResult,
      topics.orderCompleted,
      topics.pointEarned,
    ].map(({ name }) => name)
    expect(after.said(decided)).toEqual(before.said(decided))
    if (mode.stateHome !== 'task') {
      for (const topology of all) expect(await decidedOtherwise(after.driver, topology, {})).toEqual([])
    }
    await before.driver.close()
    await after.driver.close()
  })
})
