/** The tables of bad input and of doors name tests that there are. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

interface Row {
  readonly what: string
  readonly file: string
  readonly name: string
}

/** Rows that end with a test: its file in backquotes, then a part of its name. */
function rowsOf(page: string): readonly Row[] {
  const text = readFileSync(join(root, page), 'utf8')
  const found = text.matchAll(/^\| (.+?) \|.*\| `(test\/\S+)`: (.+) \|$/gm)
  return [...found].map(([, what = '', file = '', name = '']) => ({ what, file, name }))
}

/** Names of tests and of what they are in, as they stand in the source. */
function namesIn(file: string): readonly string[] {
  const text = readFileSync(join(root, file), 'utf8')
  const names =
    /\b(?:describe|test|it)\b(?:\.each\([^;]*?\))?(?:\.\w+)?\(\s*(['"`])((?:(?!\1)[^\\]|\\.)+)\1/gs
  return [...text.matchAll(names)].map(([, , name = '']) => name)
}

describe.each(['docs/bad-input.md', 'SECURITY.md'])('%s', (page) => {
  const rows = rowsOf(page)

  test('has rows, each with a test', () => {
    const text = readFileSync(join(root, page), 'utf8')
    const lines = text.split('\n').filter((line) => /^\| .*`test\//.test(line))
    expect(rows).toHaveLength(lines.length)
    expect(rows.length).toBeGreaterThan(15)
  })

  test('has no row twice', () => {
    expect(new Set(rows.map(({ what }) => what)).size).toBe(rows.length)
  })

  test.each(rows)('$what', ({ file, name }) => {
    expect(existsSync(join(root, file))).toBe(true)
    expect(namesIn(file).filter((one) => one.includes(name))).not.toEqual([])
  })
})
