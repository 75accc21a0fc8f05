/**
 * Compares what a table holds with what the log holds: counts and sums by day and kind, up to where the table is.
 *
 * Only what both can have is compared: the records that the log still retains, and rows that came of them. Memory holds a
 * page of records and the sums of the days.
 */
import {
  type AnyTopic,
  type Clock,
  type Log,
  type LogRecord,
  NO_HEADERS,
  readRange,
  type TopicPartition,
} from '../../streams/index.ts'
import type { Incoming } from '../frame/connector.ts'
import { type Database, inSession, type Row } from './database.ts'
import { loadPositions } from './positions.ts'
import { type AnyTable, identityColumns, identityOf, refusalOf, unnested } from './tables.ts'

const PAGE_RECORDS = 1_000

export interface ReconcileOptions {
  readonly log: Pick<Log, 'bounds' | 'openReader' | 'partitions' | 'topicId'>
  readonly clock: Pick<Clock, 'yield'>
  readonly database: Database
  readonly application: string
  readonly table: AnyTable
  readonly topic: AnyTopic
  readonly signal: AbortSignal
}

/** Counts and sums of one day and kind; a name for each of the table's measures. */
export interface DaySums {
  /** `2026-01-05`, UTC. */
  readonly day: string
  readonly kind: string
  readonly lines: number
  readonly sums: Readonly<Record<string, number>>
}

export interface DayDifference {
  readonly day: string
  readonly kind: string
  /** Absent: there is none. */
  readonly logged: DaySums | undefined
  readonly stored: DaySums | undefined
}

/** What was compared of a partition: from the first record that is retained to the table's position. */
export interface ComparedRange extends TopicPartition {
  readonly from: number
  readonly to: number
  /** Records that the table does not have yet. */
  readonly behind: number
}

export interface Reconciliation {
  readonly ranges: readonly ComparedRange[]
  readonly lines: number
  readonly differences: readonly DayDifference[]
}

/** Throws what log and database throw. */
export async function reconcile(options: ReconcileOptions): Promise<Reconciliation> {
  const { topic, table } = options
  const ranges = await rangesOf(options)
  const logged = new Sums(table)
  for (const range of ranges) await addRange(options, range, logged)
  const stored = await inSession(options.database, async (session) => {
    const { rows } = await session.query(sumsStatement(table), [
      ranges.map(({ partition }) => partition),
      ranges.map(({ from }) => from),
      ranges.map(({ to }) => to),
    ])
    return new Map(rows.map((row) => daySums(table, row)).map((one) => [`${one.day} ${one.kind}`, one]))
  })
  const days = new Set([...logged.byDay.keys(), ...stored.keys()])
  const differences = [...days].toSorted().flatMap((name) => {
    const sums = { logged: logged.byDay.get(name), stored: stored.get(name) }
    const [day = '', kind = ''] = name.split(' ')
    return areEqual(sums.logged, sums.stored) ? [] : [{ day, kind, ...sums }]
  })
  return {
    ranges: ranges.map((range) => ({ ...range, topic: topic.name })),
    lines: logged.lines,
    differences,
  }
}

async function rangesOf(options: ReconcileOptions): Promise<readonly ComparedRange[]> {
  const { log, database, application, topic } = options
  const partitions = Array.from({ length: log.partitions(topic.name) }, (_, partition) => ({
    topic: topic.name,
    partition,
  }))
  const topicId = (name: string): string => log.topicId(name)
  const positions = await loadPositions(database, { application, topicId }, partitions)
  return Promise.all(
    partitions.map(async (at) => {
      const { start: from, end } = await log.bounds(at)
      const position = positions.find(({ partition }) => partition === at.partition)
      const to = Math.max(from, position?.offset ?? from)
      return { ...at, from, to, behind: Math.max(0, end - to) }
    }),
  )
}

async function addRange(
  options: ReconcileOptions,
  { topic, partition, from, to }: ComparedRange,
  sums: Sums,
) {
  const { log, clock, signal } = options
  let page: Incoming[] = []
  for await (const record of readRange({ log, clock, signal }, { topic, partition }, { from, to })) {
    const incoming = await decoded(options.topic, record)
    // What cannot be read, or taken, is among the dead letters.
    if (incoming === undefined || refusalOf(options.table, incoming) !== undefined) continue
    page.push(incoming)
    if (page.length < PAGE_RECORDS) continue
    await addPage(options, page, sums)
    page = []
  }
  if (page.length > 0) await addPage(options, page, sums)
}

