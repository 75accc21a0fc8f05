import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { commandCodes } from '../../../processors/coupons/decide-command.ts'
import { topics } from '../../../schemas/index.ts'

const docs = readFileSync(new URL('../../../docs/coupons.md', import.meta.url), 'utf8')

/** First cells of the rows between a table's heading and its end. */
function firstColumn(heading: string): string[] {
  const [, table = ''] = docs.split(`| ${heading} |`)
  const rows = table.split('\n\n')[0]?.split('\n').slice(2) ?? []
  return rows.map((row) => row.replace(/^\| `?(\w+).*$/, '$1'))
}

test('the docs list every reason of a rejection, in the order in which they are looked for', () => {
  const field = topics.couponIssueRejected.schema.definition.fields.find(({ name }) => name === 'reason')
  const type = field?.type
  const symbols = typeof type === 'object' && 'symbols' in type ? type.symbols : []
  expect(firstColumn('reason')).toEqual(symbols.filter((symbol) => symbol !== 'UNKNOWN'))
})

test('the docs list every code of a refused command', () => {
  expect(firstColumn('code')).toEqual([...commandCodes])
})
