/** A merge that was taken before it was ended. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './sources.ts'

test('no file has both sides of a merge', () => {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' })
    .split('\0')
    .filter(Boolean)
  const marker = /^(?:<{7} |>{7} )/m
  expect(files.filter((file) => marker.test(readFileSync(join(ROOT, file), 'latin1')))).toEqual([])
})
