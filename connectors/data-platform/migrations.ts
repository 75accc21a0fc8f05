/**
 * The tables of the data platform, as numbered steps that each database takes once, in order, under a lock: processes
 * that start together do not get in each other's way.
 *
 * A step is never changed once it was published. A new optional field of a record is a new step,
 * `ALTER TABLE … ADD COLUMN IF NOT EXISTS …`, without a default and without NOT NULL: programs of the release before go
 * on writing beside it, their rows have nothing there. What was stored before the column was there, a backfill fills.
 */
import { type Database, type Session, transaction } from './database.ts'

interface Migration {
  readonly name: string
  readonly statements: readonly string[]
}

/** The first has the number 1. */
const MIGRATIONS: readonly Migration[] = [
  {
    name: 'positions',
    statements: [
      `CREATE TABLE millrace_position (
        application text NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        topic_id text NOT NULL,
        next_offset bigint NOT NULL,
        PRIMARY KEY (application, topic, partition)
      )`,
    ],
  },
  {
    name: 'order lines',
    statements: [
      `CREATE TABLE order_line (
        order_id text NOT NULL,
        line_no integer NOT NULL,
        kind text NOT NULL,
        return_id text NOT NULL DEFAULT '',
        user_id text NOT NULL,
        product_id text NOT NULL,
        category_id text,
        quantity bigint NOT NULL,
        unit_price bigint NOT NULL,
        amount bigint NOT NULL,
        currency text NOT NULL,
        sold_at timestamptz NOT NULL,
        at timestamptz NOT NULL,
        source_partition integer NOT NULL,
        source_offset bigint NOT NULL,
        PRIMARY KEY (order_id, line_no, kind, return_id)
      )`,
      'CREATE INDEX order_line_at ON order_line (at)',
      'CREATE INDEX order_line_sold_at ON order_line (sold_at)',
    ],
  },
  {
    name: 'coupon uses and points',
    statements: [
      `CREATE TABLE coupon_use (
        order_id text NOT NULL,
        user_coupon_id text NOT NULL,
        user_id text NOT NULL,
        coupon_id text NOT NULL,
        discount_amount bigint NOT NULL,
        at timestamptz NOT NULL,
        source_partition integer NOT NULL,
        source_offset bigint NOT NULL,
        PRIMARY KEY (order_id, user_coupon_id)
      )`,
      'CREATE INDEX coupon_use_at ON coupon_use (at)',
      `CREATE TABLE point_entry (
        user_id text NOT NULL,
        order_id text NOT NULL,
        kind text NOT NULL,
        points bigint NOT NULL,
        rate_bp integer,
        expires_at timestamptz,
        at timestamptz NOT NULL,
        source_partition integer NOT NULL,
        source_offset bigint NOT NULL,
        PRIMARY KEY (user_id, order_id, kind)
      )`,
      'CREATE INDEX point_entry_at ON point_entry (at)',
    ],
  },
  {
    // The table of before had only what was earned, and no release has filled it.
    name: 'entries of the ledger of points',
    statements: [
      'DROP TABLE point_entry',
      `CREATE TABLE point_entry (
        user_id text NOT NULL,
        entry bigint NOT NULL,
        kind text NOT NULL,
        points bigint NOT NULL,
        balance_after bigint NOT NULL,
        reference text NOT NULL,
        order_id text,
        return_id text,
        adjust_id text,
        at timestamptz NOT NULL,
        source_partition integer NOT NULL,
        source_offset bigint NOT NULL,
        PRIMARY KEY (user_id, entry)
      )`,
      'CREATE INDEX point_entry_at ON point_entry (at)',
      `DELETE FROM millrace_position WHERE topic = 'point.earned'`,
    ],
  },
]

/** Any number that no other program of the database locks: `millrace` in ASCII, cut to what fits. */
const LOCK = 0x6d696c6c

/**
 * Brings the tables up to date. A database that is ahead, of a later release, is left as it is. Rejects where another
 * application has it: rows do not say whose they are.
 */
export function migrate(database: Database, application: string): Promise<void> {
  return transaction(database, async (session) => {
    await session.query('SELECT pg_advisory_xact_lock($1)', [LOCK])
    await apply(session, await lastOf(session))
    const others = 'SELECT application FROM millrace_position WHERE application <> $1 LIMIT 1'
    const { rows } = await session.query(others, [application])
    if (rows.length > 0)
      throw new Error(`the database is that of application ${String(rows[0]?.['application'])}`)
  })
}

/** Number of the last step that the database took. The right to create tables is needed only where there is none yet. */
async function lastOf(session: Session): Promise<number> {
  const { rows: found } = await session.query(`SELECT to_regclass('millrace_migration') IS NOT NULL AS found`)
  if (found[0]?.['found'] !== true) {
    await session.query(`CREATE TABLE millrace_migration (
      number integer PRIMARY KEY,
      name text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`)
  }
  const { rows } = await session.query('SELECT coalesce(max(number), 0) AS last FROM millrace_migration')
  return Number(rows[0]?.['last'])
}

async function apply(session: Session, last: number): Promise<void> {
  for (const [index, { name, statements }] of MIGRATIONS.entries()) {
    const number = index + 1
    if (number <= last) continue
    for (const statement of statements) await session.query(statement)
    await session.query('INSERT INTO millrace_migration (number, name) VALUES ($1, $2)', [number, name])
  }
}
