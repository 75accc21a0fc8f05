import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { stateErrorTable } from '../../../state/index.ts'

test('docs/state.md lists every error with its reaction', async () => {
  const text = await readFile(join(import.meta.dirname, '../../../docs/state.md'), 'utf8')
  const listed = [...text.matchAll(/^\| `(STATE_\w+)` \| (\S+) \|/gm)].map(([, code, reaction]) => [
    code,
    reaction,
  ])
  const table = Object.entries(stateErrorTable).map(([code, { reaction }]) => [code, reaction])
  expect(listed).toEqual(table)
})
