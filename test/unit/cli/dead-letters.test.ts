import { describe, expect, test } from 'vitest'
import { matches } from '../../../cli/pipeline/dead-letters/filter.ts'
import { firstOf, type Letter, planRedrive } from '../../../cli/pipeline/dead-letters/plan.ts'
import { viewOf } from '../../../cli/pipeline/dead-letters/preview.ts'
import { DeadLetterTopics } from '../../../cli/pipeline/dead-letters/topics.ts'
import { topics } from '../../../schemas/index.ts'
import { type Headers, type LogRecord, readDeadLetter } from '../../../streams/index.ts'
import { shopTopologies } from '../../../cli/pipeline/topologies.ts'
import { loadConfig } from '../../../config/index.ts'

const target = { topic: 'orders', partition: 0 }

function letter(offset: number, key: string | undefined, change: Partial<Letter> = {}): Letter {
  const first = { topic: 'orders', partition: 0, offset }
  return { offset, key, first, wanted: true, target, doubtful: false, ...change }
}

const plan = (letters: readonly Letter[], ignoreEarlier = false) =>
  planRedrive({ letters, onTheirWay: [], ignoreEarlier })
const queues = (letters: readonly Letter[], ignoreEarlier = false) =>
  plan(letters, ignoreEarlier).queues.map((queue) => queue.letters.map(({ offset }) => offset))

describe('the plan of a redrive', () => {
  test('has a queue per key, in the order of the dead letters; those without a key wait for nobody', () => {
    expect(
      queues([letter(0, 'a'), letter(1, 'b'), letter(2, 'a'), letter(3, undefined), letter(4, undefined)]),
    ).toEqual([[0, 2], [1], [3], [4]])
  })

  test('puts one that died again where it first was', () => {
    const again = letter(5, 'a', { first: { topic: 'orders', partition: 0, offset: 1 } })
    expect(queues([letter(2, 'a'), letter(3, 'a'), again])).toEqual([[5, 2, 3]])
  })

  test('goes by the dead letters alone where nothing says where the records were', () => {
    const elsewhere = letter(5, 'a', { first: { topic: 'other', partition: 0, offset: 1 } })
    expect(queues([letter(2, 'a'), letter(3, 'a', { first: undefined }), elsewhere])).toEqual([[2, 3, 5]])
  })

  test('holds what comes after one that is not wanted, or cannot go back', () => {
    const letters = [letter(0, 'a'), letter(1, 'a', { wanted: false }), letter(2, 'a'), letter(3, 'b')]
    expect(queues(letters)).toEqual([[0], [3]])
    expect(plan(letters)).toMatchObject({ held: 1, unroutable: 0 })
    const stuck = [letter(0, 'a', { target: undefined }), letter(1, 'a')]
    expect(plan(stuck)).toEqual({ queues: [], held: 1, unroutable: 1 })
    expect(queues(stuck, true)).toEqual([[1]])
  })

  test('waits for those of the key that are on their way, whatever the filter', () => {
    const onTheirWay = [{ offset: 0, key: 'a', target: { ...target, offset: 9 } }]
    const { queues: planned } = planRedrive({
      letters: [letter(1, 'a'), letter(2, undefined)],
      onTheirWay,
      ignoreEarlier: true,
    })
    expect(planned.map(({ after }) => after.length)).toEqual([1, 0])
  })

  test('in parts takes the first of every key before the second of any', () => {
    const { queues: all } = plan([
      letter(0, 'a'),
      letter(1, 'a'),
      letter(2, 'a'),
      letter(3, 'b'),
      letter(4, 'b'),
    ])
    const taken = firstOf(all, 3).map((queue) => queue.letters.map(({ offset }) => offset))
    expect(taken).toEqual([[0, 1], [3]])
    expect(firstOf(all, 0)).toEqual([])
    expect(firstOf(all, 100)).toEqual(all)
  })
})

const headers: Headers = [
  ['actor', Buffer.from('ann@example.org')],
  ['__streams.errors.exception', Buffer.from('SerializationException: phone +44 20 7946 0958')],
  ['__streams.errors.message', Buffer.from('phone +44 20 7946 0958')],
  ['__streams.errors.stacktrace', Buffer.from('at ann@example.org')],
  ['__streams.errors.topic', Buffer.from('product.catalog')],
  ['__streams.errors.partition', Buffer.from('0')],
  ['__streams.errors.offset', Buffer.from('4')],
]

