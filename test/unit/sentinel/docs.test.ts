import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { watchedInvariants } from '../../../processors/index.ts'

test('docs/sentinel.md says of every invariant that is watched what breaks it', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/sentinel.md'), 'utf8')
  const documented = [...text.matchAll(/^\| `(I\d+)` \|/gm)].map(([, invariant]) => invariant)
  expect(documented).toEqual([...watchedInvariants])
})
