/** The helper that makes a target of a function for one record. */
import { expect, test } from 'vitest'
import { type Batch, eachRecord, type Incoming, Unavailable } from '../../../../connectors/index.ts'
import { NO_HEADERS } from '../../../../streams/index.ts'

const never = new AbortController().signal

function batchOf(...keys: readonly string[]): Batch {
  const records = keys.map((recordKey, offset): Incoming => {
    const at = { topic: 't', partition: 0, offset }
    const times = { timestamp: 1, appendTime: 1 }
    const rest = { headers: NO_HEADERS, lineage: undefined, key: `${offset}` }
    return { ...at, ...times, ...rest, recordKey, value: `${recordKey}${offset}` }
  })
  return { records, next: [{ topic: 't', partition: 0, offset: records.length }] }
}

test('records of a key are delivered one after the other, those of others meanwhile', async () => {
  const order: string[] = []
  const waiting = new Map<string, () => void>()
  const target = eachRecord({
    concurrency: 4,
    deliver: async ({ value }) => {
      order.push(`begin ${value}`)
      if (value === 'a0') await new Promise<void>((resolve) => waiting.set(value as string, resolve))
      order.push(`end ${value}`)
    },
  })
  const delivering = target.deliver(batchOf('a', 'b', 'a', 'b'), never)
  while (!order.includes('end b3')) await new Promise((resolve) => setImmediate(resolve))
  expect(order).not.toContain('begin a2')
  waiting.get('a0')?.()
  await delivering
  expect(order.filter((line) => line.endsWith('a0') || line.endsWith('a2'))).toEqual([
    'begin a0',
    'end a0',
    'begin a2',
    'end a2',
  ])
})

test('no more than `concurrency` are under way', async () => {
  let under = 0
  let most = 0
  const target = eachRecord({
    concurrency: 3,
    deliver: async () => {
      most = Math.max(most, ++under)
      await new Promise((resolve) => setImmediate(resolve))
      under--
    },
  })
  await target.deliver(batchOf(...Array.from({ length: 40 }, (_, i) => `key ${i}`)), never)
  expect(most).toBe(3)
})

test('what was delivered before another failed is not delivered again', async () => {
  const delivered: string[] = []
  let isUp = false
  const target = eachRecord({
    concurrency: 1,
    deliver: ({ value }) => {
      if (value === 'c2' && !isUp) return Promise.reject(new Unavailable('down'))
      delivered.push(value as string)
      return Promise.resolve()
    },
  })
  const batch = batchOf('a', 'b', 'c', 'd')
  await expect(target.deliver(batch, never)).rejects.toThrow('down')
  expect(delivered).toEqual(['a0', 'b1'])
  isUp = true
  await target.deliver(batch, never)
  expect(delivered).toEqual(['a0', 'b1', 'c2', 'd3'])
  await target.deliver(batch, never)
  expect(delivered).toHaveLength(8)
})

test('two records that were given one eventId are two', async () => {
  const delivered: string[] = []
  const target = eachRecord({
    concurrency: 2,
    deliver: ({ value }) => {
      delivered.push(value as string)
      return Promise.resolve()
    },
  })
  const { records, next } = batchOf('a', 'b', 'a')
  await target.deliver({ records: records.map((record) => ({ ...record, key: 'same' })), next }, never)
  expect(delivered.toSorted()).toEqual(['a0', 'a2', 'b1'])
})

test('each record has an outcome of its own', async () => {
  const topic = { name: 'answers' } as never
  const target = eachRecord({
    concurrency: 2,
    deliver: ({ recordKey, value }) =>
      Promise.resolve(
        recordKey === 'bad'
          ? { rejected: 'no such address' }
          : { outputs: [{ topic, key: recordKey, value, timestamp: 1 }] },
      ),
  })
  const batch = batchOf('a', 'bad', 'b')
  const { outputs, rejected } = await target.deliver(batch, never)
  expect(outputs?.map(({ because, value }) => [because.offset, value])).toEqual([
    [0, 'a0'],
    [2, 'b2'],
  ])
  expect(rejected).toEqual([{ record: batch.records[1], reason: 'no such address' }])
})