function record(key: string | null, value: Buffer | null): LogRecord {
  return {
    topic: 'product.catalog.dlq',
    partition: 0,
    offset: 2,
    key: key === null ? null : Buffer.from(key),
    value,
    timestamp: 100,
    appendTime: 200,
    lineage: undefined,
    headers,
  }
}

const product = {
  productId: 'mug',
  title: 'Mug of ann@example.org',
  categoryId: null,
  price: 300,
  currency: 'GBP',
}
const view = (show: 'preview' | 'typed' | 'raw', key: string | null = 'mug', value: Buffer | null = null) =>
  viewOf(readDeadLetter(record(key, value)), 'waiting', show, topics)

describe('I25: what is shown of a dead letter', () => {
  const bytes = topics.productCatalog.value.serialize(product)

  test('unless told otherwise is sizes, names, the class of the failure, and a key that is an id', () => {
    const shown = view('preview', 'mug', bytes)
    expect(shown).toEqual({
      deadLetter: { topic: 'product.catalog.dlq', partition: 0, offset: 2 },
      original: { topic: 'product.catalog', partition: 0, offset: 4 },
      dialect: 'streams',
      error: 'SerializationException',
      timestamp: 100,
      key: 'mug',
      keyBytes: 3,
      valueBytes: bytes.length,
      state: 'waiting',
      headers: headers.map(([name, value]) => ({ name, bytes: value.length })),
    })
    expect(JSON.stringify(shown)).not.toMatch(/ann@|7946/)
  })

  test.each(['ann@example.org', 'Ann Smith', '\u0000\u0001', 'x'.repeat(201)])('%j is no id', (key) => {
    expect(view('preview', key).key).toBeUndefined()
  })

  test('typed: the fields, without what looks personal', () => {
    expect(view('typed', 'mug', bytes).value).toEqual({ ...product, title: '•••' })
    expect(JSON.stringify(view('typed', 'mug', bytes))).not.toMatch(/ann@|7946/)
  })

  test('typed: nothing where it is not of its schema', () => {
    expect(view('typed', 'mug', Buffer.from('ann@example.org'))).not.toHaveProperty('value')
    expect(view('typed', 'mug', null)).not.toHaveProperty('value')
  })

  test('raw: everything', () => {
    const shown = view('raw', 'mug', Buffer.from('ann'))
    expect(shown).toMatchObject({
      keyHex: Buffer.from('mug').toString('hex'),
      valueHex: Buffer.from('ann').toString('hex'),
      message: 'phone +44 20 7946 0958',
      stacktrace: 'at ann@example.org',
    })
    expect(shown.headers[0]).toMatchObject({
      name: 'actor',
      hex: Buffer.from('ann@example.org').toString('hex'),
    })
  })
})

test.each([
  [{}, true],
  [{ error: 'SerializationException' }, true],
  [{ error: 'Serialization' }, false],
  [{ from: 100, to: 101 }, true],
  [{ from: 101 }, false],
  [{ to: 100 }, false],
  [{ key: 'mug' }, true],
  [{ key: 'cup' }, false],
  [{ partition: 0, offset: 2 }, true],
  [{ offset: 3 }, false],
])('the filter %j: %s', (filter, expected) => {
  expect(matches(filter, readDeadLetter(record('mug', null)))).toBe(expected)
})

describe('the dead-letter topics of the shop', () => {
  const { config } = loadConfig({ env: {}, cwd: '/' })
  const deadLetters = new DeadLetterTopics(shopTopologies(config).all)
  const log = { partitions: () => 6 }

  test('are those of the topics that are read', () => {
    expect(deadLetters.sources).toContain('order.confirmed')
    expect(deadLetters.sourceOf('order.confirmed.dlq')).toBe('order.confirmed')
    expect(deadLetters.sourceOf('order.confirmed')).toBe('order.confirmed')
    expect(deadLetters.sourceOf('ops.audit')).toBeUndefined()
    expect(deadLetters.readersOf('order.confirmed')).toEqual(['best-sellers'])
  })

  test('a record goes back to its partition, or, where there is none of that number, to that of its key', () => {
    const at = (partition: string) => {
      const named = headers.map(([name, value]) => {
        return [name, name.endsWith('partition') ? Buffer.from(partition) : value] as const
      })
      return deadLetters.targetOf(readDeadLetter({ ...record('mug', null), headers: named }), log)
    }
    expect(at('5')).toEqual({ topic: 'product.catalog', partition: 5 })
    expect(at('6')?.partition).toBeLessThan(6)
  })
})
