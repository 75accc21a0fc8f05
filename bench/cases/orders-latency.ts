/**
 * Whole orders at a fixed rate, open loop, embedded: the clock of an order starts when it was due. Until the log has it
 * (accepted), and until it is COMPLETED. Generator and engine share one process.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { topics } from '../../schemas/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { inFreshDirectory, report, round, smoke } from '../harness.ts'
import { openOrders, orderRecord, stockUp } from '../order-load.ts'

const rate = smoke ? 50 : 300
const warmUpS = smoke ? 1 : 5
const seconds = smoke ? 2 : 20
const count = rate * (warmUpS + seconds)
const TAKE_ROWS = 1_000

await inFreshDirectory(async (directory) => {
  const log = await openEmbeddedLog({ directory, application: 'bench' })
  const streams = await openOrders(log)
  streams.run()
  await stockUp(log, 0, count)
  const dueAt = new Map<string, number>()
  const acceptedMs: number[] = []
  const completedMs: number[] = []
  const isMeasured = (index: number) => index >= rate * warmUpS
  let completed = 0
  const { name: topic } = topics.orderCompleted
  const readers = Array.from({ length: log.partitions(topic) }, (_, partition) => {
    const reader = log.openReader({ topic, partition }, 0, () => take())
    const take = (): void => {
      for (;;) {
        const records = reader.take(TAKE_ROWS)
        if (records.length === 0) return
        const now = performance.now()
        for (const { key } of records) {
          completed++
          const due = dueAt.get(String(key))
          if (due !== undefined) completedMs.push(now - due)
        }
      }
    }
    take()
    return reader
  })
  const appends: Promise<void>[] = []
  const begin = performance.now()
  for (let index = 0; index < count; ) {
    const now = performance.now()
    for (; index < count && begin + (index * 1_000) / rate <= now; index++) {
      const due = begin + (index * 1_000) / rate
      if (isMeasured(index)) dueAt.set(`order-${index}`, due)
      const measuredHere = isMeasured(index)
      appends.push(
        log.append([orderRecord(index)]).then(() => {
          if (measuredHere) acceptedMs.push(performance.now() - due)
        }),
      )
    }
    await delay(1)
  }
  await Promise.all(appends)
  while (completed < count) {
    const failure = streams.runners.flatMap(({ tasks }) => tasks.map((task) => task.failure)).find(Boolean)
    if (failure !== undefined) throw failure
    await delay(5)
  }
  const at = (values: readonly number[], share: number): number => {
    const sorted = values.toSorted((a, b) => a - b)
    return round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN)
  }
  report({
    'orders/s': rate,
    'accepted p50 ms': at(acceptedMs, 0.5),
    'accepted p99 ms': at(acceptedMs, 0.99),
    'COMPLETED p50 ms': at(completedMs, 0.5),
    'COMPLETED p99 ms': at(completedMs, 0.99),
  })
  for (const reader of readers) reader.close()
  await streams.close()
  await log.close()
})
