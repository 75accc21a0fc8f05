/** Producers that nobody runs any more: what they have open is ended before their tasks run elsewhere, and no other's. */
import { expect, inject, onTestFinished, test } from 'vitest'
import { Cluster } from '../../../transports/kafka/cluster.ts'
import { Connections } from '../../../transports/kafka/connections.ts'
import { TransactionalProducer } from '../../../transports/kafka/transactional-producer.ts'
import { eventually } from '../../support/kafka/eventually.ts'
import '../../support/kafka/fixture.ts'
import { topicOffsets, transactions } from '../../support/kafka/topics.ts'
import { CouponRun } from './coupon-run.ts'
import { troubles } from './engines.ts'

const { bootstrap } = inject('kafka')
/** Far more than a test takes: what ends sooner was ended by somebody. */
const TRANSACTION_TIMEOUT_MS = 600_000
const TOPIC = 'coupon.issued'

test('what a dead process has open is ended by the leader, and its own end is refused', async () => {
  const run = await CouponRun.open({ name: 'fence', seed: 1, users: 10 })
  const zombie = await producerOf(`${run.application}.coupon-issuance.gone.7`)
  await writeOpen(zombie)
  expect(await isStable()).toBe(false)
  const engine = run.start('a')
  const { ids } = await engine.stage('fenced')
  expect(ids).toEqual([zombie.transactionalId])
  await eventually(isStable, { describe: 'nothing is open' })
  await expect(zombie.commit()).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
  await engine.stage('ready')
  await run.openCampaigns()
  run.startLoad()
  await run.acceptedMore(50)
  await run.finish()
  expect(troubles([engine])).toEqual([])
})

test('what an older incarnation of the own slot has open is ended by the start', async () => {
  const run = await CouponRun.open({ name: 'fence', seed: 1, users: 10 })
  const before = await producerOf(`${run.application}.coupon-issuance.a.3`)
  await writeOpen(before)
  const engine = run.start('a')
  expect((await engine.stage('fenced')).ids).toEqual([before.transactionalId])
  await run.openCampaigns()
  const states = await transactions(bootstrap)
  const own = states.filter(({ transactionalId }) => transactionalId.startsWith(`${run.application}.`))
  expect(own.map(({ transactionalId }) => transactionalId)).toContain(
    `${run.application}.coupon-issuance.a.4`,
  )
  await expect(before.commit()).rejects.toMatchObject({ code: 'COMMIT_FENCED' })
})

test('what others have open goes on: of another application, another topology, another program', async () => {
  const run = await CouponRun.open({ name: 'fence', seed: 1, users: 10 })
  const { application } = run
  const others = await Promise.all(
    [
      `${application}2.coupon-issuance.gone.1`,
      `${application}.coupon-issuance-2.gone.1`,
      `${application}.coupon-issuance.gone`,
    ].map(producerOf),
  )
  for (const other of others) await writeOpen(other)
  const engine = run.start('a')
  await engine.stage('ready')
  await run.openCampaigns()
  expect(engine.told('fenced')).toEqual([])
  for (const other of others) await other.commit()
})

test('a producer that has nothing open may be a process about to join, and is left alone', async () => {
  const run = await CouponRun.open({ name: 'fence', seed: 1, users: 10 })
  const joining = await producerOf(`${run.application}.coupon-issuance.b.1`)
  const engine = run.start('a')
  await engine.stage('ready')
  await run.openCampaigns()
  expect(engine.told('fenced')).toEqual([])
  await writeOpen(joining)
  await joining.commit()
})

/** A producer as a process has it, without the process. */
async function producerOf(transactionalId: string): Promise<TransactionalProducer> {
  const connections = new Connections({ brokers: bootstrap.split(','), clientId: 'zombie' }, 'test')
  const cluster = new Cluster(connections)
  onTestFinished(async () => {
    cluster.close()
    await connections.close()
  })
  await cluster.open()
  await cluster.learn([TOPIC])
  const producer = new TransactionalProducer(cluster, connections, {
    transactionalId,
    timeoutMs: TRANSACTION_TIMEOUT_MS,
  })
  await producer.initialise()
  return producer
}

async function writeOpen(producer: TransactionalProducer): Promise<void> {
  const record = { key: Buffer.from('k'), value: null, timestamp: Date.now(), headers: [] }
  await producer.produce([{ topic: TOPIC, partition: 0, records: [record] }])
}

async function isStable(): Promise<boolean> {
  const { stable, end } = await topicOffsets(bootstrap, TOPIC)
  return stable[0] === end[0]
}
