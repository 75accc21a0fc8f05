/**
 * Cost of a whole order with many orders stored against few: all that are stored are complete, none is forgotten. First
 * argument: orders stored in the end. They get there like any others.
 */
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { fill, inFreshDirectory, measured, report, round, smoke } from '../harness.ts'
import { allCompleted, openOrders, orderRecord, stockUp } from '../order-load.ts'

const stored = smoke ? 600 : Number(process.argv[2])
const few = smoke ? 200 : 10_000
const sample = smoke ? 200 : 10_000
const step = smoke ? 200 : 50_000

await inFreshDirectory(async (directory) => {
  const log = await openEmbeddedLog({ directory, application: 'bench' })
  let streams = await openOrders(log)
  const seen = new Map<number, number>()
  /** Orders wait in the log, then the engine starts: appends are not part of what is measured. Answers microseconds each. */
  const take = async (from: number, to: number): Promise<number> => {
    await stockUp(log, from, to)
    streams.run()
    await fill(log, to - from, (index) => orderRecord(from + index))
    const { seconds } = await measured(() => allCompleted(log, streams, to - from, seen))
    await streams.close()
    streams = await openOrders(log)
    return (seconds / (to - from)) * 1e6
  }
  await take(0, few)
  const costFew = await take(few, few + sample)
  let at = few + sample
  for (; at < stored - sample; at += step) await take(at, Math.min(stored - sample, at + step))
  const costMany = await take(stored - sample, stored)
  report({
    orders: stored,
    'µs per order at few': round(costFew),
    'µs per order at many': round(costMany),
    ratio: round(costMany / costFew),
    'resident MiB': Math.round(process.memoryUsage.rss() / 1024 / 1024),
  })
  await streams.close()
  await log.close()
})
