/**
 * The coupon issuance of the shop on Kafka, as a process of its own that cases start, kill and look at. Its argument is
 * a `CouponApp` as JSON. It tells what happens in lines of JSON, each with the time in epoch milliseconds: `restored`
 * for each task, `running` when all are, `answered` for the claim asked for, `first` for the first record.
 */
import { writeSync } from 'node:fs'
import { createTopics, embeddedSchemas } from '../../schemas/index.ts'
import { TaskDatabases } from '../../state/index.ts'
import { Streams, withTopics } from '../../streams/index.ts'
import { claimStore, couponIssuance } from '../../topologies/index.ts'
import type { CouponApp } from '../coupon-apps.ts'
import { topicSpec } from '../harness.ts'
import { openBenchLog } from '../kafka-harness.ts'

const app = JSON.parse(process.argv[2] as string) as CouponApp
const { bootstrap, application, directory, output, commitIntervalMs, known } = app
process.stdin.on('end', () => process.exit(0)).resume()

const catalogue = createTopics(embeddedSchemas)
const outputs = {
  issued: catalogue.couponIssued,
  rejected: catalogue.couponIssueRejected,
  campaigns: catalogue.couponCampaign,
  quotas: catalogue.couponQuota,
}
const renamed = new Map(
  Object.entries(outputs).map(([name, topic]) => [topic.name, { ...topic, name: `${output}${name}` }]),
)

let isFirst = true
const log = await openBenchLog(bootstrap, { application })
const streams = new Streams({
  application,
  topologies: [withTopics(couponIssuance, ({ name }) => renamed.get(name))],
  log,
  topicSpec,
  commitIntervalMs,
  commitWhenIdle: false,
  stateDirectory: new TaskDatabases({ directory, application }),
  hooks: {
    onProcessed(_task, _records, ms) {
      if (isFirst) tell('first', { ms: Date.now() - ms })
      isFirst = false
    },
    onRestored: (_task, records, ms) => tell('restored', { records, since: Date.now() - ms }),
  },
})
await streams.open()
await streams.ready()
tell('running')
if (known !== undefined) {
  const { value } = streams
    .queries(couponIssuance.name, claimStore)
    .get([known.couponId, known.userId], known.couponId)
  if (value === undefined) throw new Error('the claim is gone')
  tell('answered')
}
streams.run()

/** At once: who waits for the line looks at this process's times. */
function tell(at: string, more: Readonly<Record<string, number>> = {}): void {
  writeSync(1, `${JSON.stringify({ at, ms: Date.now(), ...more })}\n`)
}
