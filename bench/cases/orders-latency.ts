/** Whole orders at a fixed rate on the embedded log, open loop: until the log has one, and until it is COMPLETED. */
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { inFreshDirectory, report, smoke } from '../harness.ts'
import { openOrders, stockUp } from '../order-load.ts'
import { orderLatencies, ordersOf } from '../order-open-loop.ts'

const loop = smoke ? { rate: 50, warmUpS: 1, seconds: 2 } : { rate: 300, warmUpS: 5, seconds: 20 }

await inFreshDirectory(async (directory) => {
  const log = await openEmbeddedLog({ directory, application: 'bench' })
  const streams = await openOrders(log)
  streams.run()
  await stockUp(log, 0, ordersOf(loop))
  report(await orderLatencies(log, streams, loop))
  await streams.close()
  await log.close()
})
