/** Which of three brokers does what for an application, and whether all of them are whole again. */
import { eventually } from '../../support/kafka/eventually.ts'
import { kafkaTool } from '../../support/kafka/tools.ts'
import { leaderOf } from '../../support/kafka/topics.ts'
import type { CouponRun } from './coupon-run.ts'

/** Partitions of Kafka's own topics in these clusters. */
const INTERNAL_PARTITIONS = 5

export type Role = 'leader' | 'controller' | "group's coordinator" | "transaction's coordinator"

/** Id of the broker that leads the first partition of requests, or is what the coupons' group of slot `a` needs. */
export async function playing(role: Role, { bootstrap, application }: CouponRun): Promise<number> {
  const group = `${application}.coupon-issuance`
  switch (role) {
    case 'leader':
      return leaderOf(bootstrap, 'coupon.issue.requested', 0)
    case 'controller': {
      const tool = 'org.apache.kafka.tools.MetadataQuorumCommand'
      const status = await kafkaTool(tool, '--bootstrap-server', bootstrap, 'describe', '--status')
      return Number(/LeaderId:\s*(\d+)/.exec(status)?.[1])
    }
    case "group's coordinator":
      return leaderOf(bootstrap, '__consumer_offsets', internalPartition(group))
    case "transaction's coordinator":
      return leaderOf(bootstrap, '__transaction_state', internalPartition(`${group}.a.1`))
  }
}

/** Where Kafka keeps a group, or a transactional id: by Java's hash of the name. */
function internalPartition(name: string): number {
  let hash = 0
  for (const unit of name) hash = (Math.imul(31, hash) + unit.charCodeAt(0)) | 0
  return Math.abs(hash) % INTERNAL_PARTITIONS
}

/** Resolves when the next kill must find another copy of everything. */
export async function allInSync(bootstrap: string): Promise<void> {
  const tool = 'org.apache.kafka.tools.TopicCommand'
  const args = ['--bootstrap-server', bootstrap, '--describe', '--under-replicated-partitions']
  await eventually(async () => (await kafkaTool(tool, ...args)).trim() === '', {
    timeoutMs: 60_000,
    describe: 'all copies are in sync',
  })
}
