/** F11: one of three brokers is killed, by what it is for; the cluster goes on, and the engine with it. */
import { expect, test } from 'vitest'
import { eventually } from '../../support/kafka/eventually.ts'
import { threeBrokers } from '../../support/kafka/own-cluster.ts'
import { kafkaTool } from '../../support/kafka/tools.ts'
import { leaderOf } from '../../support/kafka/topics.ts'
import { seedOfRun } from '../../support/random.ts'
import { CouponRun } from './coupon-run.ts'
import { troubles } from './engines.ts'
import { kafkaRuns } from './runs.ts'

/** Within which decisions go on after a broker was killed. */
const PROGRESS_LIMIT_MS = 60_000
/** Partitions of Kafka's own topics in these clusters. */
const INTERNAL_PARTITIONS = 5
const seed = seedOfRun()
const bounces = Math.ceil(kafkaRuns(1) / 4)

const cluster = threeBrokers()

type Role = 'leader' | 'controller' | "group's coordinator" | "transaction's coordinator"

test(
  `F11: ${bounces} × each: the leader, the controller, both coordinators are killed and come back (CRASH_SEED=${seed})`,
  async () => {
    const { bootstrap, brokers } = cluster()
    const engineOptions = { pipelines: ['coupons', 'ranking'] as const }
    const run = await CouponRun.open({
      name: 'f11',
      seed,
      users: bounces * 3_000,
      bootstrap,
      engine: engineOptions,
    })
    const engine = run.start('a')
    await engine.stage('ready')
    await run.openCampaigns()
    run.startLoad()
    const pauses: string[] = []
    const roles: Role[] = ['leader', 'controller', "group's coordinator", "transaction's coordinator"]
    for (const role of Array.from({ length: bounces }, () => roles).flat()) {
      await run.acceptedMore(100)
      const id = await playing(role, run)
      const broker = brokers.find((one) => one.id === id)
      if (broker === undefined) throw new Error(`no broker is the ${role}`)
      await broker.kill()
      const begin = performance.now()
      // What is accepted now was not before the kill; what is committed next decides it or something after it.
      await within(PROGRESS_LIMIT_MS, role, run.acceptedMore(20))
      await within(
        PROGRESS_LIMIT_MS,
        role,
        engine.next('committed', ({ topology }) => topology === 'coupon-issuance'),
      )
      pauses.push(`${role} ${Math.round(performance.now() - begin)} ms`)
      await broker.start()
      await allInSync(bootstrap)
    }
    expect(troubles([engine])).toEqual([])
    console.log(`F11: seed ${seed}: ${pauses.join(', ')}: ${await run.finish()}`)
  },
  120_000 + bounces * 200_000,
)

async function playing(role: Role, { bootstrap, application }: CouponRun): Promise<number> {
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
  return (hash & 0x7fffffff) % INTERNAL_PARTITIONS
}

/** The next kill must find another copy of everything. */
async function allInSync(bootstrap: string): Promise<void> {
  const tool = 'org.apache.kafka.tools.TopicCommand'
  const args = ['--bootstrap-server', bootstrap, '--describe', '--under-replicated-partitions']
  await eventually(async () => (await kafkaTool(tool, ...args)).trim() === '', {
    timeoutMs: 60_000,
    describe: 'all copies are in sync',
  })
}

async function within<T>(ms: number, what: string, awaited: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no progress ${ms} ms after the ${what} was killed`)), ms)
  })
  try {
    return await Promise.race([awaited, late])
  } finally {
    clearTimeout(timer)
  }
}
