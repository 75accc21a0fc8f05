/** The embedded log alone: synced appends of 250-byte records to 6 partitions, then reading all of it back. */
import { formatUuid7, NO_HEADERS } from '../../streams/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { fill, inFreshDirectory, measured, report, round, smoke, topicSpec } from '../harness.ts'

const records = smoke ? 50_000 : 2_000_000

await inFreshDirectory(async (directory) => {
  let log = await openEmbeddedLog({ directory, application: 'bench' })
  await log.ensureTopics([
    topicSpec({ name: 'in', role: 'source', cleanup: 'delete', timestamps: 'CreateTime' }),
  ])
  const value = Buffer.from(Array.from({ length: 250 }, (_, i) => (i * 31) % 251))
  const writing = await measured(() =>
    fill(log, records, (index) => ({
      topic: 'in',
      key: Buffer.from(`key-${index % 100_000}`),
      value,
      timestamp: 1_700_000_000_000 + index,
      lineage: { eventId: formatUuid7(1_700_000_000_000 + index, index, 1, 2) },
      headers: NO_HEADERS,
    })),
  )
  await log.close()
  log = await openEmbeddedLog({ directory, application: 'bench' })
  const reading = await measured(async () => {
    for (let partition = 0; partition < 6; partition++) {
      let readable = (): void => {}
      const reader = log.openReader({ topic: 'in', partition }, 0, () => readable())
      while (reader.position < reader.end) {
        const awake = new Promise<void>((resolve) => (readable = resolve))
        if (reader.take(2_000).length === 0) await awake
      }
      reader.close()
    }
  })
  report({
    'written records/s': Math.round(records / writing.seconds),
    'read records/s': Math.round(records / reading.seconds),
    'CPU s per million written': round((writing.cpuSeconds / records) * 1e6),
    'resident MiB': writing.residentMiB,
  })
  await log.close()
})
