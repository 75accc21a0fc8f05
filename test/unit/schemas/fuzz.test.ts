import { afterAll, beforeAll, expect, test } from 'vitest'
import { fuzzAvro } from '../../fuzz/avro.ts'

const MIB = 1024 * 1024
const MESSAGES = 20_000

// A stack trace for each refused message would take most of the time.
const { stackTraceLimit } = Error
beforeAll(() => {
  Error.stackTraceLimit = 0
})
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit
})

test(`${MESSAGES} mutated messages are decoded or dead letters with a known code, in bounded memory`, async () => {
  const { decoded, refused, rss } = await fuzzAvro(20_240_501, MESSAGES)
  // What grows before is the heap of a process that has just begun; a million messages stay at it (docs/reliability.md).
  expect(rss.at(-1)).toBeLessThan((rss.at(-5) ?? 0) + 128 * MIB)
  expect(decoded).toBeGreaterThan(MESSAGES / 10)
  // The scan foresees everything: nothing is left for the Avro library to stumble over.
  expect(refused.get('undecodable')).toBeUndefined()
  for (const code of ['truncated', 'trailing-bytes', 'count-too-large', 'bad-union-index', 'invalid-utf8'])
    expect(refused.get(code)).toBeGreaterThan(0)
})
