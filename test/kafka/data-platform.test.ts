/** The data platform of two processes on a real broker, one of which goes in the middle without a word. */
import { expect, onTestFinished, test } from 'vitest'
import { dataPlatform } from '../../connectors/data-platform/connector.ts'
import { inSession } from '../../connectors/data-platform/database.ts'
import { postgresDatabase } from '../../connectors/data-platform/postgres-database.ts'
import { ConnectorRunner, connectorTopics, noConnectorHooks } from '../../connectors/index.ts'
import { topics as catalogue, type Topics } from '../../schemas/index.ts'
import { formatUuid7, NO_HEADERS, systemClock } from '../../streams/index.ts'
import type { KafkaLog } from '../../transports/kafka/index.ts'
import { orderLine } from '../contract/data-platform-contract.ts'
import { topicSpec } from '../support/engine-shop.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { freshName } from '../support/kafka/topics.ts'
import { PrivatePostgres } from '../support/postgres/private-server.ts'
import { openLog } from './interop/opened-log.ts'

const LINES = 3_000
const CALL = 100

/** The topics of a deployment of its own on the broker that all tests share. */
function freshTopics(): Topics {
  const named = (['dataplatformOrder', 'couponUsed', 'pointEntry'] as const).map((key) => {
    return [key, { ...catalogue[key], name: freshName(catalogue[key].name) }] as const
  })
  return { ...catalogue, ...(Object.fromEntries(named) as Partial<Topics>) }
}

test('each line is written once, also while partitions move from a process that is gone', async () => {
  const server = await PrivatePostgres.start()
  onTestFinished(() => server.close())
  const url = await server.database('platform')
  const topics = freshTopics()
  const application = freshName('platform')
  const open = () => postgresDatabase({ url, connections: 2, statementTimeoutMs: 10_000 })
  const logs = [
    await openLog({ application, slot: 'a', sessionTimeoutMs: 6_000 }),
    await openLog({ application, slot: 'b', sessionTimeoutMs: 6_000 }),
  ] as const
  const runners = await Promise.all(
    logs.map(async (log) => {
      const delivery = { batchRecords: 50, lingerMs: 0 }
      const connector = dataPlatform({ application, topics, database: open, delivery })
      await log.ensureTopics(connectorTopics(connector).map(topicSpec))
      const parts = { clock: systemClock, hooks: noConnectorHooks, random: Math.random }
      const runner = new ConnectorRunner({ application, connector, log, ...parts })
      await runner.start()
      onTestFinished(() => runner.stop())
      return runner
    }),
  )
  await eventually(async () => {
    const views = await Promise.all(runners.map((runner) => runner.view()))
    return views.every(({ tasks }) => tasks.length > 0 && tasks.every(({ inputs }) => inputs.length === 3))
  })

  const database = open()
  onTestFinished(() => database.close())
  const rows = async (what: string): Promise<unknown> => {
    const { rows: all } = await inSession(database, (session) =>
      session.query(`SELECT ${what} AS n FROM order_line`),
    )
    return all[0]?.['n']
  }
  for (let first = 0; first < LINES; first += CALL) {
    await append(logs[0], topics, first)
    // Its connections are gone, its tasks are not handed over.
    if (first === LINES / 3) void logs[1].close()
  }
  await eventually(async () => (await rows('count(DISTINCT order_id)')) === LINES, { timeoutMs: 60_000 })
  expect(await rows('count(*)')).toBe(LINES)
  expect(await rows('sum(quantity)::bigint')).toBe(2 * LINES)
})

async function append(log: KafkaLog, { dataplatformOrder: topic }: Topics, first: number): Promise<void> {
  await log.append(
    Array.from({ length: CALL }, (_, index) => {
      const line = orderLine(`o${first + index}`)
      return {
        topic: topic.name,
        key: topic.key.serialize(line.orderId),
        value: topic.value.serialize(line),
        timestamp: line.at,
        lineage: { eventId: formatUuid7(line.at, first + index, 1, 1) },
        headers: NO_HEADERS,
      }
    }),
  )
}
