/** The rows about records in docs/bad-input.md, on a broker; `test/topology/bad-records.test.ts` has the same. */
import { expect, test } from 'vitest'
import { badRecords, expectAnswers, goodRecord, reading } from '../support/bad-records.ts'
import { freshName } from '../support/kafka/topics.ts'
import '../support/kafka/fixture.ts'
import { drained, openEngine } from './interop/opened-engine.ts'

const MIB = 1024 * 1024

test('each bad record has its answer, the next one is processed, and memory stays', async () => {
  const { log, streams } = await openEngine({ application: freshName('bad'), topologies: [reading] })
  const now = Date.now()
  const bad = badRecords(now)
  const before = process.memoryUsage().rss
  await log.append(bad.map(({ record }) => record))
  await log.append([goodRecord(now)])
  await drained(log, streams, reading.name)
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * MIB)
  await expectAnswers(log, bad)
})
