/** What commands find out about the data platform, and do with it, on every database. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { forgetPositions } from '../../connectors/data-platform/backfill.ts'
import { checkBalances } from '../../connectors/data-platform/balances.ts'
import { type Database, inSession } from '../../connectors/data-platform/database.ts'
import { migrate } from '../../connectors/data-platform/migrations.ts'
import { readRows, type RowRange } from '../../connectors/data-platform/read-rows.ts'
import { type Reconciliation, reconcile } from '../../connectors/data-platform/reconcile.ts'
import { type AnyTable, orderLineTable, pointEntryTable } from '../../connectors/data-platform/tables.ts'
import { dataPlatform } from '../../connectors/data-platform/connector.ts'
import { type OrderLine, type PointBooked, type Topic, topics } from '../../schemas/index.ts'
import { systemClock } from '../../streams/index.ts'
import { ConnectorRig, until } from '../support/connector-rig.ts'
import { type DatabaseKind, orderLine, pointEntry } from './data-platform-contract.ts'

const DAY = 86_400_000
const MONDAY = Date.UTC(2026, 0, 5)

/** A log with lines, and a platform that has them. */
class Platform {
  readonly rig: ConnectorRig
  readonly database: Database

  constructor(rig: ConnectorRig, database: Database) {
    this.rig = rig
    this.database = database
  }

  get #connector() {
    const shared = { ...this.database, close: () => Promise.resolve() }
    return dataPlatform({ application: 'rig', topics, database: () => shared, delivery: { batchRecords: 7 } })
  }

  append(lines: readonly OrderLine[]): Promise<void> {
    return this.#appendTo(topics.dataplatformOrder, lines)
  }

  appendEntries(entries: readonly PointBooked[]): Promise<void> {
    return this.#appendTo(topics.pointEntry, entries)
  }

  async #appendTo<V extends { readonly at: number }>(topic: Topic<V>, values: readonly V[]): Promise<void> {
    await this.rig.topicsOf(this.#connector)
    const now = systemClock.now()
    await this.rig.log.append(
      values.map((value, index) => ({
        topic: topic.name,
        key: topic.key.serialize(topic.keyOf(value)),
        value: topic.value.serialize(value),
        timestamp: value.at,
        lineage: { eventId: `0190-${now}-${index}` },
        headers: [],
      })),
    )
  }

  /** Runs the connector until it has everything. */
  async catchUp(): Promise<void> {
    const connector = this.#connector
    const runner = await this.rig.start(connector)
    await until(async () => {
      const { tasks } = await runner.view()
      const inputs = tasks.flatMap((task) => task.inputs)
      return (
        inputs.length === 6 && inputs.every(({ lagRecords }) => lagRecords === 0) && (await this.#isLevel())
      )
    })
    await runner.stop()
  }

  async #isLevel(): Promise<boolean> {
    const found = [await this.reconcile(), await this.reconcile(pointEntryTable)]
    return found.every(({ ranges }) => ranges.every(({ behind }) => behind === 0))
  }

  reconcile(table: AnyTable = orderLineTable): Promise<Reconciliation> {
    const { log } = this.rig
    const signal = new AbortController().signal
    const { database } = this
    const topic = topics[table.topic]
    return reconcile({ log, clock: systemClock, database, application: 'rig', table, topic, signal })
  }

  async query(sql: string): Promise<readonly unknown[]> {
    return inSession(this.database, async (session) => (await session.query(sql)).rows)
  }

  async orders(range: RowRange = {}): Promise<string[]> {
    return (await Array.fromAsync(readRows(this.database, orderLineTable, range))).map((row) =>
      String(row['order_id']),
    )
  }
}

/** Ten orders on two days, one of them returned in part. */
const LINES = [
  ...Array.from({ length: 10 }, (_, index) =>
    orderLine(`o${index}`, { at: MONDAY + (index % 2) * DAY + index }),
  ),
  orderLine('o1', { kind: 'RETURN', returnId: 'r1', quantity: -1, amount: -300, at: MONDAY + DAY }),
]

