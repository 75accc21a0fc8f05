/**
 * Records are exchanged with Java applications that use Apache Avro and Apicurio's serde in Confluent's format, through
 * a real registry.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { openRegistrySchemas, type RegistrySchemas } from '../../../connectors/index.ts'
import {
  avroSerde,
  campaignSchema,
  type Campaign,
  couponIssueRequestedSchema,
  type CouponIssueRequested,
  DeserializationError,
  orderConfirmedSchema,
  type OrderConfirmed,
  type RecordSchema,
  type Serde,
} from '../../../schemas/index.ts'
import { appendRecord, readAll, topicSpec } from '../../contract/log-fixtures.ts'
import { freshName } from '../../support/kafka/topics.ts'
import { scratchDirectory } from '../../support/scratch.ts'
import { javaPrograms } from './java-programs.ts'
import { openLog } from './opened-log.ts'
import '../../support/kafka/fixture.ts'

const { bootstrap, registryUrl } = inject('kafka')
const runJava = javaPrograms()
/** Apicurio's serde asks Apicurio's own API; the ids are the same. */
const nativeUrl = registryUrl.replace(/ccompat\/v\d+$/, 'registry/v2')

const request: CouponIssueRequested = {
  requestId: 'r-ß-中-🙂',
  couponId: 'spring',
  userId: 'ann',
  shard: 2_147_483_647,
  acceptedAt: Number.MAX_SAFE_INTEGER,
  bodyHash: null,
}

const order: OrderConfirmed = {
  orderId: 'o-1',
  userId: 'ann',
  items: [
    { lineNo: 1, productId: 'mug', categoryId: 'kitchen', quantity: 2, unitPrice: 600 },
    { lineNo: 2, productId: 'tea', categoryId: null, quantity: 1, unitPrice: 1 },
  ],
  finalAmount: 1_201,
  currency: 'GBP',
  userCouponId: 'spring-17',
  pointsUsed: 0,
  paidAt: 1_764_000_000_000,
  confirmedAt: 1_764_000_000_001,
}

const campaign: Campaign = {
  couponId: 'spring',
  name: 'Spring',
  quota: 1_000,
  perUserLimit: 1,
  opensAt: 1_764_000_000_000,
  closesAt: 1_764_000_000_001,
  validForMs: 86_400_000,
  discount: { kind: 'PERCENT', value: 10, minOrderAmount: null, maxDiscount: 500 },
  eligibility: null,
  fairness: 'FIFO',
  shards: 1,
  status: 'ACTIVE',
  revision: 3,
  operation: 'PUT',
  seedHash: null,
  seed: null,
}

/** What a Java application prints of a record. */
interface Row {
  readonly key: string
  readonly value: unknown
}

async function openSchemas(topic: string, schema: RecordSchema<unknown>): Promise<RegistrySchemas> {
  const registry = { url: registryUrl }
  const schemas = await openRegistrySchemas({ registry, topics: [{ name: topic, schema }], register: true })
  onTestFinished(() => schemas.close())
  return schemas
}

/** Decodes as the engine does: waits for a schema that has to be fetched. */
async function decode<T>(serde: Serde<T>, bytes: Buffer | null | undefined): Promise<T> {
  for (;;) {
    try {
      return serde.deserialize(bytes as Buffer)
    } catch (error) {
      if (!(error instanceof DeserializationError) || error.ready === undefined) throw error
      await error.ready
    }
  }
}

/** Ours into one topic, a Java application from there into another one, under the subject of the first. */
async function relayed<T>(schema: RecordSchema<T>, value: T, newerSchema?: string) {
  const [from, to] = [freshName('ours'), freshName('java')]
  const serde = avroSerde(schema, await openSchemas(from, schema as RecordSchema<unknown>))
  const log = await openLog()
  await log.ensureTopics([topicSpec(from, { partitions: 1 }), topicSpec(to, { partitions: 1 })])
  const sent = serde.serialize(value)
  await log.append([appendRecord(from, '', { key: Buffer.from('a key'), value: sent })])
  const files = newerSchema === undefined ? [] : [newerSchema]
  const printed = await runJava('AvroRelay', bootstrap, nativeUrl, from, to, `${from}-value`, ...files)
  const back = await readAll(log, { topic: to, partition: 0 })
  return { serde, sent, printed: printed as Row[], back }
}

describe.each([
  ['coupon.issue.requested', couponIssueRequestedSchema as RecordSchema<unknown>, request],
  ['order.confirmed', orderConfirmedSchema as RecordSchema<unknown>, order],
  ['coupon.campaign', campaignSchema as RecordSchema<unknown>, campaign],
])('%s', (_topic, schema, value) => {
  test('is read by Java, and read again after Java has written it', async () => {
    const { serde, sent, printed, back } = await relayed(schema, value)
    expect(printed).toEqual([{ key: 'a key', value }])
    expect(back.map(({ key, headers }) => [key?.toString(), headers])).toEqual([['a key', []]])
    // The same schema, so the same id and the same bytes.
    expect(back[0]?.value).toEqual(sent)
    expect(await decode(serde, back[0]?.value)).toEqual(value)
  })
})

test('a Java application that is newer registers its schema, and its records are read', async () => {
  const { definition } = couponIssueRequestedSchema
  const field = { name: 'channel', type: 'string', default: 'web' }
  const file = join(await scratchDirectory('interop'), 'newer.avsc')
  await writeFile(file, JSON.stringify({ ...definition, fields: [...definition.fields, field] }))
  const { serde, sent, back } = await relayed(couponIssueRequestedSchema, request, file)
  expect(back).toHaveLength(1)
  expect(back[0]?.value?.readInt32BE(1)).not.toBe(sent.readInt32BE(1))
  expect(await decode(serde, back[0]?.value)).toEqual(request)
})
