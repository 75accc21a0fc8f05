/** Dead letters that Java applications wrote, sent back by a shop on a real broker. */
import { expect, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { freshDirectory, getJson, sendJson, startShop, stop } from '../e2e/command.ts'
import { eventually } from '../support/kafka/eventually.ts'
import { produce, readCommitted, type RecordToProduce } from '../support/kafka/oracle.ts'
import { oneBroker } from '../support/kafka/own-cluster.ts'

const cluster = oneBroker()
const SOURCE = topics.orderConfirmed.name
const PARTITION = 2
const SLOW = { timeout: 30_000 }

function order(orderId: string): Buffer {
  const confirmedAt = Date.now()
  return topics.orderConfirmed.value.serialize({
    orderId,
    userId: 'ann',
    items: [{ lineNo: 1, productId: 'mug', categoryId: null, quantity: 3, unitPrice: 100 }],
    finalAmount: 300,
    currency: 'GBP',
    pointsUsed: 0,
    userCouponId: null,
    paidAt: confirmedAt,
    confirmedAt,
  })
}

/** As `ByteBuffer.putInt` and `putLong` write them. */
function bigEndian(bytes: 4 | 8, value: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  if (bytes === 4) buffer.writeInt32BE(value)
  else buffer.writeBigInt64BE(BigInt(value))
  return buffer
}

/** As Spring's `DeadLetterPublishingRecoverer` writes one. */
function ofSpring(orderId: string, offset: number): RecordToProduce {
  return {
    key: orderId,
    value: order(orderId),
    partition: PARTITION,
    headers: [
      ['kafka_dlt-original-topic', SOURCE],
      ['kafka_dlt-original-partition', bigEndian(4, PARTITION)],
      ['kafka_dlt-original-offset', bigEndian(8, offset)],
      ['kafka_dlt-original-timestamp', bigEndian(8, Date.now())],
      ['kafka_dlt-original-timestamp-type', 'CreateTime'],
      ['kafka_dlt-original-consumer-group', 'billing'],
      ['kafka_dlt-exception-fqcn', 'org.springframework.kafka.listener.ListenerExecutionFailedException'],
      ['kafka_dlt-exception-cause-fqcn', 'java.lang.IllegalStateException'],
      ['kafka_dlt-exception-message', 'Listener failed'],
    ],
  }
}

/** As Kafka Connect's `DeadLetterQueueReporter` writes one. */
function ofConnect(orderId: string, offset: number): RecordToProduce {
  return {
    key: orderId,
    value: order(orderId),
    headers: [
      ['__connect.errors.topic', SOURCE],
      ['__connect.errors.partition', String(PARTITION)],
      ['__connect.errors.offset', String(offset)],
      ['__connect.errors.connector.name', 'warehouse'],
      ['__connect.errors.exception.class.name', 'org.apache.kafka.connect.errors.DataException'],
    ],
  }
}

test('dead letters of Spring and Kafka Connect go back once, and are processed', async () => {
  const { bootstrap } = cluster()
  const flags = ['--kafka', bootstrap, '--set', 'kafka.leaveOnStop=true']
  const shop = await startShop(freshDirectory(), ...flags)
  await eventually(async () => (await fetch(`${shop.url}/readyz`)).ok, { describe: 'ready' })
  await produce(bootstrap, `${SOURCE}.dlq`, [ofSpring('o-1', 7), ofSpring('o-1', 8), ofConnect('o-2', 9)])

  const url = `${shop.url}/v1/ops/dlq`
  await expect
    .poll(() => getJson(`${url}/causes?topic=${SOURCE}`), SLOW)
    .toMatchObject({
      causes: [
        { topic: SOURCE, error: 'java.lang.IllegalStateException', count: 2 },
        { topic: SOURCE, error: 'org.apache.kafka.connect.errors.DataException', count: 1 },
      ],
    })
  const { items } = await getJson(`${url}?error=java.lang.IllegalStateException`)
  expect(items).toMatchObject(
    [7, 8].map((offset) => ({
      dialect: 'spring',
      consumer: 'billing',
      original: { topic: SOURCE, partition: PARTITION, offset },
    })),
  )

  const redrive = () => sendJson('POST', `${url}/redrive`, { filter: { topic: SOURCE } })
  expect(await redrive()).toMatchObject({ matched: 3, sent: 3, done: 3, again: 0, complete: true })
  expect(await redrive()).toMatchObject({ matched: 0, already: 3, sent: 0, complete: true })

  const back = await readCommitted(bootstrap, SOURCE)
  const places = back.map(({ partition, key }) => `${String(key)} in ${partition}`)
  expect(places.toSorted()).toEqual(['o-1 in 2', 'o-1 in 2', 'o-2 in 2'])
  for (const { headers } of back) {
    const names = headers.map(([name]) => name)
    expect(names).toContain('millrace-redrive')
    expect(names.filter((name) => /^(kafka_dlt|__connect)/.test(name))).toEqual([])
  }
  // o-1 came twice and counts once.
  const board = `${shop.url}/v1/rankings/day`
  await expect
    .poll(async () => (await getJson(board))['entries'], SLOW)
    .toMatchObject([{ productId: 'mug', quantity: 6 }])
  const audit = await readCommitted(bootstrap, topics.opsAudit.name)
  const actions = audit.map(({ value }) => topics.opsAudit.value.deserialize(value as Buffer).action)
  expect(actions).toEqual(['dlq.redrive', 'dlq.redrive'])
  await stop(shop)
})
