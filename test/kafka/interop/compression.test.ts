/** Batches in every compression: ours are read by Java, Java's by us. */
import { describe, expect, inject, test } from 'vitest'
import { appendRecord, readAll, topicSpec } from '../../contract/log-fixtures.ts'
import { produce, readCommitted } from '../../support/kafka/oracle.ts'
import { freshName } from '../../support/kafka/topics.ts'
import { dumpLog } from '../../support/kafka/tools.ts'
import { seededRandom } from '../../support/random.ts'
import { openLog } from './opened-log.ts'
import '../../support/kafka/fixture.ts'

const { bootstrap, logDirectory } = inject('kafka')
const RECORDS = 2_000

/** Much that is alike, something that is not, nothing, and long ones. */
const random = seededRandom(1)
const texts = Array.from({ length: RECORDS }, (_, index) => {
  if (index % 100 === 0) return ''
  const noise = Array.from({ length: index % 50 === 1 ? 5_000 : 20 }, () => random.below(36).toString(36))
  return `record ${index} ${'alike '.repeat(index % 30)}${noise.join('')}`
})

describe.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('%s', (compression) => {
  test('of ours is read by Java', async () => {
    const topic = freshName(`ours-${compression}`)
    const log = await openLog({ compression })
    await log.ensureTopics([topicSpec(topic, { partitions: 1 })])
    await log.append(texts.map((text) => appendRecord(topic, text)))
    const read = await readCommitted(bootstrap, topic)
    expect(read.map(({ value }) => value?.toString())).toEqual(texts)
    expect(read.map(({ key }) => key?.toString())).toEqual(texts.map((text) => `key of ${text}`))
    await expectCodec(topic, compression)
  })

  test("of Java's is read by us", async () => {
    const topic = freshName(`java-${compression}`)
    const log = await openLog()
    await log.ensureTopics([topicSpec(topic, { partitions: 1 })])
    const records = texts.map((value, index) => ({
      key: `${index}`,
      value,
      headers: [['n', `${index}`]] as const,
    }))
    await produce(bootstrap, topic, records, { compression, config: { 'linger.ms': '50' } })
    const read = await readAll(log, { topic, partition: 0 })
    expect(read.map(({ value }) => value?.toString())).toEqual(texts)
    expect(read.map(({ key }) => key?.toString())).toEqual(records.map(({ key }) => key))
    expect(read.map(({ headers }) => headers)).toEqual(records.map(({ key }) => [['n', Buffer.from(key)]]))
    await expectCodec(topic, compression)
  })
})

/** Brokers keep batches as they come; otherwise nothing would be shown. */
async function expectCodec(topic: string, compression: string): Promise<void> {
  if (logDirectory === undefined) return
  const codecs = (await dumpLog(logDirectory, topic, 0)).matchAll(/compresscodec: (\w+)/g)
  expect(new Set(Array.from(codecs, ([, codec]) => codec?.toLowerCase()))).toEqual(new Set([compression]))
}
