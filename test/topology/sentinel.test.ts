import { describe, expect, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { memoryBackend } from '../../state/index.ts'
import { redecide, Streams } from '../../streams/index.ts'
import { TopologyTestDriver } from '../../testing/index.ts'
import { couponIssuance, sentinel } from '../../topologies/index.ts'
import { modes, START } from './coupon-driver.ts'
import { WatchedShop } from './sentinel-driver.ts'

const DAY = 86_400_000
const names = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `u${from + i}`).join(' ')

describe.each(modes)('a shop that is watched: %s', (_, mode) => {
  test('raises no alarm while it does everything right', async () => {
    const shop = await WatchedShop.open(mode)
    await shop.command({ quota: 30 })
    await shop.ask(names(0, 50))
    await shop.ask(names(10, 20), { requestId: 'taken' })
    await shop.ask('u3 u45')
    await shop.command({ quota: 40 })
    await shop.command({ quota: 5 })
    await shop.command({ operation: 'PAUSE' })
    await shop.ask(names(50, 55))
    await shop.command({ operation: 'RESUME' })
    await shop.ask(names(60, 90))
    await shop.driver.advanceWallTime(3_000)
    expect(shop.incidents).toEqual([])
    expect(shop.driver.deadLetters(topics.couponIssued)).toEqual([])
    await shop.driver.close()
  })

  test('a forged coupon is one incident, however often it is found', async () => {
    const shop = await WatchedShop.open(mode)
    await shop.command()
    await shop.ask('ann bob')
    await shop.forge(topics.couponIssued, 1, {})
    expect(shop.incidents).toContain('I6|spring OPEN 1')
    await shop.forge(topics.couponIssued, 1, { sequence: 2 })
    await shop.forge(topics.couponIssued, 1, { sequence: 2 })
    // What was found again is told once a minute.
    expect(shop.told.filter(({ invariant }) => invariant === 'I6')).toHaveLength(1)
    await shop.driver.advanceWallTime(60_000, 10_000)
    expect(shop.incidents).toContain('I6|spring OPEN 3')
    expect(shop.told.filter(({ invariant }) => invariant === 'I6')).toHaveLength(2)
    await shop.driver.close()
  })

  test('an incident is resolved once it was not found for a day, and opens again', async () => {
    const shop = await WatchedShop.open(mode)
    await shop.command()
    await shop.ask('ann')
    await shop.driver.advanceWallTime(3_000)
    await shop.forge(topics.couponQuota, 0, { issued: 99, revision: 3 })
    expect(shop.incidents).toEqual(['I1|spring OPEN 1'])
    await shop.driver.advanceWallTime(DAY - 5_000, DAY / 4)
    expect(shop.incidents).toEqual(['I1|spring OPEN 1'])
    await shop.driver.advanceWallTime(61_000)
    expect(shop.incidents).toEqual(['I1|spring RESOLVED 1'])
    await shop.forge(topics.couponQuota, 0, { issued: 99, revision: 9 })
    expect(shop.incidents).toEqual(['I1|spring OPEN 2'])
    const told = shop.told.map(({ revision }) => revision)
    expect(told).toEqual([1, 2, 3])
    await shop.driver.close()
  })

  test('asked to, it pauses the campaign once, as an operator would', async () => {
    const shop = await WatchedShop.open(mode, { pauseCampaigns: true })
    await shop.command()
    await shop.ask('ann')
    await shop.forge(topics.couponIssued, 0, { sequence: 7 })
    expect(shop.campaign()?.status).toBe('PAUSED')
    const pauses = shop.driver
      .read(topics.couponCampaignRequested)
      .filter(({ value }) => value?.operation === 'PAUSE')
    expect(
      pauses.map(({ record }) => record.headers.map(([name, value]) => `${name}=${value.toString()}`)),
    ).toEqual([['actor=sentinel']])
    expect(shop.told.every(({ pauseRequested }) => pauseRequested)).toBe(true)
    // Whoever resumes it has looked: the same incident does not pause it again.
    await shop.command({ operation: 'RESUME' })
    await shop.forge(topics.couponIssued, 0, { sequence: 7 })
    expect(shop.campaign()?.status).toBe('ACTIVE')
    await shop.driver.close()
  })

  test('it leaves campaigns alone unless told, and says nothing of persons', async () => {
    const shop = await WatchedShop.open(mode)
    await shop.command()
    await shop.ask('ann')
    await shop.forge(topics.couponIssued, 0, { sequence: 7 })
    expect(shop.campaign()?.status).toBe('ACTIVE')
    expect(JSON.stringify(shop.told)).not.toContain('ann')
    await shop.driver.close()
  })

  test('requests that are put aside, and what cannot be read, are no concern of its own', async () => {
    const shop = await WatchedShop.open(mode)
    await shop.command({ quota: 100 })
    await shop.ask('ann', { userId: '' })
    await shop.driver.pipeBytes(
      topics.couponIssueRequested.name,
      Buffer.from('spring'),
      Buffer.from('no Avro'),
    )
    await shop.driver.pipeBytes(topics.couponIssued.name, Buffer.from('spring'), Buffer.from('no Avro'))
    await shop.driver.pipe(topics.couponIssueRejected, 'spring', null)
    await shop.ask(names(0, 140))
    expect(shop.incidents).toEqual([])
    // Of the request, the issuer's own; of the verdict, none.
    expect(shop.driver.deadLetters(topics.couponIssueRequested)).toHaveLength(2)
    expect(shop.driver.deadLetters(topics.couponIssued)).toEqual([])
    await shop.driver.close()
  })
})

