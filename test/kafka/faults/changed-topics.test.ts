/** F20: what a group has read, or written, is not there any more. Its tasks stop and say so; none jumps. */
import { Kafka, logLevel } from 'kafkajs'
import { expect, inject, test } from 'vitest'
import { changelogTopic } from '../../../streams/index.ts'
import { couponIssuance, requestStore } from '../../../topologies/index.ts'
import { eventually } from '../../support/kafka/eventually.ts'
import { readCommitted } from '../../support/kafka/oracle.ts'
import { createTopic, deleteRecords, topicOffsets } from '../../support/kafka/topics.ts'
import '../../support/kafka/fixture.ts'
import { CouponRun } from './coupon-run.ts'
import type { Engine } from './engine.ts'
import { PARTITIONS, topicsOf } from './shop-topics.ts'

const { bootstrap } = inject('kafka')
const REQUESTS = 'coupon.issue.requested'
const COMMANDS = 'coupon.campaign.requested'
const BOTH = [COMMANDS, REQUESTS]

interface Change {
  readonly what: string
  /** What the tasks of coupons that were asked for say. */
  readonly code: string
  readonly change: (run: CouponRun) => Promise<void>
}

const changes: readonly Change[] = [
  { what: 'a changelog was deleted', code: 'RESET_REQUIRED', change: (run) => remove([requestLog(run)]) },
  {
    what: 'a changelog was deleted and made again',
    code: 'RESET_REQUIRED',
    change: async (run) => {
      await remove([requestLog(run)])
      await make([requestLog(run)])
    },
  },
  {
    what: 'an input was truncated past the position',
    code: 'OFFSET_OUT_OF_RANGE',
    change: async (run) => {
      await ask(run)
      const { end } = await topicOffsets(bootstrap, REQUESTS)
      for (let partition = 0; partition < PARTITIONS; partition++)
        await deleteRecords(bootstrap, REQUESTS, partition, end[partition] as number)
    },
  },
  ...[[REQUESTS], [COMMANDS], BOTH].map(
    (topics): Change => ({
      what: `${topics.join(' and ')} was deleted and made again`,
      code: 'RESET_REQUIRED',
      change: async () => {
        await remove(topics)
        await make(topics)
      },
    }),
  ),
]

test.each(changes)('F20: while nobody runs, $what', async ({ code, change }) => {
  const run = await CouponRun.open({ name: 'f20', seed: 20, users: 500 })
  const before = run.start('a')
  await run.openCampaigns()
  await ask(run)
  await run.drain()
  await before.kill()
  const said = await verdicts()

  await change(run)
  const engine = run.start('a')
  const tasks = workingTasks(run)
  await eventually(() => tasks.every((task) => stopped(engine, task, code)), {
    describe: () => ({ tasks, lines: quiet(engine) }),
  })
  await ask(run)
  expect(await verdicts()).toBe(said)
})

const [, remade, , ...others] = changes
test.each([remade as Change, ...others])(
  'F20: while it runs, and once it runs again, $what',
  async ({ change }) => {
    const run = await CouponRun.open({ name: 'f20', seed: 20, users: 500 })
    const engine = run.start('a')
    await run.openCampaigns()
    await ask(run)
    await run.drain()
    const tasks = workingTasks(run)

    await change(run)
    run.startLoad()
    await eventually(() => tasks.every((task) => hasFailed(engine, task)), {
      describe: () => ({ tasks, lines: quiet(engine) }),
    })
    await run.stopLoad()
    const said = await verdicts()
    await ask(run)
    expect(await verdicts()).toBe(said)

    await engine.kill()
    const again = run.start('a')
    await eventually(() => tasks.every((task) => stopped(again, task, 'RESET_REQUIRED')), {
      describe: () => ({ tasks, lines: quiet(again) }),
    })
    await ask(run)
    expect(await verdicts()).toBe(said)
  },
)

/** Some requests more, all of them accepted. */
async function ask(run: CouponRun): Promise<void> {
  run.startLoad()
  await run.acceptedMore(100)
  await run.stopLoad()
}

/** How much was decided so far. */
async function verdicts(): Promise<number> {
  const topics = ['coupon.issued', 'coupon.issue.rejected']
  const records = await Promise.all(topics.map((topic) => readCommitted(bootstrap, topic)))
  return records.flat().length
}

/** Tasks of the coupons that were asked for. */
function workingTasks({ accepted }: CouponRun): string[] {
  const partitions = new Set(accepted.map(({ partition }) => partition))
  return [...partitions].map((partition) => `${couponIssuance.name}.0_${partition}`)
}

function stopped(engine: Engine, task: string, code: string): boolean {
  const refused = engine.told('refused').filter((line) => line.task === task)
  const failed = engine.told('task').filter((line) => line.task === task && line.to === 'failed')
  return [...refused, ...failed].some((line) => line.code === code)
}

function hasFailed(engine: Engine, task: string): boolean {
  return engine.told('task').some((line) => line.task === task && line.to === 'failed')
}

function quiet({ lines }: Engine) {
  return lines.filter(({ at }) => at !== 'committed')
}

function requestLog({ application }: CouponRun): string {
  return changelogTopic(
    application,
    { topology: couponIssuance.name, subTopology: 0, partition: 0 },
    requestStore.name,
  )
}

async function remove(topics: readonly string[]): Promise<void> {
  const admin = new Kafka({
    brokers: bootstrap.split(','),
    clientId: 'f20',
    logLevel: logLevel.NOTHING,
  }).admin()
  await admin.connect()
  try {
    await admin.deleteTopics({ topics: [...topics] })
    await eventually(async () => !(await admin.listTopics()).some((topic) => topics.includes(topic)))
  } finally {
    await admin.disconnect()
  }
}

async function make(topics: readonly string[]): Promise<void> {
  for (const topic of topics) {
    const spec = topicsOf('').find(({ name }) => name === topic)
    const configs = {
      'cleanup.policy': spec?.cleanup ?? 'compact',
      'message.timestamp.type': spec?.timestamps ?? 'CreateTime',
    }
    await createTopic(bootstrap, topic, { partitions: PARTITIONS, configs })
  }
}
