/** What the data platform promises on every database: rows and positions are one, and nobody writes twice. */
import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { dataPlatform } from '../../connectors/data-platform/connector.ts'
import type { Database, Row } from '../../connectors/data-platform/database.ts'
import { inSession } from '../../connectors/data-platform/database.ts'
import { type Batch, type Incoming, type Target, Unavailable } from '../../connectors/frame/connector.ts'
import { DeliveryStuck } from '../../connectors/frame/failures.ts'
import { type OrderLine, type PointBooked, topics } from '../../schemas/index.ts'
import { NO_HEADERS } from '../../streams/index.ts'

const AT = Date.UTC(2026, 0, 5, 1, 2, 3, 4)
export const lineTopic = topics.dataplatformOrder.name

export function orderLine(orderId: string, changes: Partial<OrderLine> = {}): OrderLine {
  return {
    orderId,
    lineNo: 1,
    kind: 'SALE',
    returnId: null,
    userId: 'ann',
    productId: 'tea',
    categoryId: null,
    quantity: 2,
    unitPrice: 300,
    amount: 600,
    currency: 'GBP',
    soldAt: AT,
    at: AT,
    ...changes,
  }
}

export function pointEntry(
  entry: number,
  points: number,
  balanceAfter: number,
  changes: Partial<PointBooked> = {},
): PointBooked {
  const ids = { reference: 'order:o1', orderId: null, returnId: null, adjustId: null }
  return { userId: 'ann', entry, kind: 'EARNED', points, balanceAfter, ...ids, at: AT, ...changes }
}

/** A record at an offset of a partition. */
export function incoming(
  offset: number,
  value: OrderLine,
  { partition = 0, topic = lineTopic } = {},
): Incoming {
  return {
    topic,
    partition,
    offset,
    recordKey: value.orderId,
    value,
    timestamp: value.at,
    appendTime: value.at,
    headers: NO_HEADERS,
    lineage: undefined,
    key: `${topic}-${partition}-${offset}`,
  }
}

/** What lies behind the last record of each partition comes next. */
export function batchOf(...records: readonly Incoming[]): Batch {
  const next = new Map(
    records.map(({ topic, partition, offset }) => [
      `${topic}-${partition}`,
      { topic, partition, offset: offset + 1 },
    ]),
  )
  return { records, next: [...next.values()] }
}

export interface DatabaseKind {
  readonly name: string
  /** An empty one, closed when the test is over. */
  readonly empty: () => Promise<Database>
}

