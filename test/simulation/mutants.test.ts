/** Every seeded defect still applies to the sources as they are now. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../house/sources.ts'
import { DEFECTS } from './mutants/defects.ts'

test.each(DEFECTS)('$name: what it changes stands once in $file', ({ file, find, replace }) => {
  const source = readFileSync(join(ROOT, file), 'utf8')
  expect(source.split(find)).toHaveLength(2)
  expect(replace).not.toBe(find)
})

test('there are at least 25, each with a name of its own', () => {
  expect(DEFECTS.length).toBeGreaterThanOrEqual(25)
  expect(new Set(DEFECTS.map(({ name }) => name)).size).toBe(DEFECTS.length)
})
