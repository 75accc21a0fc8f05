/** Records with a key lie where Java's producer would have put them, whoever writes them. */
import { expect, inject, test } from 'vitest'
import { produce } from '../../support/kafka/oracle.ts'
import { freshName } from '../../support/kafka/topics.ts'
import { type Random, seededRandom, seedOfRun } from '../../support/random.ts'
import { appendRecord, topicSpec } from '../../contract/log-fixtures.ts'
import { openLog } from './opened-log.ts'
import '../../support/kafka/fixture.ts'

const { bootstrap } = inject('kafka')
const KEYS = 10_000
/** Characters of one, two, three and four bytes. */
const CHARACTERS = [
  'a',
  'Z',
  '0',
  '-',
  ' ',
  'é',
  'ß',
  'я',
  'ع',
  '中',
  '日',
  '한',
  '€',
  '🙂',
  '𝕏',
  '\u0000',
  '\uffff',
]
const LONG_KEY_CHARS = 2_000

/** Nothing, ids as they come, text of many scripts, bytes that are no text, and keys of thousands of bytes. */
function randomKey(random: Random, index: number): Buffer {
  const text = (chars: number): string =>
    Array.from({ length: chars }, () => random.pick(CHARACTERS)).join('')
  switch (index % 10) {
    case 0:
      return Buffer.from(`user-${random.below(2 ** 31)}`)
    case 1:
      return Buffer.from(Array.from({ length: random.below(40) }, () => random.below(256)))
    case 2:
      return index % 1_000 === 2 ? Buffer.from(text(LONG_KEY_CHARS)) : Buffer.alloc(0)
    default:
      return Buffer.from(text(random.below(30)))
  }
}

test.each([1, 2, 3, 6, 13, 64])('%d partitions', async (partitions) => {
  const seed = seedOfRun()
  const random = seededRandom(seed)
  const keys = Array.from({ length: KEYS }, (_, index) => randomKey(random, index))
  const topic = freshName('partitions')
  const log = await openLog()
  await log.ensureTopics([topicSpec(topic, { partitions })])
  const ours = await log.append(keys.map((key) => appendRecord(topic, '', { partition: undefined, key })))
  const theirs = await produce(
    bootstrap,
    topic,
    keys.map((key) => ({ key, value: '' })),
  )
  const partitionOf = ({ partition }: { readonly partition: number }): number => partition
  expect(theirs).toHaveLength(KEYS)
  expect(ours.map(partitionOf), `seed ${seed}`).toEqual(theirs.map(partitionOf))
  // Each of them is used, or the comparison would show little.
  expect(new Set(theirs.map(partitionOf)).size).toBe(partitions)
})
