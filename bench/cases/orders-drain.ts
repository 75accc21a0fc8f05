/**
 * Whole orders drained from the log, embedded, connectors off: from `order.created` through stock, points, coupon,
 * payment and courier to `order.completed`. All orders are in the log before the engine starts.
 */
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { fill, inFreshDirectory, measured, report, round, smoke } from '../harness.ts'
import { allCompleted, openOrders, orderRecord, stockUp } from '../order-load.ts'

const orders = smoke ? 300 : 30_000

await inFreshDirectory(async (directory) => {
  const log = await openEmbeddedLog({ directory, application: 'bench' })
  const streams = await openOrders(log)
  const records = () => log.stats().partitions.reduce((sum, { end }) => sum + end, 0)
  await stockUp(log, 0, orders)
  streams.run()
  await fill(log, 1, () => orderRecord(0))
  await allCompleted(log, streams, 1)
  await streams.close()
  const again = await openOrders(log)
  const before = records()
  await fill(log, orders - 1, (index) => orderRecord(index + 1))
  const { seconds, cpuSeconds, residentMiB } = await measured(async () => {
    again.run()
    await allCompleted(log, again, orders)
  })
  report({
    'orders/s': round((orders - 1) / seconds),
    'records per order': round((records() - before) / (orders - 1)),
    'records/s': Math.round((records() - before) / seconds),
    'CPU ms per order': round((cpuSeconds / (orders - 1)) * 1_000),
    'resident MiB': residentMiB,
  })
  await again.close()
  await log.close()
})
