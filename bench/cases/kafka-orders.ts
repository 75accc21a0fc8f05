/**
 * Whole orders at a fixed rate on Kafka, exactly once, open loop; and the hops of one, as the causes in its records
 * say: how many topologies an order goes through, each of which takes a commit, from `order.created` to
 * `order.completed`. Engine, generator and reader share one process, beside the broker.
 */
import { join } from 'node:path'
import { topics } from '../../schemas/index.ts'
import { TaskDatabases } from '../../state/index.ts'
import { type Cause, type Log, positionText, topicsOf } from '../../streams/index.ts'
import { report, smoke } from '../harness.ts'
import { openBenchLog, readRecords, withBroker } from '../kafka-harness.ts'
import { openOrders, orderTopologies, stockUp } from '../order-load.ts'
import { orderLatencies, ordersOf } from '../order-open-loop.ts'

const rates = smoke ? [20] : [50, 100, 200]
const loopAt = (rate: number) =>
  smoke ? { rate, warmUpS: 1, seconds: 2 } : { rate, warmUpS: 10, seconds: 20 }

for (const rate of rates) {
  await withBroker(async ({ cluster, directory }) => {
    const log = await openBenchLog(cluster.bootstrap)
    const stateDirectory = new TaskDatabases({ directory: join(directory, 'state'), application: 'bench' })
    const streams = await openOrders(log, { stateDirectory })
    streams.run()
    const loop = loopAt(rate)
    await stockUp(log, 0, ordersOf(loop))
    const figures = await orderLatencies(log, streams, loop)
    report({ ...figures, hops: await hopsOf(log, 'order-0') })
    await streams.close()
    await log.close()
  })
}

/** Records from the one that made the order complete back to the one that made the order, each made from the one before. */
async function hopsOf(log: Log, orderId: string): Promise<number> {
  const causes = new Map<string, Cause>()
  let last: Cause | undefined
  const names = new Set(orderTopologies().flatMap((topology) => topicsOf(topology).map(({ name }) => name)))
  for (const name of names) {
    await readRecords(log, name, (record) => {
      if (record.lineage?.cause !== undefined) causes.set(positionText(record), record.lineage.cause)
      if (name === topics.orderCompleted.name && String(record.key) === orderId) last = record
    })
  }
  let hops = 0
  for (let at = last; at !== undefined; at = causes.get(positionText(at))) {
    if (at.topic === topics.orderCreated.name) return hops
    hops++
  }
  throw new Error(`the causes of ${orderId} do not lead back to where it was made`)
}
