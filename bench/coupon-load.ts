/** One hot coupon and requests for it. */
import { topics } from '../schemas/index.ts'
import { type AppendRecord, type Log, Streams, type Topology } from '../streams/index.ts'
import { couponIssuance, SENTINEL } from '../topologies/index.ts'
import type { EmbeddedLog } from '../transports/embedded/index.ts'
import { fill, recordOf, topicSpec } from './harness.ts'

export const COUPON = 'hot'
const DAY = 86_400_000

export async function openIssuance(log: EmbeddedLog, beside: readonly Topology[] = []): Promise<Streams> {
  const topologies = [couponIssuance, ...beside]
  const streams = new Streams({ application: 'bench', topologies, log, topicSpec })
  await streams.open()
  await streams.ready()
  return streams
}

export async function publishCampaign(log: Log, quota: number): Promise<void> {
  const now = Date.now()
  const campaign = {
    couponId: COUPON,
    name: 'Hot',
    quota,
    perUserLimit: 1,
    opensAt: now - DAY,
    closesAt: now + DAY,
    validForMs: null,
    discount: { kind: 'AMOUNT', value: 1_000, minOrderAmount: null, maxDiscount: null },
    eligibility: null,
    fairness: 'FIFO',
    shards: 1,
    status: 'ACTIVE',
    revision: 0,
    operation: 'PUT',
    seedHash: null,
    seed: null,
  } as const
  await log.append([recordOf(topics.couponCampaignRequested, COUPON, campaign, now)])
}

export function issueRequest(index: number, users: number): AppendRecord {
  const acceptedAt = Date.now()
  // Users come in no order of their ids, as they would.
  const userId = `user-${(index * 7_919_817) % users}`
  const request = {
    requestId: `request-${index}`,
    couponId: COUPON,
    userId,
    shard: 0,
    acceptedAt,
    bodyHash: null,
  }
  return recordOf(topics.couponIssueRequested, COUPON, request, acceptedAt)
}

/** Puts requests `from` to `to` into the log and answers when the last of them is decided and committed. */
export async function decideAll(log: EmbeddedLog, streams: Streams, from: number, to: number, users: number) {
  const ends = await fill(log, to - from, (index) => issueRequest(from + index, users))
  return async () => {
    const { progress, tasks } = streams.runner(couponIssuance.name)
    for (const { topic, partition, offset } of ends) {
      if (!(await progress.reached(topic, partition, offset, 3_600_000)))
        throw new Error('not decided in an hour')
    }
    for (const task of tasks) if (task.failure !== undefined) throw task.failure
  }
}

/** Resolves when the sentinel has read every verdict that there is. */
export async function allWatched(log: EmbeddedLog, streams: Streams): Promise<void> {
  const { progress } = streams.runner(SENTINEL)
  for (const { name: topic } of [topics.couponIssued, topics.couponIssueRejected]) {
    for (let partition = 0; partition < log.partitions(topic); partition++) {
      const { end } = await log.bounds({ topic, partition })
      if (!(await progress.reached(topic, partition, end - 1, 3_600_000))) throw new Error('not in an hour')
    }
  }
}
