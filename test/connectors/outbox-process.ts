/**
 * A process that publishes an outbox into an embedded log, until the test kills it, or a line comes on its input; or until
 * it kills itself, between an append and its mark.
 */
import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { noConnectorHooks, OutboxReader } from '../../connectors/index.ts'
import { systemClock } from '../../streams/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { APPLICATION, topicSpec } from '../support/engine-shop.ts'
import { published } from './outbox-rig.ts'

const [directory = '', url = '', dieAt = '0'] = process.argv.slice(2)
let appends = 0
const log = await openEmbeddedLog({ directory, application: APPLICATION })
await log.ensureTopics(
  published.map(({ name, cleanup, timestamps }) => topicSpec({ name, role: 'source', cleanup, timestamps })),
)
const reader = new OutboxReader({
  application: APPLICATION,
  url,
  statementTimeoutMs: 10_000,
  table: 'outbox',
  pollMs: 50,
  batchRecords: 20,
  keepMs: Number.POSITIVE_INFINITY,
  topics: published,
  currency: 'GBP',
  log: {
    maxRecordBytes: log.maxRecordBytes,
    async append(records) {
      const results = await log.append(records)
      writeSync(1, 'appended\n')
      if (++appends === Number(dieAt)) process.kill(process.pid, 'SIGKILL')
      return results
    },
  },
  waitMs: () => undefined,
  clock: systemClock,
  random: Math.random,
  hooks: { ...noConnectorHooks, onDelivered: () => void writeSync(1, 'marked\n') },
})
reader.start()
writeSync(1, 'opened\n')
await once(process.stdin, 'data')
await reader.close()
await log.close()
process.exit(0)
