import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { stateErrorTable } from '../../../state/index.ts'
import { reactionOf, StreamsError, streamsErrorTable } from '../../../streams/index.ts'
import { clusterErrorTable } from '../../../transports/kafka/index.ts'

const documented = new Map(
  [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `([A-Z_]+)` \| ([a-z-]+) \|/gm)].map((row) => [
    row[1],
    row[2],
  ]),
)

describe('docs/errors.md', () => {
  const table = { ...streamsErrorTable, ...stateErrorTable, ...clusterErrorTable }

  test.each(Object.entries(table))('explains %s', (code, { reaction }) => {
    expect(documented.get(code)).toBe(reaction)
  })

  test('has no code that there is not', () => {
    expect([...documented.keys()].filter((code) => code === undefined || !(code in table))).toEqual([])
  })
})

test('an error keeps its cause and says who must react', () => {
  const cause = new Error('disk')
  const error = new StreamsError('LOG_WRITE_FAILED', 'batch 7', { cause })
  expect(error.cause).toBe(cause)
  expect(error.message).toBe('The log could not write: batch 7')
  expect(reactionOf(error)).toBe('restore')
  expect(reactionOf(new Error('from user code'))).toBe('drop-task')
})
