import { expect, test } from 'vitest'
import { isDataFault } from '../../../connectors/data-platform/database.ts'
import { allTables } from '../../../connectors/data-platform/tables.ts'
import { type AvroRecord, topics } from '../../../schemas/index.ts'

test.each(allTables.map((table) => [table.name, table] as const))(
  'a field that a record is given later needs a column and a migration: %s has all there are',
  (_, { topic, columns }) => {
    const { fields } = topics[topic].schema.definition as AvroRecord
    expect(columns.flatMap(({ field }) => field ?? []).toSorted()).toEqual(
      fields.map(({ name }) => name).toSorted(),
    )
  },
)

test.each([
  ['22P05', true],
  ['23505', true],
  ['08006', false],
  ['42P01', false],
  ['53100', false],
  ['57P01', false],
  ['ECONNREFUSED', false],
  [undefined, false],
])('only what a value is to blame for is its fault: %s %s', (code, blamed) => {
  expect(isDataFault(Object.assign(new Error('no'), { code }))).toBe(blamed)
})
