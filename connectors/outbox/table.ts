/** The statements of an outbox. */
import type pg from 'pg'
import type { OutboxRow } from './row.ts'

/** What is purged in one statement. */
const PURGE_ROWS = 1_000

/** What is read at a time. */
export interface BatchLimits {
  readonly rows: number
  /** Of payloads as text, but for the last one. */
  readonly bytes: number
  /** A payload that is longer is not read: it is no record. */
  readonly payloadBytes: number
}

export class OutboxTable {
  readonly #client: pg.Client
  readonly #name: string

  /** @param name checked: it becomes part of statements */
  constructor(client: pg.Client, name: string) {
    this.#client = client
    this.#name = name
  }

  /** Whether this connection is the one that reads, from now until it ends. */
  async lock(): Promise<boolean> {
    const { rows } = await this.#client.query<{ got: boolean }>(
      'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS got',
      [`millrace outbox ${this.#name}`],
    )
    return rows[0]?.got === true
  }

  async listen(onNotice: () => void): Promise<void> {
    this.#client.on('notification', onNotice)
    await this.#client.query('LISTEN outbox')
  }

  /**
   * The oldest that are not published, by id, until they have so many bytes. Not what comes after some id: ids are drawn
   * before their transactions end, and one that ends later may have a lower one.
   */
  async waiting({ rows: most, bytes, payloadBytes }: BatchLimits): Promise<readonly OutboxRow[]> {
    const waiting = 'published_at IS NULL AND refused IS NULL'
    // Row by row: where one is large, those behind it are not even measured.
    const next = (after: string): string =>
      `SELECT id, octet_length(payload::text) AS bytes FROM ${this.#name}
       WHERE ${waiting}${after} ORDER BY id LIMIT 1`
    const { rows } = await this.#client.query<OutboxRow & { createdAt: string }>(
      `WITH RECURSIVE batch (id, bytes, total, rows) AS (
         SELECT id, bytes, bytes::bigint, 1 FROM (${next('')}) AS first
         UNION ALL
         SELECT next.id, next.bytes, batch.total + next.bytes, batch.rows + 1
         FROM batch, LATERAL (${next(' AND id > batch.id')}) AS next
         WHERE batch.rows < $1 AND batch.total < $2
       )
       SELECT id::text, topic, key, headers, batch.bytes, CASE WHEN batch.bytes <= $3 THEN payload END AS payload,
         floor(extract(epoch FROM created_at) * 1000)::text AS "createdAt"
       FROM batch JOIN ${this.#name} AS o USING (id) ORDER BY o.id`,
      [most, bytes, payloadBytes],
    )
    return rows.map((row) => ({ ...row, createdAt: Number(row.createdAt) }))
  }

  /** How many are not published, of so many at most. */
  async countWaiting(most: number): Promise<number> {
    const { rows } = await this.#client.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM (
         SELECT 1 FROM ${this.#name} WHERE published_at IS NULL AND refused IS NULL LIMIT $1) AS waiting`,
      [most],
    )
    return rows[0]?.n ?? 0
  }

  async published(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#client.query(
      `UPDATE ${this.#name} SET published_at = clock_timestamp() WHERE id = ANY($1::bigint[])`,
      [ids],
    )
  }

  async refused(rows: readonly { readonly id: string; readonly reason: string }[]): Promise<void> {
    if (rows.length === 0) return
    await this.#client.query(
      `UPDATE ${this.#name} AS o SET refused = given.reason
       FROM unnest($1::bigint[], $2::text[]) AS given (id, reason) WHERE o.id = given.id`,
      [rows.map(({ id }) => id), rows.map(({ reason }) => reason)],
    )
  }

  /** Deletes some that were published longer ago; answers whether there may be more. */
  async purge(keepMs: number): Promise<boolean> {
    const { rowCount } = await this.#client.query(
      `DELETE FROM ${this.#name} WHERE id IN (
         SELECT id FROM ${this.#name} WHERE published_at < clock_timestamp() - $1 * interval '1 ms'
         ORDER BY published_at LIMIT ${PURGE_ROWS})`,
      [keepMs],
    )
    return rowCount === PURGE_ROWS
  }
}