describe.each(modes)('boards that are watched: %s', (_, mode) => {
  test('change with a higher revision, are finished once, and are deleted', async () => {
    const shop = await WatchedShop.open(mode)
    await shop.snapshot({ revision: 1 })
    await shop.snapshot({ revision: 4 })
    await shop.snapshot({ revision: 4, final: true })
    await shop.snapshot({ revision: 5, final: true, corrected: true, entries: [] })
    const key = `day|quantity||${START}`
    await shop.driver.pipe(topics.rankingSnapshot, key, null)
    await shop.snapshot({ revision: 1 })
    await shop.snapshot({ revision: 1, timeZone: 'Asia/Tokyo', entries: [] })
    expect(shop.incidents).toEqual([])
    await shop.driver.close()
  })

  test('that go back, change when they are final, or list what sold nothing are incidents', async () => {
    const shop = await WatchedShop.open(mode)
    const board = `day|quantity||${START}`
    await shop.snapshot({ revision: 4 })
    await shop.snapshot({ revision: 3 })
    expect(shop.incidents).toEqual([`I15|${board} OPEN 1`])
    await shop.snapshot({ revision: 5, final: true })
    await shop.snapshot({ revision: 5, final: true, entries: [] })
    expect(shop.incidents).toContain(`I23|${board} OPEN 1`)
    const worse = { rank: 1, productId: 'tea', score: -1, quantity: -1, amount: 0, previousRank: null }
    await shop.snapshot({ revision: 6, entries: [worse] })
    await shop.driver.advanceWallTime(60_000, 10_000)
    expect(shop.incidents).toContain(`I23|${board} OPEN 2`)
    await shop.driver.close()
  })
})

test('a sentinel that joins late begins with what is there: what was wrong is found, what was right is not', async () => {
  const driver = await TopologyTestDriver.open({ topologies: [couponIssuance], partitions: 3, now: START })
  const shop = new WatchedShop(driver)
  await shop.command({ quota: 60 })
  await shop.command({ couponId: 'summer', quota: 60 })
  await shop.ask(names(0, 100))
  await shop.ask(names(0, 40), { couponId: 'summer' })
  await shop.forge(topics.couponIssued, driver.read(topics.couponIssued).length - 1, { userId: 'eve' })
  const [forged] = driver.read(topics.couponIssued).slice(-1)
  const late = new Streams({
    application: 'test',
    topologies: [sentinel({ watchOneIn: 1 })],
    log: driver.log,
    clock: driver.clock,
    topicSpec: (use) => ({ ...use, partitions: 3, retentionMs: Infinity, retentionBytes: Infinity }),
  })
  await late.open()
  await late.ready()
  for (const runner of late.runners) {
    while (await runner.step()) await runner.commitNow()
    await runner.commitNow()
  }
  await late.close()
  const coupons = [...driver.latest(topics.opsIncident).values()].map(({ subject }) => subject)
  expect(new Set(coupons)).toEqual(new Set([forged?.key]))
  await driver.close()
})

test('a campaign that is over is forgotten: its users and requests, not what it was', async () => {
  const shop = await WatchedShop.open()
  await shop.command({ quota: 700, closesAt: START + DAY })
  await shop.ask(names(0, 12))
  const rows = () =>
    shop.driver.store(sentinelOf(shop), sentinelStore(shop, 'sentinel-users')).pageAll({ limit: 99 })
  expect(await rows()).toHaveLength(12)
  await shop.driver.advanceWallTime(2 * DAY + 1_000, DAY / 4)
  expect(await rows()).toEqual([])
  expect(shop.incidents).toEqual([])
  await shop.driver.close()
})

test('I24 watching the retained facts again tells the same incidents', async () => {
  const shop = await WatchedShop.open()
  await shop.command()
  await shop.ask('ann bob')
  await shop.forge(topics.couponIssued, 0, { sequence: 7 })
  await shop.driver.advanceWallTime(2 * DAY, DAY / 4)
  const topology = sentinelOf(shop)
  const task = { topology: topology.name, subTopology: 0, partition: 0 }
  const journal = shop.driver.journal(task)
  const backend = memoryBackend()
  const result = await redecide({ topology, task, log: shop.driver.log, journal, backend })
  expect(result).toMatchObject({ batches: journal.length, firstDifference: undefined })
  await shop.driver.close()
})

test('options that cannot be are refused', () => {
  expect(() => sentinel({ watchOneIn: 0 })).toThrow(RangeError)
  expect(() => sentinel({ resolveAfterMs: 0.5 })).toThrow(RangeError)
})

function sentinelOf({ driver }: WatchedShop) {
  return driver.streams.runner('sentinel').topology
}

function sentinelStore(shop: WatchedShop, name: string) {
  const found = sentinelOf(shop)
    .subTopologies.flatMap(({ stores }) => stores)
    .find((store) => store.name === name)
  if (found === undefined) throw new Error(`no store ${name}`)
  return found
}
