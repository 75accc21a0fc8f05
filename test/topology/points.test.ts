import { describe, expect, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { topicsOf } from '../../streams/index.ts'
import type { DriverOptions } from '../../testing/index.ts'
import {
  pointAccountStore,
  pointAdjustmentStore,
  pointLedgerStore,
  type PointOptions,
  points,
} from '../../topologies/index.ts'
import { decidedOtherwise } from '../property/service-history.ts'
import { topicSpec } from '../support/engine-shop.ts'
import { DAY, modes, Service, START } from '../support/services.ts'
import { cancelled, completed, deduct, giveBack, grant, returned } from '../unit/points/given.ts'

const { pointDeductRequested, pointRestoreRequested, pointAdjustRequested } = topics
const { orderCompleted, orderReturned, orderCancelled } = topics

class Bank {
  readonly service: Service

  private constructor(service: Service) {
    this.service = service
  }

  /** Orders earn 10 %, for 10 days. */
  static async open(mode: Partial<DriverOptions> = {}, rules: PointOptions = {}): Promise<Bank> {
    const options = { rateBp: 1_000, validForMs: 10 * DAY, keepMs: 20 * DAY, ...rules }
    return new Bank(await Service.open(points(options), { partitions: 3, ...mode }))
  }

  send: Service['send'] = (topic, ...values) => this.service.send(topic, ...values)

  /** `o1 DEDUCTED 3`. */
  get deducted(): string[] {
    return this.service
      .read(topics.pointDeductResult)
      .map(({ orderId, status, reason, balanceAfter }) => words(orderId, status, reason, balanceAfter))
  }

  /** `o1 RESTORED`, with the part and the shortfall: `o1 r1 RESTORED -5`. */
  get restored(): string[] {
    return this.service
      .read(topics.restoreResult)
      .map(({ orderId, returnId, status, reason, shortfall }) =>
        words(orderId, returnId, status, reason, shortfall === 0 ? null : -shortfall),
      )
  }

  get earned(): string[] {
    return this.service.read(topics.pointEarned).map((each) => words(each.orderId, each.points))
  }

  /** What is left of each lot: `adjust:a5 5`. */
  lots(userId = 'ann'): string[] {
    const { value } = this.service.driver.store(this.service.topology, pointAccountStore).get(userId)
    return (value?.lots ?? []).map((lot) => words(lot.lotId, lot.points))
  }

  /** Entries without the balance: `SPENT -3 order:o1`. */
  async ledger(userId = 'ann'): Promise<string[]> {
    const store = this.service.driver.store(this.service.topology, pointLedgerStore)
    const { value } = await store.page(userId, { prefix: [userId], limit: 100 })
    return value.map(([, entry]) => words(entry.kind, entry.points, entry.reference))
  }

  /** The ledger as `point.entry` has it: `1 SPENT -2 =8 o1`, with what it was for. */
  get told(): string[] {
    return this.service
      .read(topics.pointEntry)
      .map(({ entry, kind, points: amount, balanceAfter, orderId, returnId, adjustId }) =>
        words(entry, kind, amount, `=${balanceAfter}`, orderId, returnId, adjustId),
      )
  }

  /** Dead letters of one of its own topics. */
  lettersOf(name: string): number {
    const { internalTopics } = this.service.topology
    const found = internalTopics.find((topic) => topic.name.includes(name))
    if (found === undefined) throw new Error(`there is no topic ${name}`)
    return this.service.driver.deadLetters(found).length
  }

  adjustment(adjustId: string) {
    const store = this.service.driver.store(this.service.topology, pointAdjustmentStore)
    return store.get(['ann', adjustId], 'ann').value
  }
}

function words(...parts: (string | number | null)[]): string {
  return parts.filter((part) => part !== null).join(' ')
}

describe.each(modes)('I12 I13 points, %s', (_, mode) => {
  test('oldest are spent first, and an undo puts them back where they came from', async () => {
    const bank = await Bank.open(mode)
    await bank.send(pointAdjustRequested, grant(5), grant(7))
    await bank.send(pointDeductRequested, deduct(6))
    expect(bank.lots()).toEqual(['adjust:a7 6'])
    await bank.send(pointRestoreRequested, giveBack(6))
    expect(bank.lots()).toEqual(['adjust:a5 5', 'adjust:a7 7'])
    expect(bank.deducted).toEqual(['o1 DEDUCTED 6'])
    expect(bank.restored).toEqual(['o1 RESTORED'])
    expect(await bank.ledger()).toEqual([
      'GRANTED 5 adjust:a5',
      'GRANTED 7 adjust:a7',
      'SPENT -6 order:o1',
      'RESTORED 6 order:o1',
    ])
    await bank.service.close()
  })

  test('more than there is cannot be spent', async () => {
    const bank = await Bank.open(mode)
    await bank.send(pointDeductRequested, deduct(1))
    await bank.send(pointAdjustRequested, grant(5))
    await bank.send(pointDeductRequested, deduct(6, { orderId: 'o2' }), deduct(5, { orderId: 'o3' }))
    expect(bank.deducted).toEqual([
      'o1 REJECTED INSUFFICIENT_POINTS 0',
      'o2 REJECTED INSUFFICIENT_POINTS 5',
      'o3 DEDUCTED 0',
    ])
    await bank.service.close()
  })

  test('the same command again gets the same answer again, and books nothing', async () => {
    const bank = await Bank.open(mode)
    await bank.send(pointAdjustRequested, grant(9))
    await bank.send(pointDeductRequested, deduct(4), deduct(4))
    await bank.send(pointRestoreRequested, giveBack(4), giveBack(4))
    await bank.send(pointDeductRequested, deduct(4))
    expect(bank.deducted).toEqual(['o1 DEDUCTED 5', 'o1 DEDUCTED 5', 'o1 CANCELLED'])
    expect(bank.restored).toEqual(['o1 RESTORED', 'o1 ALREADY'])
    expect(bank.lots()).toEqual(['adjust:a9 9'])
    await bank.service.close()
  })

  test('an undo before its deduction cancels it, until an operator raises the epoch', async () => {
    const bank = await Bank.open(mode)
    await bank.send(pointAdjustRequested, grant(9))
    await bank.send(pointRestoreRequested, giveBack(4))
    await bank.send(pointDeductRequested, deduct(4), deduct(4, { epoch: 1 }), deduct(4, { epoch: 2 }))
    expect(bank.deducted).toEqual(['o1 CANCELLED', 'o1 DEDUCTED 5', 'o1 DEDUCTED 5'])
    expect(bank.lots()).toEqual(['adjust:a9 5'])
    await bank.service.close()
  })

  test('parts go back once each, last spent first, and never more than is spent', async () => {
    const bank = await Bank.open(mode)
    await bank.send(pointAdjustRequested, grant(5), grant(7))
    await bank.send(pointDeductRequested, deduct(9))
    await bank.send(
      pointRestoreRequested,
      giveBack(3, { returnId: 'surplus' }),
      giveBack(3, { returnId: 'surplus' }),
      giveBack(7, { returnId: 'r1' }),
      giveBack(2, { returnId: 'r1' }),
    )
    expect(bank.restored).toEqual([
      'o1 surplus RESTORED',
      'o1 surplus ALREADY',
      'o1 r1 FAILED EXCEEDS_SPENT',
      'o1 r1 RESTORED',
    ])
    expect(bank.lots()).toEqual(['adjust:a5 1', 'adjust:a7 7'])
    await bank.send(pointRestoreRequested, giveBack(9), giveBack(1, { returnId: 'r2' }))
    expect(bank.restored.slice(4)).toEqual(['o1 RESTORED', 'o1 r2 FAILED NOT_SPENT'])
    expect(bank.lots()).toEqual(['adjust:a5 5', 'adjust:a7 7'])
    await bank.service.close()
  })

  test('what is not spent in time expires, and so does what comes back later', async () => {
    const bank = await Bank.open(mode)
    await bank.send(pointAdjustRequested, grant(5, { expiresAt: START + DAY }), grant(7))
    await bank.send(pointDeductRequested, deduct(2))
    await bank.service.driver.advanceWallTime(DAY, DAY)
    expect(bank.lots()).toEqual(['adjust:a7 7'])
    await bank.send(pointDeductRequested, deduct(8, { orderId: 'o2' }))
    await bank.send(pointRestoreRequested, giveBack(2))
    expect(bank.deducted).toEqual(['o1 DEDUCTED 10', 'o2 REJECTED INSUFFICIENT_POINTS 7'])
    expect(bank.lots()).toEqual(['adjust:a7 7'])
    expect((await bank.ledger()).slice(2)).toEqual([
      'SPENT -2 order:o1',
      'EXPIRED -3 adjust:a5',
      'RESTORED 2 order:o1',
      'EXPIRED -2 adjust:a5',
    ])
    await bank.service.close()
  })

  test('grants count once and have a term; nobody is taken below 0', async () => {
    const bank = await Bank.open(mode)
    await bank.send(
      pointAdjustRequested,
      grant(5),
      grant(5),
      grant(-6),
      grant(-2),
      grant(4, { expiresAt: START }),
      grant(0),
      grant(2 ** 53 - 1),
    )
    expect(bank.lots()).toEqual(['adjust:a5 3'])
    expect(
      ['a5', 'a-6', 'a-2', 'a4', 'a0', `a${2 ** 53 - 1}`].map((id) => bank.adjustment(id)?.reason),
    ).toEqual([null, 'INSUFFICIENT_POINTS', null, 'EXPIRED', null, 'TOO_MANY_POINTS'])
    await bank.service.driver.advanceWallTime(10 * DAY, DAY)
    expect(bank.lots()).toEqual([])
    await bank.service.close()
  })
})

describe.each(modes)('I21 earnings, %s', (_, mode) => {
  test('a completed order earns once', async () => {
    const bank = await Bank.open(mode)
    await bank.send(orderCompleted, completed(199), completed(199), completed(9, { orderId: 'o2' }))
    expect(bank.earned).toEqual(['o1 19'])
    expect(bank.lots()).toEqual(['order:o1 19'])
    expect(bank.service.dropped).toContain('RepeatedCompletion')
    await bank.service.close()
  })

  test('returns are clawed back once each, and all of them together take everything', async () => {
    const bank = await Bank.open(mode)
    await bank.send(orderCompleted, completed(199))
    await bank.send(orderReturned, returned(55), returned(55), returned(55, { returnId: 'r2' }))
    expect(bank.lots()).toEqual(['order:o1 8'])
    await bank.send(orderReturned, returned(89, { returnId: 'r3' }))
    expect(bank.lots()).toEqual([])
    expect(await bank.ledger()).toEqual([
      'EARNED 19 order:o1',
      'CLAWED_BACK -5 order:o1 return:r1',
      'CLAWED_BACK -6 order:o1 return:r2',
      'CLAWED_BACK -8 order:o1 return:r3',
    ])
    await bank.service.close()
  })

  test('what the user has no longer is the shortfall of the answer, and is not asked for again', async () => {
    const bank = await Bank.open(mode)
    await bank.send(orderCompleted, completed(200))
    await bank.send(pointDeductRequested, deduct(15, { orderId: 'o2' }))
    const back = giveBack(0, { returnId: 'r1', refundAmount: 200 })
    await bank.send(pointRestoreRequested, back, back)
    await bank.send(orderReturned, returned(185))
    expect(bank.restored).toEqual(['o1 r1 RESTORED -15', 'o1 r1 ALREADY -15'])
    expect(bank.lots()).toEqual([])
    await bank.send(pointRestoreRequested, giveBack(15, { orderId: 'o2' }))
    expect(bank.lots()).toEqual(['order:o1 15'])
    await bank.service.close()
  })

  test('points that come back after their time pay for no claw back', async () => {
    const bank = await Bank.open(mode)
    await bank.send(pointAdjustRequested, grant(1, { expiresAt: START + DAY }))
    await bank.send(orderCompleted, completed(70))
    await bank.send(pointDeductRequested, deduct(8))
    await bank.service.driver.advanceWallTime(DAY, DAY)
    await bank.send(pointRestoreRequested, giveBack(8, { returnId: 'r1', refundAmount: 70 }))
    expect((await bank.ledger()).slice(3)).toEqual([
      'RESTORED 8 order:o1 return:r1',
      'EXPIRED -1 adjust:a1',
      'CLAWED_BACK -7 order:o1 return:r1',
    ])
    await bank.service.close()
  })

  test('a return that comes before the completion is clawed back with it', async () => {
    const bank = await Bank.open(mode)
    await bank.send(orderReturned, returned(100))
    await bank.send(orderCompleted, completed(200))
    expect(await bank.ledger()).toEqual(['EARNED 20 order:o1', 'CLAWED_BACK -10 order:o1'])
    await bank.service.close()
  })

  test('a confirmed order that ends all the same loses what it earned; one that never was has none', async () => {
    const bank = await Bank.open(mode)
    await bank.send(orderCompleted, completed(200), completed(300, { orderId: 'o2' }))
    await bank.send(orderCancelled, cancelled(), cancelled({ orderId: 'o2', confirmedAt: null }))
    expect(bank.lots()).toEqual(['order:o2 30'])
    await bank.service.close()
  })
})

describe.each(modes)('I13 entries that are told, %s', (_, mode) => {
  test('each entry of the ledger is told once, with what it was for', async () => {
    const bank = await Bank.open(mode, { tellEntries: true })
    const soon = START + DAY
    await bank.send(pointAdjustRequested, grant(5, { expiresAt: soon }), grant(7), grant(7), grant(-1))
    await bank.send(pointDeductRequested, deduct(5), deduct(5), deduct(99, { orderId: 'o2' }))
    await bank.send(pointRestoreRequested, giveBack(2, { returnId: 'a return:b' }))
    await bank.send(orderCompleted, completed(200), completed(200))
    await bank.send(orderReturned, returned(50))
    await bank.service.driver.advanceWallTime(DAY, DAY)
    await bank.send(pointRestoreRequested, giveBack(3), giveBack(3))
    await bank.send(orderCancelled, cancelled())
    expect(bank.told).toEqual([
      '0 GRANTED 5 =5 a5',
      '1 GRANTED 7 =12 a7',
      '2 TAKEN -1 =11 a-1',
      '3 SPENT -5 =6 o1',
      '4 RESTORED 2 =8 o1 a return:b',
      '5 EARNED 20 =28 o1',
      '6 CLAWED_BACK -5 =23 o1 r1',
      '7 EXPIRED -1 =22 a5',
      '8 RESTORED 3 =25 o1',
      '9 EXPIRED -3 =22 a5',
      '10 CLAWED_BACK -15 =7 o1',
    ])
    const ledger = await bank.ledger()
    const entries = bank.service.read(topics.pointEntry)
    expect(entries.map((each) => words(each.kind, each.points, each.reference))).toEqual(ledger)
    await bank.service.close()
  })

  test('nothing is told, and every other topic has the same, unless it is asked for', async () => {
    const others = [topics.pointDeductResult, topics.restoreResult, topics.pointEarned] as const
    const play = async (tellEntries: boolean) => {
      const bank = await Bank.open(mode, { tellEntries })
      await bank.send(pointAdjustRequested, grant(5))
      await bank.send(pointDeductRequested, deduct(4))
      await bank.send(pointRestoreRequested, giveBack(4))
      await bank.send(orderCompleted, completed(200))
      const { log } = bank.service.driver
      const said = others.map(({ name }) => log.records(name).map(({ value }) => value?.toString('hex')))
      const topicNames = topicsOf(bank.service.topology).map(({ name }) => name)
      await bank.service.close()
      return { said, tells: topicNames.includes(topics.pointEntry.name) }
    }
    const [silent, telling] = [await play(false), await play(true)]
    expect(telling.said).toEqual(silent.said)
    expect([silent.tells, telling.tells]).toEqual([false, true])
  })
})

test('I24: batches from before the platform are decided again without it; with it they differ', async () => {
  const bank = await Bank.open({ partitions: 1 }, { validForMs: null })
  await bank.send(pointDeductRequested, deduct(4))
  await bank.send(pointAdjustRequested, grant(5))
  const { driver } = bank.service
  // The platform is on now.
  const told = { ...topics.pointEntry, role: 'sink' } as const
  await driver.log.ensureTopics([topicSpec(told)])
  const again = (tellEntries: boolean) =>
    decidedOtherwise(driver, points({ rateBp: 1_000, validForMs: null, keepMs: 20 * DAY, tellEntries }), {})
  expect(await again(false)).toEqual([])
  expect(await again(true)).toHaveLength(1)
  await bank.service.close()
})

test('an old return of an order that earned nothing here is passed over; of one that did, it is TooOld', async () => {
  const bank = await Bank.open({ partitions: 1 }, { validForMs: null, keepMs: DAY, keepDoneMs: 3 * DAY })
  const at = START - 4 * DAY
  await bank.send(orderReturned, returned(100, { at }))
  await bank.send(orderCancelled, cancelled({ at }))
  expect(bank.service.dropped).toEqual(['TooOld', 'TooOld'])
  await bank.send(orderCompleted, completed(200))
  expect(await bank.ledger()).toEqual(['EARNED 20 order:o1'])
  expect(bank.lettersOf('returned-by-user')).toBe(0)
  await bank.send(orderReturned, returned(100, { at }))
  expect(bank.lettersOf('returned-by-user')).toBe(1)
  expect(bank.service.dropped).toHaveLength(2)
  await bank.service.close()
})

test('what an order spent is known longer than what came to nothing', async () => {
  const bank = await Bank.open({ partitions: 1 }, { validForMs: null, keepMs: DAY, keepDoneMs: 3 * DAY })
  await bank.send(pointAdjustRequested, grant(5))
  await bank.send(pointDeductRequested, deduct(2), deduct(9, { orderId: 'o2' }))
  await bank.service.driver.advanceWallTime(2 * DAY, DAY)
  await bank.send(pointDeductRequested, deduct(2), deduct(1, { orderId: 'o2' }))
  await bank.send(pointAdjustRequested, grant(5))
  expect(bank.deducted.slice(2)).toEqual(['o1 DEDUCTED 3', 'o2 DEDUCTED 2'])
  expect(bank.lots()).toEqual(['adjust:a5 7'])
  await bank.service.driver.advanceWallTime(4 * DAY, DAY)
  await bank.send(pointRestoreRequested, giveBack(2))
  expect(bank.lots()).toEqual(['adjust:a5 7'])
  await bank.service.close()
})

test.each([
  ['under another key', 'bob', deduct(1), 'KeyMismatch'],
  ['of nothing', 'ann', deduct(0), 'InvalidAmount'],
  ['of an order without a name', 'ann', deduct(1, { orderId: '' }), 'InvalidId'],
])('a deduction %s is a dead letter', async (_name, key, command, reason) => {
  const bank = await Bank.open()
  await bank.service.driver.pipe(pointDeductRequested, key, command)
  expect(bank.service.deadLetters(pointDeductRequested as never)[0]).toMatch(`${reason}: `)
  expect(bank.deducted).toEqual([])
  await bank.service.close()
})

test.each([{ rateBp: -1 }, { rateBp: 0.5 }, { validForMs: 0 }, { keepMs: 0 }])('%o is refused', (rules) => {
  expect(() => points(rules)).toThrow(RangeError)
})