export function dataPlatformToolsContract({ name, empty }: DatabaseKind): void {
  async function opened(): Promise<Platform> {
    const rig = await ConnectorRig.open('memory', systemClock)
    onTestFinished(() => rig.log.close())
    const platform = new Platform(rig, await empty())
    await migrate(platform.database, 'rig')
    await platform.append(LINES)
    return platform
  }

  describe(`commands on the data platform on ${name}`, () => {
    test('what is equal has no differences, and what the platform does not have yet is none', async () => {
      const platform = await opened()
      expect(await platform.reconcile()).toMatchObject({ lines: 0, differences: [] })
      await platform.catchUp()
      await platform.append([orderLine('later')])
      const { lines, differences, ranges } = await platform.reconcile()
      expect({ lines, differences }).toEqual({ lines: 11, differences: [] })
      expect(ranges.reduce((sum, { behind }) => sum + behind, 0)).toBe(1)
    })

    test('a row that is gone is found on its day', async () => {
      const platform = await opened()
      await platform.catchUp()
      await platform.query(`DELETE FROM order_line WHERE order_id = 'o3'`)
      const { differences } = await platform.reconcile()
      expect(differences).toEqual([
        {
          day: '2026-01-06',
          kind: 'SALE',
          logged: { day: '2026-01-06', kind: 'SALE', lines: 5, sums: { quantity: 10, amount: 3000 } },
          stored: { day: '2026-01-06', kind: 'SALE', lines: 4, sums: { quantity: 8, amount: 2400 } },
        },
      ])
    })

    test('a row that is there twice, and an amount that was changed, are found on their days', async () => {
      const platform = await opened()
      await platform.catchUp()
      await platform.query(`INSERT INTO order_line SELECT order_id, 99, kind, return_id, user_id, product_id, category_id,
        quantity, unit_price, amount, currency, sold_at, at, source_partition, source_offset
        FROM order_line WHERE kind = 'RETURN'`)
      await platform.query(`UPDATE order_line SET amount = amount + 1 WHERE order_id = 'o2'`)
      const { differences } = await platform.reconcile()
      expect(
        differences.map(({ day, kind, stored }) => [day, kind, stored?.lines, stored?.sums['amount']]),
      ).toEqual([
        ['2026-01-05', 'SALE', 5, 3001],
        ['2026-01-06', 'RETURN', 2, -600],
      ])
    })

    test('a line that the log has twice is no difference', async () => {
      const platform = await opened()
      await platform.append([LINES[4] as OrderLine])
      await platform.catchUp()
      expect(await platform.reconcile()).toMatchObject({ lines: 11, differences: [] })
    })

    test('a backfill writes what is gone or wrong from the log, and keeps what only the table has', async () => {
      const platform = await opened()
      await platform.catchUp()
      await platform.query(`DELETE FROM order_line WHERE order_id = 'o3'`)
      await platform.query(`UPDATE order_line SET amount = 0, user_id = 'wrong' WHERE order_id = 'o2'`)
      await platform.query(`INSERT INTO order_line SELECT 'of long ago', 1, kind, return_id, user_id, product_id, category_id,
        quantity, unit_price, amount, currency, sold_at, at, -1, 0 FROM order_line WHERE order_id = 'o5'`)
      const { database } = platform
      expect(await forgetPositions({ database, application: 'rig', empties: false })).toBe(0)
      await platform.catchUp()
      expect((await platform.reconcile()).differences).toEqual([])
      expect(await platform.query(`SELECT user_id FROM order_line WHERE order_id = 'o2'`)).toEqual([
        { user_id: 'ann' },
      ])
      expect(await platform.orders()).toHaveLength(12)
    })

    test('a backfill of an emptied platform has what the log has, and nothing else', async () => {
      const platform = await opened()
      await platform.catchUp()
      const { database } = platform
      expect(await forgetPositions({ database, application: 'rig', empties: true })).toBe(11)
      expect(await platform.orders()).toEqual([])
      await platform.catchUp()
      expect(await platform.reconcile()).toMatchObject({ lines: 11, differences: [] })
      expect(await platform.orders()).toHaveLength(11)
    })

    test('entries of points are compared by day and kind, and must add up to balances', async () => {
      const platform = await opened()
      const { database } = platform
      const spent = pointEntry(1, -4, 6, { kind: 'SPENT' })
      const bob = { userId: 'bob' }
      // Bob's entries before the fourth are from a time without a platform.
      const entries = [pointEntry(0, 10, 10), pointEntry(3, 5, 25, bob), spent, pointEntry(4, 1, 26, bob)]
      await platform.appendEntries(entries)
      await platform.catchUp()
      expect(await platform.reconcile(pointEntryTable)).toMatchObject({ lines: 4, differences: [] })
      const even = { users: 2, incomplete: 1, wrong: 0, wrongUsers: [] }
      expect(await checkBalances(database)).toEqual(even)

      await platform.query(`UPDATE point_entry SET points = -3 WHERE kind = 'SPENT'`)
      expect(await checkBalances(database)).toEqual({ ...even, wrong: 1, wrongUsers: ['ann'] })
      const { differences } = await platform.reconcile(pointEntryTable)
      expect(differences).toMatchObject([{ kind: 'SPENT', stored: { lines: 1, sums: { points: -3 } } }])
      await platform.query(`DELETE FROM point_entry WHERE kind = 'SPENT'`)
      await forgetPositions({ database, application: 'rig', empties: false })
      await platform.catchUp()
      expect((await platform.reconcile(pointEntryTable)).differences).toEqual([])
      expect(await checkBalances(database)).toEqual(even)
    })

    test('rows are read by time, from a moment to before another', async () => {
      const platform = await opened()
      await platform.catchUp()
      expect(await platform.orders()).toEqual([
        'o0',
        'o2',
        'o4',
        'o6',
        'o8',
        'o1',
        'o1',
        'o3',
        'o5',
        'o7',
        'o9',
      ])
      expect(await platform.orders({ from: MONDAY + 4, to: MONDAY + DAY + 1 })).toEqual([
        'o4',
        'o6',
        'o8',
        'o1',
      ])
    })
  })
}
