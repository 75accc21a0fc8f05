/** Which topic goes into which table, and what of a record into which column. */
import { type CouponUsed, type OrderLine, type PointBooked, type Topics } from '../../schemas/index.ts'
import type { Incoming } from '../frame/connector.ts'

export type ColumnType = 'text' | 'integer' | 'bigint' | 'timestamptz'

export interface Column<V> {
  readonly name: string
  readonly type: ColumnType
  /** The record's field; absent: the column is not one of the record's own. */
  readonly field?: keyof V & string
  readonly of: (value: V, record: Incoming) => string | number | null
}

export interface Table<V = never> {
  readonly name: TableName
  readonly topic: keyof Topics
  readonly columns: readonly Column<V>[]
  /** Columns that tell its rows apart. */
  readonly identity: readonly string[]
  /** Columns that add up. */
  readonly measures: readonly string[]
}

export const tableNames = ['order_line', 'coupon_use', 'point_entry'] as const
export type TableName = (typeof tableNames)[number]

/** Where a row came from: it tells a row of the log's own record from one that came another way. */
const SOURCE = [
  { name: 'source_partition', type: 'integer', of: (_: unknown, { partition }: Incoming) => partition },
  { name: 'source_offset', type: 'bigint', of: (_: unknown, { offset }: Incoming) => offset },
] as const satisfies readonly Column<never>[]

function column<V>(field: keyof V & string, name: string, type: ColumnType): Column<V> {
  return { name, type, field, of: (value) => value[field] as string | number | null }
}

export const orderLineTable: Table<OrderLine> = {
  name: 'order_line',
  topic: 'dataplatformOrder',
  columns: [
    column('orderId', 'order_id', 'text'),
    column('lineNo', 'line_no', 'integer'),
    column('kind', 'kind', 'text'),
    // Part of the key, so never null.
    { name: 'return_id', type: 'text', field: 'returnId', of: ({ returnId }) => returnId ?? '' },
    column('userId', 'user_id', 'text'),
    column('productId', 'product_id', 'text'),
    column('categoryId', 'category_id', 'text'),
    column('quantity', 'quantity', 'bigint'),
    column('unitPrice', 'unit_price', 'bigint'),
    column('amount', 'amount', 'bigint'),
    column('currency', 'currency', 'text'),
    column('soldAt', 'sold_at', 'timestamptz'),
    column('at', 'at', 'timestamptz'),
    ...SOURCE,
  ],
  identity: ['order_id', 'line_no', 'kind', 'return_id'],
  measures: ['quantity', 'amount'],
}

export const couponUseTable: Table<CouponUsed> = {
  name: 'coupon_use',
  topic: 'couponUsed',
  columns: [
    column('orderId', 'order_id', 'text'),
    column('userCouponId', 'user_coupon_id', 'text'),
    column('userId', 'user_id', 'text'),
    column('couponId', 'coupon_id', 'text'),
    column('discountAmount', 'discount_amount', 'bigint'),
    column('usedAt', 'at', 'timestamptz'),
    ...SOURCE,
  ],
  identity: ['order_id', 'user_coupon_id'],
  measures: ['discount_amount'],
}

export const pointEntryTable: Table<PointBooked> = {
  name: 'point_entry',
  topic: 'pointEntry',
  columns: [
    column('userId', 'user_id', 'text'),
    column('entry', 'entry', 'bigint'),
    column('kind', 'kind', 'text'),
    column('points', 'points', 'bigint'),
    column('balanceAfter', 'balance_after', 'bigint'),
    column('reference', 'reference', 'text'),
    column('orderId', 'order_id', 'text'),
    column('returnId', 'return_id', 'text'),
    column('adjustId', 'adjust_id', 'text'),
    column('at', 'at', 'timestamptz'),
    ...SOURCE,
  ],
  identity: ['user_id', 'entry'],
  measures: ['points'],
}

export const tables = { order_line: orderLineTable, coupon_use: couponUseTable, point_entry: pointEntryTable }

// oxlint-disable-next-line typescript/no-explicit-any -- tables of differing records in one list
export type AnyTable = Table<any>

export const allTables: readonly AnyTable[] = Object.values(tables)

/**
 * One statement for any number of rows: a parameter for each column, an array each. What is there already is written
 * over: a line that the log has twice is one, and a backfill fills columns that came later.
 */
export function insertStatement({ name, columns, identity }: AnyTable): string {
  const names = columns.map((each) => each.name)
  const values = names.filter((each) => !identity.includes(each)).map((each) => `${each} = excluded.${each}`)
  return `INSERT INTO ${name} (${names.join(', ')}) SELECT ${selected(columns)} FROM ${unnested(columns)}
    ON CONFLICT (${identity.join(', ')}) DO UPDATE SET ${values.join(', ')}`
}

/** The columns of rows that `unnested` makes. */
function selected(columns: AnyTable['columns']): string {
  return columns
    .map(({ type }, index) => (type === 'timestamptz' ? `to_timestamp(c${index} / 1000.0)` : `c${index}`))
    .join(', ')
}

/** Parameters as rows `given (c0, c1, …)`; times are epoch milliseconds. */
export function unnested(columns: AnyTable['columns']): string {
  const types = columns.map(({ type }) => (type === 'timestamptz' ? 'bigint' : type))
  const arrays = types.map((type, index) => `$${index + 1}::${type}[]`).join(', ')
  return `unnest(${arrays}) AS given (${types.map((_, index) => `c${index}`).join(', ')})`
}

/** An array for each column; of records with one identity the last counts. */
export function parametersOf(table: AnyTable, records: readonly Incoming[]): readonly unknown[] {
  const last = [...new Map(records.map((record) => [identityOf(table, record), record])).values()]
  return table.columns.map((each) => last.map((record) => each.of(record.value, record)))
}

/** Bytes of a row's key: an index of PostgreSQL takes 2,704 in all. */
const MAX_KEY_BYTES = 2_400

/** Why no row can be made of a record. PostgreSQL has no word for the character NUL, and no index for long keys. */
export function refusalOf(table: AnyTable, record: Incoming): string | undefined {
  for (const { name, of } of table.columns) {
    const value = of(record.value, record)
    if (typeof value === 'string' && value.includes('\0')) return `${name} has the character NUL`
  }
  const bytes = Buffer.byteLength(identityOf(table, record))
  return bytes > MAX_KEY_BYTES ? `its key has ${bytes} bytes` : undefined
}

/** As text. */
export function identityOf(table: AnyTable, record: Incoming): string {
  return JSON.stringify(identityColumns(table).map(({ of }) => of(record.value, record)))
}

export function identityColumns({ columns, identity }: AnyTable): AnyTable['columns'] {
  return columns.filter(({ name }) => identity.includes(name))
}
