/**
 * How far each partition is, as the database has it: moved together with the rows, and only from where it was thought to
 * be. So nobody writes twice, however many processes believe that a partition is theirs.
 */
import type { Position, TopicPartition } from '../../streams/index.ts'
import { type Database, type Session, transaction } from './database.ts'

export interface PositionsOptions {
  readonly application: string
  /** Names the life of a topic. */
  readonly topicId: (topic: string) => string
}

const COLUMNS = 'topic, partition, next_offset'

/**
 * Those of these partitions that it has. Positions in a topic that was deleted and made again are dropped: they say
 * nothing about the new one.
 */
export function loadPositions(
  database: Database,
  { application, topicId }: PositionsOptions,
  partitions: readonly TopicPartition[],
): Promise<readonly Position[]> {
  const topics = [...new Set(partitions.map(({ topic }) => topic))]
  const ids = topics.map(topicId)
  const wanted = new Set(partitions.map(placeOf))
  return transaction(database, async (session) => {
    await session.query(
      `DELETE FROM millrace_position p USING unnest($2::text[], $3::text[]) AS given (topic, topic_id)
       WHERE p.application = $1 AND p.topic = given.topic AND p.topic_id <> given.topic_id`,
      [application, topics, ids],
    )
    const { rows } = await session.query(
      `SELECT ${COLUMNS} FROM millrace_position WHERE application = $1 AND topic = ANY($2::text[])`,
      [application, topics],
    )
    const positions = rows.map((row) => ({
      topic: String(row['topic']),
      partition: Number(row['partition']),
      offset: Number(row['next_offset']),
    }))
    return positions.filter((position) => wanted.has(placeOf(position)))
  })
}

/** A partition as text, for looking it up. */
export function placeOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

/** A partition's step forward; `from` absent: the database has no position of it yet. */
export interface Step {
  readonly topic: string
  readonly partition: number
  readonly from: number | undefined
  readonly to: number
}

/** Moves all of them, inside a transaction; false, and the transaction must not commit, where one is elsewhere. */
export async function movePositions(
  session: Session,
  { application, topicId }: PositionsOptions,
  steps: readonly Step[],
): Promise<boolean> {
  const known = steps.filter(({ from }) => from !== undefined)
  const fresh = steps.filter(({ from }) => from === undefined)
  const moved = await session.query(
    `UPDATE millrace_position p SET next_offset = given.next
     FROM unnest($2::text[], $3::integer[], $4::text[], $5::bigint[], $6::bigint[])
       AS given (topic, partition, topic_id, expected, next)
     WHERE p.application = $1 AND p.topic = given.topic AND p.partition = given.partition
       AND p.topic_id = given.topic_id AND p.next_offset = given.expected`,
    [application, ...columnsOf(known, topicId), known.map(({ from }) => from), known.map(({ to }) => to)],
  )
  if (moved.count !== known.length) return false
  if (fresh.length === 0) return true
  const made = await session.query(
    `INSERT INTO millrace_position (application, topic, partition, topic_id, next_offset)
     SELECT $1::text, topic, partition, topic_id, next
     FROM unnest($2::text[], $3::integer[], $4::text[], $5::bigint[]) AS given (topic, partition, topic_id, next)
     ON CONFLICT DO NOTHING`,
    [application, ...columnsOf(fresh, topicId), fresh.map(({ to }) => to)],
  )
  return made.count === fresh.length
}

function columnsOf(steps: readonly Step[], topicId: (topic: string) => string) {
  return [
    steps.map(({ topic }) => topic),
    steps.map(({ partition }) => partition),
    steps.map(({ topic }) => topicId(topic)),
  ] as const
}
