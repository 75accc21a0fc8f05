/**
 * Cost of a whole order with many orders stored against few: all that are stored are complete, none is forgotten. First
 * argument: orders stored in the end; second: minutes after which no more are stored. They get there like any others,
 * though without syncs, so that the disk's latency is no part of what is compared. What a restart does behind the work,
 * learning the filters of absent keys from all rows, is waited for and told by itself.
 */
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import {
  directoryMiB,
  fill,
  inFreshDirectory,
  measured,
  report,
  round,
  smoke,
  untilIdle,
} from '../harness.ts'
import { allCompleted, openOrders, orderRecord, stockUp } from '../order-load.ts'

const wanted = smoke ? 600 : Number(process.argv[2])
const minutes = smoke ? 1 : Number(process.argv[3] ?? Number.POSITIVE_INFINITY)
const few = smoke ? 200 : 10_000
const sample = smoke ? 200 : 10_000
const step = smoke ? 200 : 20_000

await inFreshDirectory(async (directory) => {
  const log = await openEmbeddedLog({ directory, application: 'bench', sync: false })
  let streams = await openOrders(log)
  const seen = new Map<number, number>()
  /** Orders wait in the log, then the engine starts: appends are not part of what is measured. */
  const take = async (from: number, to: number) => {
    await stockUp(log, from, to)
    const restartCpuS = await untilIdle()
    streams.run()
    await fill(log, to - from, (index) => orderRecord(from + index))
    const { seconds, cpuSeconds } = await measured(() => allCompleted(log, streams, to - from, seen))
    await streams.close()
    streams = await openOrders(log)
    const orders = to - from
    return { us: (seconds / orders) * 1e6, cpuUs: (cpuSeconds / orders) * 1e6, restartCpuS }
  }
  await take(0, few)
  const atFew = await take(few, few + sample)
  const end = performance.now() + minutes * 60_000
  let at = few + sample
  for (; at < wanted - sample && performance.now() < end; at += step) {
    const { cpuUs } = await take(at, at + step)
    process.stderr.write(`${at + step} stored, ${round(cpuUs)} µs of CPU per order\n`)
  }
  const atMany = await take(at, at + sample)
  report({
    orders: at + sample,
    'µs per order at few': round(atFew.us),
    'µs per order at many': round(atMany.us),
    ratio: round(atMany.us / atFew.us),
    'CPU µs per order at few': round(atFew.cpuUs),
    'CPU µs per order at many': round(atMany.cpuUs),
    'CPU ratio': round(atMany.cpuUs / atFew.cpuUs),
    'restart CPU s at many': round(atMany.restartCpuS),
    'resident MiB': Math.round(process.memoryUsage.rss() / 1024 / 1024),
    'disk MiB': await directoryMiB(directory),
  })
  await streams.close()
  await log.close()
})
