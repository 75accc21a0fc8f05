/**
 * What shops get wrong when they draw this flow, and that it cannot happen here: each of the defects by its name, on the
 * orchestrator and its services together. Ann has ten teas and ten milks to buy from, 1,000 points and a coupon of 5.00.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { orderOutputs } from '../../processors/index.ts'
import { topics } from '../../schemas/index.ts'
import { ManualClock, TopologyTestDriver, type DriverOptions } from '../../testing/index.ts'
import {
  bestSellers,
  orders,
  orderStore,
  pointAccountStore,
  points,
  stock,
  stockLevelStore,
  wallet,
  walletStore,
} from '../../topologies/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import type { TopicName, ValueOf } from '../support/orders/facts.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { StepEngine } from '../support/step-engine.ts'
import { campaign } from '../unit/coupons/given.ts'
import { grant } from '../unit/points/given.ts'
import { adjust } from '../unit/stock/given.ts'
import { issuedCoupon } from '../unit/wallet/given.ts'
import { created, MINUTE, START } from './orders-driver.ts'

const desk = orders({ currency: 'GBP' })
const goods = stock()
const loyalty = points({ rateBp: 1_000, validForMs: null })
const coupons = wallet()
const boards = bestSellers()
const topologies = [desk, goods, loyalty, coupons, boards]

class Shop {
  readonly driver: TopologyTestDriver

  private constructor(driver: TopologyTestDriver) {
    this.driver = driver
  }

  static async open(mode: Partial<DriverOptions> = {}): Promise<Shop> {
    const driver = await TopologyTestDriver.open({ topologies, now: START, partitions: 2, ...mode })
    const shop = new Shop(driver)
    await shop.say('stockAdjustRequested', adjust(10))
    await shop.say('stockAdjustRequested', adjust(10, { productId: 'milk' }))
    await shop.say('pointAdjustRequested', grant(1_000))
    await shop.say('couponCampaign', campaign())
    await shop.say('couponIssued', issuedCoupon({ issuedAt: START }))
    return shop
  }

  async say<N extends TopicName>(name: N, value: ValueOf<N>): Promise<void> {
    const { keyOf } = topics[name] as unknown as { keyOf: (value: ValueOf<N>) => string }
    await this.driver.pipe(topics[name] as never, keyOf(value), value)
  }

  pay(orderId: string, amount: number): Promise<void> {
    const paymentKey = `p-${orderId}`
    return this.say('paymentResult', { orderId, paymentKey, amount, status: 'SUCCESS', failureCode: null })
  }

  cancel(orderId: string): Promise<void> {
    return this.say('orderCancelRequested', { orderId, reason: 'changed my mind', actor: 'ann' })
  }

  facts<N extends TopicName>(name: N): ValueOf<N>[] {
    return this.driver.read(topics[name] as never).map(({ value }) => value as ValueOf<N>)
  }

  state(orderId: string): string | undefined {
    return this.facts('orderStatus').findLast((status) => status.orderId === orderId)?.state
  }

  /** What the shop has: teas that are available, Ann's points, what became of her coupon. */
  get stands(): [teas: number | undefined, points: number, coupon: string | undefined] {
    const { value: level } = this.driver.store(goods, stockLevelStore).get('tea')
    const { value: account } = this.driver.store(loyalty, pointAccountStore).get('ann')
    const { value: coupon } = this.driver.store(coupons, walletStore).get(['ann', 'spring-1'], 'ann')
    const balance = (account?.lots ?? []).reduce((sum, lot) => sum + lot.points, 0)
    return [level?.available, balance, coupon?.status]
  }
}

const everything = { userCouponId: 'spring-1', pointsToUse: 100 } as const

describe('no orderId on restore', () => {
  test('every undo and every answer to one names its order, and the order takes it', async () => {
    const shop = await Shop.open()
    await shop.say('orderCreated', created(everything))
    expect(shop.stands).toEqual([8, 900, 'USED'])
    await shop.cancel('o1')
    for (const name of [
      'stockRestoreRequested',
      'pointRestoreRequested',
      'couponRestoreRequested',
    ] as const) {
      const undos = shop.facts(name)
      expect(undos.length).toBeGreaterThan(0)
      expect(undos.filter(({ orderId }) => orderId !== 'o1')).toEqual([])
    }
    const answers = shop.driver.read(topics.restoreResult)
    expect(new Set(answers.map(({ key, value }) => `${key} ${value?.orderId}`))).toEqual(new Set(['o1 o1']))
    expect(shop.state('o1')).toBe('CANCELLED')
    expect(shop.stands).toEqual([10, 1_000, 'ISSUED'])
    await shop.driver.close()
  })

  test('an undo without one is put aside, and changes nothing', async () => {
    const shop = await Shop.open()
    await shop.say('orderCreated', created(everything))
    const lines = [{ lineNo: 1, quantity: 2 }]
    const nobody = { orderId: '', epoch: 0 }
    const back = { ...nobody, productId: 'tea', lines, returnId: null, reason: '' }
    await shop.say('stockRestoreRequested', back)
    const points0 = { ...nobody, userId: 'ann', amount: 100, returnId: null, refundAmount: 0 }
    await shop.say('pointRestoreRequested', points0)
    expect(shop.driver.deadLetters(topics.stockRestoreRequested)).toHaveLength(1)
    expect(shop.driver.deadLetters(topics.pointRestoreRequested)).toHaveLength(1)
    expect(shop.stands).toEqual([8, 900, 'USED'])
    await shop.driver.close()
  })
})

