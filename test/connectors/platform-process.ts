/**
 * A shop of orders with the data platform behind it, in a process that the test kills. It appends orders and returns as
 * fast as the log takes them; a line on its input ends that, and it says `drained` when the platform has everything.
 */
import { once } from 'node:events'
import { ConnectorRunner, connectorTopics, noConnectorHooks } from '../../connectors/index.ts'
import { dataPlatform } from '../../connectors/data-platform/connector.ts'
import { pgliteDatabase } from '../../connectors/data-platform/pglite-database.ts'
import { postgresDatabase } from '../../connectors/data-platform/postgres-database.ts'
import { topics } from '../../schemas/index.ts'
import { Streams, systemClock } from '../../streams/index.ts'
import { orderLines } from '../../topologies/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { drained, tell } from '../support/connector-process.ts'
import { APPLICATION, topicSpec } from '../support/engine-shop.ts'
import { seededRandom } from '../support/random.ts'
import { orderFacts } from './order-facts.ts'

export interface PlatformProcessOptions {
  readonly directory: string
  readonly target: { readonly url: string } | { readonly pglite: string }
  readonly seed: number
  /** Appends however far the platform is behind. */
  readonly runsFree?: boolean
}

/** Facts in one append. */
const CALL = 20
const BATCH_RECORDS = 100
/** Between two appends, milliseconds. */
const PACE_MS = 5
/** Records that the platform may be behind. */
const MOST_BEHIND = 500

const options = JSON.parse(process.argv[2] as string) as PlatformProcessOptions
const { directory, target, seed, runsFree = false } = options
const log = await openEmbeddedLog({ directory, application: APPLICATION })
const connector = dataPlatform({
  application: APPLICATION,
  topics,
  database: () =>
    'url' in target
      ? postgresDatabase({ url: target.url, connections: 2, statementTimeoutMs: 10_000 })
      : pgliteDatabase(target.pglite),
  delivery: { batchRecords: BATCH_RECORDS, backoffMs: 20, maxBackoffMs: 200, openMs: 200 },
})
const streams = new Streams({
  application: APPLICATION,
  topologies: [orderLines(Number.POSITIVE_INFINITY)],
  log,
  topicSpec,
})
await log.ensureTopics(connectorTopics(connector).map(topicSpec))
await streams.open()
await streams.ready()
const runner = new ConnectorRunner({
  application: APPLICATION,
  connector,
  log,
  clock: systemClock,
  random: Math.random,
  hooks: {
    ...noConnectorHooks,
    onDelivered: () => tell('delivered'),
    onFailure: (_name, kind, cause) => tell(`failed ${kind}: ${cause.message}`),
    onEnded: (_name, cause) => tell(`ended: ${cause.stack}`),
  },
})
await runner.start()
streams.run()
tell('opened')

let ended = false
process.stdin.once('data', () => (ended = true))
const facts = orderFacts(seededRandom(seed), `s${seed}`)
while (!ended) {
  await log.append(Array.from({ length: CALL }, () => facts.next().value))
  tell(`appended rss ${process.memoryUsage.rss()}`)
  // Not so far ahead that a kill finds nothing but reading.
  do await new Promise((resolve) => setTimeout(resolve, PACE_MS))
  while (!ended && !runsFree && (await backlog()) > MOST_BEHIND)
}
await drained(connector, topics.dataplatformOrder.name, streams, log)
tell('drained')
await once(process.stdin, 'data')
await runner.stop()
await streams.close()
await log.close()
process.exit(0)

async function backlog(): Promise<number> {
  const { tasks } = await runner.view()
  return tasks.flatMap(({ inputs }) => inputs).reduce((sum, { lagRecords }) => sum + lagRecords, 0)
}
