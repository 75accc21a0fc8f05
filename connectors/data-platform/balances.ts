/**
 * Whether the entries of `point_entry` add up. Each row has what its user had after it, as the ledger knew: so each must
 * follow from the one before. Where a user's entries begin with 0 and none is missing, their sum is then the balance.
 */
import { type Database, inSession } from './database.ts'
import { pointEntryTable } from './tables.ts'

/** Users named, of those that are wrong. */
const MAX_NAMED = 20

export interface BalanceCheck {
  readonly users: number
  /** Users of whom entries are missing: from before the platform was on, from while it was off, or not retained. */
  readonly incomplete: number
  /** Users with an entry that does not follow from the one before. */
  readonly wrong: number
  /** Some of those, in order. */
  readonly wrongUsers: readonly string[]
}

/** Throws what the database throws. */
export async function checkBalances(database: Database): Promise<BalanceCheck> {
  const { rows } = await inSession(database, (session) => session.query(STATEMENT))
  const [row = {}] = rows
  return {
    users: Number(row['users']),
    incomplete: Number(row['incomplete']),
    wrong: Number(row['wrong']),
    wrongUsers: JSON.parse(String(row['wrong_users'])) as string[],
  }
}

const STATEMENT = `
  WITH following AS (
    SELECT user_id, points, balance_after, coalesce(lag(balance_after) OVER one, 0) AS balance_before,
      entry = coalesce(lag(entry) OVER one + 1, 0) AS is_next
    FROM ${pointEntryTable.name}
    WINDOW one AS (PARTITION BY user_id ORDER BY entry)
  ), of_user AS (
    SELECT user_id, bool_and(is_next) AS is_complete,
      bool_or(is_next AND balance_before + points <> balance_after) AS is_wrong
    FROM following GROUP BY user_id
  )
  SELECT count(*) AS users, count(*) FILTER (WHERE NOT is_complete) AS incomplete,
    count(*) FILTER (WHERE is_wrong) AS wrong,
    to_json(ARRAY(SELECT user_id FROM of_user WHERE is_wrong ORDER BY user_id LIMIT ${MAX_NAMED}))::text AS wrong_users
  FROM of_user`
