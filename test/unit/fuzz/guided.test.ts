/** The fuzzer itself: it finds what blind chance does not, and finds it again. A process of its own, as it is used. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const RUN = join(import.meta.dirname, '../../fuzz/run.ts')

function fuzz(target: string) {
  const args = [RUN, 'guided', target, '--seed', '1', '--count', '60000']
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return { status, finding: /Finding: (.*)/.exec(stderr)?.[1] }
}

test('coverage leads to a fault behind four bytes, and the same seed to the same input', () => {
  const found = fuzz('planted')
  expect(found).toMatchObject({ status: 1, finding: expect.stringMatching(/the input in hex: 4d72217a/) })
  expect(fuzz('planted')).toEqual(found)
})

test('without coverage the same runs do not find it', () => {
  expect(fuzz('blind')).toEqual({ status: 0, finding: undefined })
})