/** A line that the log has twice is one row, of the later record: the earlier one does not count. */
async function addPage({ database, table }: ReconcileOptions, page: readonly Incoming[], sums: Sums) {
  const columns = identityColumns(table)
  const identity = columns.map(({ name }, index) => `t.${name} = c${index}`).join(' AND ')
  const sql = `SELECT ${columns.map(({ name }) => `t.${name}`).join(', ')}, t.source_partition, t.source_offset
    FROM ${table.name} t JOIN ${unnested(columns)} ON ${identity}`
  const given = columns.map((column) => page.map((record) => column.of(record.value, record)))
  const { rows } = await inSession(database, (session) => session.query(sql, given))
  const sources = new Map(
    rows.map((row) => [
      JSON.stringify(columns.map(({ name }) => row[name])),
      `${String(row['source_partition'])} ${String(row['source_offset'])}`,
    ]),
  )
  for (const record of page) {
    const source = sources.get(identityOf(table, record))
    if (source === undefined || source === `${record.partition} ${record.offset}`) sums.add(record)
  }
}

class Sums {
  readonly byDay = new Map<string, DaySums>()
  lines = 0
  readonly #table: AnyTable

  constructor(table: AnyTable) {
    this.#table = table
  }

  add(record: Incoming): void {
    const { columns, measures } = this.#table
    const valueOf = (name: string): string | number | null | undefined =>
      columns.find((column) => column.name === name)?.of(record.value, record)
    const day = new Date(Number(valueOf('at'))).toISOString().slice(0, 10)
    const kind = String(valueOf('kind') ?? '')
    const before = this.byDay.get(`${day} ${kind}`)
    const sums = measures.map((name) => [name, (before?.sums[name] ?? 0) + Number(valueOf(name))] as const)
    this.byDay.set(`${day} ${kind}`, {
      day,
      kind,
      lines: (before?.lines ?? 0) + 1,
      sums: Object.fromEntries(sums),
    })
    this.lines++
  }
}

function sumsStatement({ name, columns, measures }: AnyTable): string {
  const hasKind = columns.some((column) => column.name === 'kind')
  const sums = measures.map((measure) => `sum(${measure})::bigint AS ${measure}`).join(', ')
  return `SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, ${hasKind ? 'kind' : "''"} AS kind,
      count(*) AS lines, ${sums}
    FROM ${name} JOIN unnest($1::integer[], $2::bigint[], $3::bigint[]) AS compared (partition, first, next)
      ON source_partition = compared.partition
      AND source_offset >= compared.first AND source_offset < compared.next
    GROUP BY 1, 2`
}

function daySums({ measures }: AnyTable, row: Row): DaySums {
  return {
    day: String(row['day']),
    kind: String(row['kind']),
    lines: Number(row['lines']),
    sums: Object.fromEntries(measures.map((name) => [name, Number(row[name])])),
  }
}

function areEqual(one: DaySums | undefined, other: DaySums | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  if (one.lines !== other.lines) return false
  return Object.entries(one.sums).every(([name, sum]) => other.sums[name] === sum)
}

/** Nothing where it has no value that can be read. */
async function decoded(topic: AnyTopic, record: LogRecord): Promise<Incoming | undefined> {
  if (record.value === null) return undefined
  const value = await valueOf(topic, record.value)
  if (value === undefined) return undefined
  const { partition, offset, timestamp, appendTime, lineage } = record
  const place = { topic: topic.name, partition, offset, timestamp, appendTime, lineage }
  return { ...place, recordKey: undefined, value, headers: NO_HEADERS, key: '' }
}

async function valueOf(topic: AnyTopic, bytes: Buffer): Promise<unknown> {
  try {
    return topic.value.deserialize(bytes)
  } catch (error) {
    const { ready } = error as { readonly ready?: unknown }
    if (!(ready instanceof Promise)) return undefined
    // A registry has yet to say what the bytes are.
    await ready
    return valueOf(topic, bytes)
  }
}
