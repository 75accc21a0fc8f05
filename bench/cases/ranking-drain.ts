/**
 * Best sellers drained from the log: all deltas are in `ranking.sales.delta` before the engine starts. The time ends
 * when the boards of every window account for every delta, boards being sent once a second.
 */
import { topics } from '../../schemas/index.ts'
import { Streams } from '../../streams/index.ts'
import { bestSellers } from '../../topologies/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { fill, inFreshDirectory, measured, recordOf, report, round, smoke, topicSpec } from '../harness.ts'

const deltas = smoke ? 50_000 : 1_000_000
const products = 3_700
const hours = 24
const START = Date.UTC(2026, 0, 5)

await inFreshDirectory(async (directory) => {
  const log = await openEmbeddedLog({ directory, application: 'bench' })
  const topology = bestSellers({ closing: 'streamTime', retentionMs: Number.POSITIVE_INFINITY })
  const streams = new Streams({ application: 'bench', topologies: [topology], log, topicSpec })
  await streams.open()
  await streams.ready()
  let revision = 0
  const ends = await fill(log, deltas, (index) => {
    const eventTime = START + Math.floor((index / deltas) * hours * 3_600_000)
    // A few products sell most, as in shops.
    const productId = `product-${Math.floor(products * ((index * 0.618_033_988_7) % 1) ** 3)}`
    const delta = {
      orderId: `order-${index}`,
      lineNo: 1,
      returnId: null,
      productId,
      categoryId: null,
      quantity: 1 + (index % 5),
      amount: 100 + (index % 900),
      kind: 'SALE',
      eventTime,
    } as const
    return recordOf(topics.rankingSalesDelta, productId, delta, eventTime)
  })
  const runner = streams.runner(topology.name)
  const boards = streams.queries(topology.name, topology.stores.boards)
  const applied = async (): Promise<void> => {
    for (const { topic, partition, offset } of ends)
      await runner.progress.reached(topic, partition, offset, 600_000)
  }
  /** Revisions are numbers of deltas: those of the hour windows add up to all of them. */
  const counted = async (): Promise<void> => {
    while (revision < deltas) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      for (const task of runner.tasks) if (task.failure !== undefined) throw task.failure
      const rows = await boards.pageAll({ limit: 1_000 })
      revision = rows
        .map(([, board]) => board)
        .filter(({ window, metric }) => window === 'hour' && metric === 'quantity')
        .reduce((sum, board) => sum + board.revision, 0)
    }
  }
  let appliedSeconds = 0
  const { seconds, cpuSeconds, residentMiB } = await measured(async () => {
    const begin = performance.now()
    streams.run()
    await applied()
    appliedSeconds = (performance.now() - begin) / 1_000
    await counted()
  })
  report({
    'deltas/s': Math.round(deltas / seconds),
    'deltas/s applied, boards not awaited': Math.round(deltas / appliedSeconds),
    'CPU s per million': round((cpuSeconds / deltas) * 1e6),
    'resident MiB': residentMiB,
  })
  await streams.close()
  await log.close()
})
