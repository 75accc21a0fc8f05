/** Coupons on Kafka, as the cases load and drain them: the inputs, an application's topics, its results. */
import { join } from 'node:path'
import { topicsOf } from '../streams/index.ts'
import type { KafkaLog } from '../transports/kafka/index.ts'
import { couponIssuance } from '../topologies/index.ts'
import type { CouponApp } from './coupon-apps.ts'
import { publishCampaign } from './coupon-load.ts'
import { topicSpec } from './harness.ts'
import { type Bench, openBenchLog } from './kafka-harness.ts'

/** Makes the topics that applications read, with the campaign; answers the log that did. */
export async function openCouponTopics({ cluster }: Bench, quota: number): Promise<KafkaLog> {
  const log = await openBenchLog(cluster.bootstrap)
  const inputs = topicsOf(couponIssuance).filter(({ role }) => role === 'source')
  await log.ensureTopics(inputs.map(topicSpec))
  await publishCampaign(log, quota)
  return log
}

/** What an application is given, and the topics of its results, which are made. */
export async function couponApp(
  { cluster, directory }: Bench,
  log: KafkaLog,
  application: string,
  commitIntervalMs: number,
): Promise<{
  readonly app: CouponApp
  readonly results: { readonly issued: string; readonly rejected: string }
}> {
  const output = `${application}.`
  const results = { issued: `${output}issued`, rejected: `${output}rejected` }
  const spec = { role: 'sink', cleanup: 'delete', timestamps: 'CreateTime' } as const
  await log.ensureTopics(Object.values(results).map((name) => topicSpec({ ...spec, name })))
  const { bootstrap } = cluster
  return {
    app: { bootstrap, application, directory: join(directory, application), output, commitIntervalMs },
    results,
  }
}
