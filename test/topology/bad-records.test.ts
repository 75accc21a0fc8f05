/** The rows about records in docs/bad-input.md, on the embedded log; `test/kafka/bad-records.test.ts` has the same. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../testing/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { badRecords, expectAnswers, goodRecord, reading } from '../support/bad-records.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { StepEngine } from '../support/step-engine.ts'

const NOW = Date.UTC(2026, 0, 1)
const MIB = 1024 * 1024

test('each bad record has its answer, the next one is processed, and memory stays', async () => {
  const clock = new ManualClock(NOW)
  const directory = await scratchDirectory('bad-records')
  const engine = await StepEngine.open({
    topologies: [reading],
    clock,
    partitions: 1,
    openLog: () => openEmbeddedLog({ directory, application: 'step', clock }),
  })
  const bad = badRecords(NOW)
  const before = process.memoryUsage().rss
  await engine.log.append(bad.map(({ record }) => record))
  await engine.log.append([goodRecord(NOW)])
  await engine.settle()
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * MIB)
  await expectAnswers(engine.log, bad)
  await engine.close()
})
