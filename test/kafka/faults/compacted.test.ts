/**
 * F17: a changelog that was cleaned up to its end, where nothing but empty batches and the marks of transactions are
 * left: a restore must come to its end although no record does.
 */
import { rm } from 'node:fs/promises'
import { expect, inject, onTestFinished, test } from 'vitest'
import { changelogTopic } from '../../../streams/index.ts'
import { couponIssuance, counterStore } from '../../../topologies/index.ts'
import { Cluster } from '../../../transports/kafka/cluster.ts'
import { Connections } from '../../../transports/kafka/connections.ts'
import { TransactionalProducer } from '../../../transports/kafka/transactional-producer.ts'
import { eventually } from '../../support/kafka/eventually.ts'
import { produce, readCommitted } from '../../support/kafka/oracle.ts'
import { dumpLog, kafkaTool } from '../../support/kafka/tools.ts'
import { topicOffsets } from '../../support/kafka/topics.ts'
import { seedOfRun } from '../../support/random.ts'
import '../../support/kafka/fixture.ts'
import { CouponRun } from './coupon-run.ts'
import { troubles } from './engines.ts'

const { bootstrap, logDirectory } = inject('kafka')
/** A segment is closed by the first append after so long; only closed ones are cleaned. */
const SEGMENT_MS = 300
const seed = seedOfRun()

test.runIf(logDirectory !== undefined)(
  `F17: a restore from a changelog whose end is empty batches (CRASH_SEED=${seed})`,
  async () => {
    const run = await CouponRun.open({ name: 'f17', seed, users: 600 })
    const task = { topology: couponIssuance.name, subTopology: 0, partition: 0 }
    const changelog = changelogTopic(run.application, task, counterStore.name)
    await cleanAtOnce(changelog)
    const first = run.start('a')
    await run.openCampaigns()
    run.startLoad()
    await run.acceptedMore(300)
    await run.drain()
    const { partition } = run.accepted.find(({ ask }) => ask.couponId === 'hot') as { partition: number }
    await first.stop()

    // What is deleted goes from a batch, and the batch stays, being its producer's last.
    await produce(bootstrap, changelog, [{ partition, key: 'nobody', value: null }])
    const producer = await producerOf(`${run.application}.aborted`, changelog)
    let dump = ''
    await eventually(
      async () => {
        // Closes the segment before it, and is the end of the partition: nothing that comes through.
        await abortedWrite(producer, changelog, partition)
        dump = await dumpLog(logDirectory as string, changelog, partition)
        return emptyBatches(dump) > 0
      },
      { timeoutMs: 60_000, describe: () => dump },
    )
    const left = await recordsIn(changelog, partition)
    const end = (await topicOffsets(bootstrap, changelog)).end[partition] as number
    expect(left).toBeLessThan(end / 2)

    await rm(run.directoryOf('a'), { recursive: true })
    const second = run.start('a')
    await second.stage('ready')
    run.startLoad()
    await run.acceptedMore(100)
    const summary = await run.finish()
    expect(troubles([second])).toEqual([])
    console.log(`F17: seed ${seed}: ${left} records left of ${end}: ${summary}`)
  },
  180_000,
)

async function recordsIn(topic: string, partition: number): Promise<number> {
  const records = await readCommitted(bootstrap, topic)
  return records.filter((record) => record.partition === partition).length
}

async function cleanAtOnce(topic: string): Promise<void> {
  const settings = {
    'segment.ms': SEGMENT_MS,
    'min.cleanable.dirty.ratio': 0.0001,
    'delete.retention.ms': 0,
    'min.compaction.lag.ms': 0,
    'max.compaction.lag.ms': SEGMENT_MS,
  }
  const added = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  const entity = ['--alter', '--entity-type', 'topics', '--entity-name', topic]
  const tool = 'kafka.admin.ConfigCommand'
  await kafkaTool(tool, '--bootstrap-server', bootstrap, ...entity, '--add-config', added.join(','))
}

/** Batches without a record. */
function emptyBatches(dump: string): number {
  return dump.split('\n').filter((line) => /^baseOffset: .* count: 0 .*isControl: false/.test(line)).length
}

async function producerOf(transactionalId: string, topic: string): Promise<TransactionalProducer> {
  const connections = new Connections({ brokers: bootstrap.split(','), clientId: 'aborted' }, 'test')
  const cluster = new Cluster(connections)
  onTestFinished(async () => {
    cluster.close()
    await connections.close()
  })
  await cluster.open()
  await cluster.learn([topic])
  return new TransactionalProducer(cluster, connections, { transactionalId, timeoutMs: 10_000 })
}

async function abortedWrite(
  producer: TransactionalProducer,
  topic: string,
  partition: number,
): Promise<void> {
  await producer.initialise()
  const record = { key: Buffer.from('hot'), value: Buffer.from('never'), timestamp: Date.now(), headers: [] }
  await producer.produce([{ topic, partition, records: [record] }])
  await producer.initialise()
}