const answers = [
  'stockReserveResult',
  'pointDeductResult',
  'couponUseResult',
  'restoreResult',
  'pointEarned',
  'rankingSalesDelta',
] as const

describe('local variables as progress', () => {
  const play = async (mode: Partial<DriverOptions>) => {
    const shop = await Shop.open(mode)
    await shop.say('orderCreated', created(everything))
    await shop.pay('o1', 100)
    await shop.say('orderCreated', created({ orderId: 'o2' }))
    await shop.cancel('o2')
    await shop.say('deliveryResult', { orderId: 'o1', deliveryId: 'd', status: 'STARTED', reason: null })
    const told = [...orderOutputs, ...answers].map((name) => {
      const records = shop.driver.log.records(topics[name].name)
      return records.map(({ key, value }) => `${key?.toString()} ${value?.toString('hex')}`)
    })
    const { stands } = shop
    await shop.driver.close()
    return { told, stands }
  }

  test('a shop that is stopped and started after every record says the same, byte for byte', async () => {
    const steady = await play({})
    expect(steady.told.flat().length).toBeGreaterThan(40)
    expect(await play({ restartAfterEachRecord: true })).toEqual(steady)
    expect(await play({ restartAfterEachRecord: true, stateHome: 'task' })).toEqual(steady)
  })
})

describe('ranking before confirmation', () => {
  test('nothing is counted before it is confirmed, and nothing of an order that never was', async () => {
    const shop = await Shop.open()
    await shop.say('orderCreated', created())
    expect(shop.state('o1')).toBe('AWAITING_PAYMENT')
    await shop.say('orderCreated', created({ orderId: 'o2' }))
    await shop.cancel('o2')
    expect(shop.state('o2')).toBe('CANCELLED')
    expect(shop.facts('rankingSalesDelta')).toEqual([])
    await shop.pay('o1', 700)
    const counted = shop.facts('rankingSalesDelta').map(({ orderId, quantity }) => `${orderId} ${quantity}`)
    expect(counted.toSorted()).toEqual(['o1 1', 'o1 2'])
    // A confirmed one that is called off is taken back.
    await shop.cancel('o1')
    await shop.say('deliveryCancelResult', {
      orderId: 'o1',
      deliveryId: null,
      status: 'CANCELLED',
      reason: null,
    })
    const refund = { refundId: 'o1|order', orderId: 'o1', paymentKey: 'p-o1', amount: 700 } as const
    await shop.say('paymentRefundResult', { ...refund, status: 'REFUNDED', reason: null })
    expect(shop.state('o1')).toBe('CANCELLED')
    expect(shop.facts('rankingSalesDelta').reduce((sum, { quantity }) => sum + quantity, 0)).toBe(0)
    await shop.driver.close()
  })
})

describe('no payment deadline', () => {
  test('an order that nobody pays ends by itself, and holds nothing any more', async () => {
    const shop = await Shop.open()
    await shop.say('orderCreated', created(everything))
    await shop.driver.advanceWallTime(59 * MINUTE, MINUTE)
    expect(shop.state('o1')).toBe('AWAITING_PAYMENT')
    expect(shop.stands).toEqual([8, 900, 'USED'])
    await shop.driver.advanceWallTime(2 * MINUTE, MINUTE)
    expect(shop.state('o1')).toBe('FAILED')
    expect(shop.stands).toEqual([10, 1_000, 'ISSUED'])
    await shop.driver.close()
  })
})

describe('dual write', () => {
  test('a process that dies before its commit has neither told nor kept anything; after it, both', async () => {
    const directory = join(await scratchDirectory('dual-write'), 'log')
    const clock = new ManualClock(START)
    const openLog = () => openEmbeddedLog({ directory, application: 'step', clock })
    const engine = await StepEngine.open({ topologies: [desk], clock, partitions: 1, openLog })
    const told = async () => (await engine.log.bounds({ topic: 'stock.reserve.requested', partition: 0 })).end
    const kept = () => engine.query('orders', orderStore).get('o1').value
    await engine.append(topics.orderCreated, 'o1', created(), START)
    for (let death = 0; death < 3; death++) {
      await engine.step()
      await engine.crash()
      expect([await told(), kept()]).toEqual([0, undefined])
    }
    await engine.settle()
    expect(await told()).toBe(2)
    expect(kept()?.order?.steps).toMatchObject([{ name: 'stock', status: 'DOING' }])
    await engine.crash()
    await engine.settle()
    expect(await told()).toBe(2)
    await engine.close()
  })
})

describe('coupon used only after completion', () => {
  test('a coupon is taken before anything is paid: a second order with it fails, and nobody is asked to pay', async () => {
    const shop = await Shop.open()
    await shop.say('orderCreated', created({ userCouponId: 'spring-1' }))
    expect(shop.state('o1')).toBe('AWAITING_PAYMENT')
    expect(shop.stands).toEqual([8, 1_000, 'USED'])
    await shop.say('orderCreated', created({ orderId: 'o2', userCouponId: 'spring-1' }))
    expect(shop.state('o2')).toBe('FAILED')
    expect(shop.facts('orderFailed')).toMatchObject([
      { orderId: 'o2', failedStep: 'coupon', reason: 'ALREADY_USED' },
    ])
    expect(shop.facts('paymentRequested').map(({ orderId }) => orderId)).toEqual(['o1'])
    await shop.pay('o1', 200)
    expect(shop.facts('orderConfirmed')).toMatchObject([{ orderId: 'o1', finalAmount: 200 }])
    await shop.driver.close()
  })
})
