import { describe, expect, test } from 'vitest'
import type { DeadLetterFilter, DeadLetterSummary } from '../../../api/index.ts'
import { DeadLetterBrowser } from '../../../cli/pipeline/dead-letters/browse.ts'
import { progressRecord } from '../../../cli/pipeline/dead-letters/progress.ts'
import { DeadLetterTopics } from '../../../cli/pipeline/dead-letters/topics.ts'
import { topics } from '../../../schemas/index.ts'
import { type Headers, processor, shape, topology } from '../../../streams/index.ts'
import { ManualClock } from '../../../testing/index.ts'
import { MemoryLog } from '../../../transports/simulated/index.ts'
import { stringTopic } from '../../support/topics.ts'

const PARTITIONS = 2
const forever = Number.POSITIVE_INFINITY
const ignore = processor({ name: 'ignore', input: shape<string, string>(), process() {} })
const readers = topology('readers', (t) => {
  t.stream(stringTopic('apples')).process(ignore)
  t.stream(stringTopic('pears')).process({ ...ignore, name: 'ignore-pears' })
})

/** Dead letters as `topic/partition/error`, or `topic/partition/error/message`, in their order. */
async function open(...letters: readonly string[]) {
  const clock = new ManualClock(1_000_000)
  const log = new MemoryLog({ stateHome: 'log', now: () => clock.now() })
  const names = ['apples.dlq', 'pears.dlq', topics.opsRedrive.name]
  await log.ensureTopics(
    names.map((name) => ({
      name,
      partitions: PARTITIONS,
      cleanup: 'delete',
      timestamps: 'CreateTime',
      retentionMs: forever,
      retentionBytes: forever,
    })),
  )
  for (const [index, one] of letters.entries()) {
    const [topic = '', partition, error = '', message] = one.split('/')
    const headers: Headers = [
      ['__streams.errors.exception', Buffer.from(error)],
      ...(message === undefined ? [] : [['__streams.errors.message', Buffer.from(message)] as const]),
    ]
    const at = { topic: `${topic}.dlq`, partition: Number(partition) }
    const lineage = { eventId: `e-${index}` }
    await log.append([{ ...at, key: Buffer.from('k'), value: null, timestamp: index, lineage, headers }])
  }
  const deadLetters = new DeadLetterTopics([readers])
  const browser = new DeadLetterBrowser({ log, clock, topics, deadLetters })
  const note = (topic: string, partition: number, offset: number, targetOffset: number | null) => {
    const target = { targetTopic: 'apples', targetPartition: 0, targetFrom: 0, targetOffset }
    return log.append([progressRecord(topics, log, { topic, partition, offset, ...target, at: 5 })])
  }
  return { browser, note }
}

const place = ({ deadLetter: { topic, partition, offset } }: DeadLetterSummary) =>
  `${topic}:${partition}:${offset}`

async function all(browser: DeadLetterBrowser, filter: DeadLetterFilter, limit: number): Promise<string[][]> {
  const pages: string[][] = []
  let after: string | undefined
  do {
    const page = await browser.page(filter, { limit, after })
    pages.push(page.items.map(place))
    after = page.next
  } while (after !== undefined)
  return pages
}

describe('a list of dead letters', () => {
  const given = ['pears/1/A', 'apples/1/A', 'apples/0/B', 'apples/0/A', 'pears/1/B'] as const

  test('goes by topic, partition and offset, whatever the size of its pages', async () => {
    const { browser } = await open(...given)
    const places = ['apples.dlq:0:0', 'apples.dlq:0:1', 'apples.dlq:1:0', 'pears.dlq:1:0', 'pears.dlq:1:1']
    for (const limit of [1, 2, 3, 5, 100]) expect((await all(browser, {}, limit)).flat()).toEqual(places)
    expect(await all(browser, {}, 2)).toEqual([places.slice(0, 2), places.slice(2, 4), places.slice(4)])
  })

  test('is of one topic, error or partition', async () => {
    const { browser } = await open(...given)
    expect((await all(browser, { topic: 'pears' }, 9)).flat()).toEqual(['pears.dlq:1:0', 'pears.dlq:1:1'])
    expect((await all(browser, { error: 'B' }, 1)).flat()).toEqual(['apples.dlq:0:0', 'pears.dlq:1:1'])
    expect((await all(browser, { topic: 'apples', partition: 1 }, 9)).flat()).toEqual(['apples.dlq:1:0'])
  })

  test('leaves out what was sent back, unless it is asked for', async () => {
    const { browser, note } = await open('apples/0/A', 'apples/0/A', 'apples/0/A')
    await note('apples.dlq', 0, 0, null)
    await note('apples.dlq', 0, 1, null)
    await note('apples.dlq', 0, 1, 7)
    const page = async (state?: 'sent' | 'all') =>
      (await browser.page({ state }, { limit: 9 })).items.map(({ deadLetter, state: its }) => [
        deadLetter.offset,
        its,
      ])
    expect(await page()).toEqual([
      [0, 'begun'],
      [2, 'waiting'],
    ])
    expect(await page('sent')).toEqual([[1, 'sent']])
    expect(await page('all')).toHaveLength(3)
    expect((await browser.causes({})).causes).toMatchObject([{ count: 2 }])
  })
})

test('causes are counted by topic and error, most first', async () => {
  const { browser } = await open('pears/1/A', 'apples/1/A', 'apples/0/B', 'apples/0/A')
  expect(await browser.causes({})).toEqual({
    causes: [
      { topic: 'apples', error: 'A', count: 2, earliest: 1, latest: 3 },
      { topic: 'apples', error: 'B', count: 1, earliest: 2, latest: 2 },
      { topic: 'pears', error: 'A', count: 1, earliest: 0, latest: 0 },
    ],
    complete: true,
  })
})

test('one that is not kept is not found', async () => {
  const { browser } = await open('apples/0/A')
  const at = { topic: 'apples.dlq', partition: 0, offset: 0 }
  expect(await browser.one(at, 'preview')).toMatchObject({ error: 'A' })
  expect(await browser.one({ ...at, offset: 1 }, 'preview')).toBeUndefined()
  expect(await browser.one({ ...at, partition: PARTITIONS }, 'preview')).toBeUndefined()
})

test('why a connector set it aside is shown; a message of anything else, or with a person in it, is not', async () => {
  const long = `no OrderCreated: ${'x'.repeat(2_000)}`
  const { browser } = await open(
    'apples/0/Rejected/no OrderCreated: userId is missing',
    'apples/0/DeserializationError/bad byte',
    'apples/0/Rejected/no mailbox ann@example.org',
    'apples/0/Rejected/no phone +44 20 7946 0958',
    `apples/0/Rejected/${long}`,
  )
  const at = { topic: 'apples.dlq', partition: 0 }
  const reasons: unknown[] = []
  for (let offset = 0; offset < 5; offset++)
    reasons.push((await browser.one({ ...at, offset }, 'preview'))?.reason)
  expect(reasons).toEqual([
    'no OrderCreated: userId is missing',
    undefined,
    '•••',
    '•••',
    `${long.slice(0, 500)}…`,
  ])
  expect(await browser.one({ ...at, offset: 0 }, 'preview')).not.toHaveProperty('message')
})