export function dataPlatformContract({ name, empty }: DatabaseKind): void {
  describe(`the data platform on ${name}`, () => {
    let database: Database
    let topicId = 'first life'

    beforeEach(async () => {
      database = await empty()
      topicId = `life ${randomUUID()}`
    })

    function open(partitions = [0], application = 'shop'): Promise<Target> {
      const life = topicId
      const kept = { ...database, close: () => Promise.resolve() }
      const connector = dataPlatform({ application, topics, database: () => kept })
      return connector.open({
        topicId: () => life,
        partitions: connector.inputs.flatMap((topic) =>
          partitions.map((partition) => ({ topic: topic.name, partition })),
        ),
        signal: new AbortController().signal,
      })
    }

    async function rows(sql: string): Promise<readonly Row[]> {
      return inSession(database, async (session) => (await session.query(sql)).rows)
    }

    async function deliver(target: Target, ...records: readonly Incoming[]): Promise<void> {
      await target.deliver(batchOf(...records), new AbortController().signal)
    }

    const orders = async (): Promise<unknown[]> =>
      (await rows('SELECT order_id FROM order_line ORDER BY source_partition, source_offset')).map(
        (row) => row['order_id'],
      )

    test('a row has everything of its record, whatever characters it has', async () => {
      const target = await open()
      const odd = orderLine(`o'1"\\,{}\n`, {
        lineNo: 7,
        kind: 'RETURN',
        returnId: 'r,1',
        categoryId: '차',
        productId: 'NULL',
        quantity: -Number.MAX_SAFE_INTEGER,
        amount: Number.MIN_SAFE_INTEGER,
        at: AT + 1,
      })
      await deliver(target, incoming(4, odd))
      expect(await rows('SELECT * FROM order_line')).toEqual([
        {
          order_id: `o'1"\\,{}\n`,
          line_no: 7,
          kind: 'RETURN',
          return_id: 'r,1',
          user_id: 'ann',
          product_id: 'NULL',
          category_id: '차',
          quantity: -Number.MAX_SAFE_INTEGER,
          unit_price: 300,
          amount: Number.MIN_SAFE_INTEGER,
          currency: 'GBP',
          sold_at: new Date(AT),
          at: new Date(AT + 1),
          source_partition: 0,
          source_offset: 4,
        },
      ])
    })

    test('coupon uses and points have tables of their own', async () => {
      const target = await open()
      const used = {
        orderId: 'o1',
        userId: 'ann',
        userCouponId: 'u1',
        couponId: 'c1',
        discountAmount: 50,
        usedAt: AT,
      }
      const line = incoming(0, orderLine('o1'))
      const records = [
        line,
        { ...line, topic: topics.couponUsed.name, value: used },
        { ...line, topic: topics.pointEntry.name, value: pointEntry(0, 6, 6, { orderId: 'o1' }) },
      ]
      await deliver(target, ...records)
      expect(await rows('SELECT coupon_id, discount_amount FROM coupon_use')).toEqual([
        { coupon_id: 'c1', discount_amount: 50 },
      ])
      const columns = 'entry, kind, points, balance_after, order_id, adjust_id, at'
      expect(await rows(`SELECT ${columns} FROM point_entry`)).toEqual([
        {
          entry: 0,
          kind: 'EARNED',
          points: 6,
          balance_after: 6,
          order_id: 'o1',
          adjust_id: null,
          at: new Date(AT),
        },
      ])
      expect((await open()).positions).toHaveLength(3)
    })

    test('what is opened anew begins where the database says', async () => {
      const first = await open([0, 1])
      expect(first.positions).toEqual([])
      await deliver(first, incoming(0, orderLine('o1')), incoming(5, orderLine('o2'), { partition: 1 }))
      const second = await open([1])
      expect(second.positions).toEqual([{ topic: lineTopic, partition: 1, offset: 6 }])
    })

    test('a batch that comes again changes nothing', async () => {
      const target = await open()
      const batch = [incoming(0, orderLine('o1')), incoming(1, orderLine('o2'))]
      await deliver(target, ...batch)
      await deliver(target, ...batch)
      await deliver(await open(), ...batch)
      expect(await orders()).toEqual(['o1', 'o2'])
    })

    test('a process with a stale position writes nothing twice, and of a batch only what is new', async () => {
      const stale = await open()
      const current = await open()
      await deliver(current, incoming(0, orderLine('o1')), incoming(1, orderLine('o2')))
      // Were they written again, under another identity they would be seen.
      await deliver(stale, incoming(0, orderLine('other')), incoming(1, orderLine('another')))
      expect(await orders()).toEqual(['o1', 'o2'])
      await deliver(current, incoming(2, orderLine('o3')))
      await deliver(stale, incoming(2, orderLine('third')), incoming(3, orderLine('o4')))
      expect(await orders()).toEqual(['o1', 'o2', 'o3', 'o4'])
    })

    test('two that write at once write each record once', async () => {
      const targets = await Promise.all([open(), open(), open()])
      const writes = targets.map(async (target) => {
        for (let offset = 0; offset < 20; offset += 2)
          await deliver(
            target,
            incoming(offset, orderLine(`o${offset}`)),
            incoming(offset + 1, orderLine(`o${offset + 1}`)),
          )
      })
      await Promise.all(writes)
      expect(await orders()).toEqual(Array.from({ length: 20 }, (_, offset) => `o${offset}`))
    })

    test('a value that no column holds is the fault of its record, and nothing of the batch is there', async () => {
      const target = await open()
      const bad = incoming(1, orderLine('o2', { userId: 'a\0b' }))
      expect(target.rejects?.(incoming(0, orderLine('o1')))).toBeUndefined()
      expect(target.rejects?.(bad)).toBe('user_id has the character NUL')
      const failed = await deliver(target, incoming(0, orderLine('o1')), bad).catch((error: unknown) => error)
      expect(failed).toBeInstanceOf(Error)
      expect(failed).not.toBeInstanceOf(Unavailable)
      expect(await orders()).toEqual([])
      expect((await open()).positions).toEqual([])
      // The frame sets it aside and goes on behind it.
      await deliver(target, incoming(0, orderLine('o1')))
      await deliver(target, incoming(2, orderLine('o3')))
      expect(await orders()).toEqual(['o1', 'o3'])
    })

    test('a key that no index takes is the fault of its record', async () => {
      const target = await open()
      const long = orderLine('o1', { kind: 'RETURN', returnId: 'r'.repeat(2_700) })
      expect(target.rejects?.(incoming(0, long))).toMatch(/^its key has \d+ bytes$/)
      const longest = orderLine('차'.repeat(200), { kind: 'RETURN', returnId: '차'.repeat(200) })
      expect(target.rejects?.(incoming(1, longest))).toBeUndefined()
      await deliver(target, incoming(1, longest))
      expect(await orders()).toHaveLength(1)
    })

    test('a database has one application: rows do not say whose they are', async () => {
      await deliver(await open(), incoming(0, orderLine('o1')))
      await expect(open([0], 'another')).rejects.toThrow('the database is that of application shop')
      expect((await open()).positions).toHaveLength(1)
    })

    test('a line that the log has twice is one, within a batch and over batches', async () => {
      const target = await open()
      await deliver(target, incoming(0, orderLine('o1')), incoming(1, orderLine('o1', { productId: 'milk' })))
      await deliver(target, incoming(2, orderLine('o1', { productId: 'bread' })))
      expect(await rows('SELECT product_id, source_offset FROM order_line')).toEqual([
        { product_id: 'bread', source_offset: 2 },
      ])
    })

    test('a topic that was made again is read from its beginning, and no line is there twice', async () => {
      await deliver(await open(), incoming(0, orderLine('o1')), incoming(1, orderLine('o2')))
      topicId = 'next life'
      const target = await open()
      expect(target.positions).toEqual([])
      await deliver(target, incoming(0, orderLine('o2')), incoming(1, orderLine('o3')))
      expect(await rows('SELECT order_id FROM order_line ORDER BY order_id')).toHaveLength(3)
    })

    test('a database that went back is not stepped over: nothing is written until it is opened anew', async () => {
      const target = await open()
      await deliver(target, incoming(0, orderLine('o1')), incoming(1, orderLine('o2')))
      await rows('UPDATE millrace_position SET next_offset = 1')
      await rows(`DELETE FROM order_line WHERE order_id = 'o2'`)
      // The frame opens another then.
      await expect(deliver(target, incoming(2, orderLine('o3')))).rejects.toBeInstanceOf(DeliveryStuck)
      expect(await orders()).toEqual(['o1'])
      expect((await open()).positions).toEqual([{ topic: lineTopic, partition: 0, offset: 1 }])
    })

    test('processes that start together make the tables once', async () => {
      await Promise.all([open(), open(), open()])
      expect(await rows('SELECT number FROM millrace_migration ORDER BY number')).toEqual([
        { number: 1 },
        { number: 2 },
        { number: 3 },
        { number: 4 },
      ])
    })

    test('a database that had only what was earned has entries of the ledger then', async () => {
      await open()
      await rows('DROP TABLE point_entry')
      await rows('CREATE TABLE point_entry (user_id text, order_id text, kind text)')
      await rows('DELETE FROM millrace_migration WHERE number >= 4')
      await rows(`INSERT INTO millrace_position VALUES ('shop', 'point.earned', 0, 'life', 7)`)
      const line = incoming(0, orderLine('o1'))
      await deliver(await open(), { ...line, topic: topics.pointEntry.name, value: pointEntry(0, 6, 6) })
      expect(await rows('SELECT entry, points FROM point_entry')).toEqual([{ entry: 0, points: 6 }])
      expect(await rows('SELECT topic FROM millrace_position')).toEqual([{ topic: 'point.entry' }])
    })

    test('a database of a later release, with columns that this one does not know, is written on', async () => {
      await open()
      await rows('ALTER TABLE order_line ADD COLUMN channel text')
      await rows(`INSERT INTO millrace_migration (number, name) VALUES (99, 'later')`)
      await deliver(await open(), incoming(0, orderLine('o1')))
      expect(await rows('SELECT order_id, channel FROM order_line')).toEqual([
        { order_id: 'o1', channel: null },
      ])
    })
  })
}
