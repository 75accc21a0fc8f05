import { describe, expect, test } from 'vitest'
import {
  checkpointOf,
  encodeOffsetMetadata,
  IMPORT_MARK,
  inputsLost,
  inputTag,
  parseOffsetMetadata,
  topicTag,
} from '../../../transports/kafka/offset-metadata.ts'

const times = { streamTime: 1_700_000_000_000, wallTime: 1_700_000_000_123, lastRecordAt: -1 }
const inputTags = [inputTag('a'), inputTag('b')]
const text = `millrace1 1700000000000 1700000000123 -1 42 0c5e2d1a ${inputTags.join('')}`

describe('the metadata of a position', () => {
  test('is a line of text, and is read back', () => {
    const metadata = { times, sequence: 42, topicTag: '0c5e2d1a', inputTags }
    expect(encodeOffsetMetadata(metadata)).toBe(text)
    expect(parseOffsetMetadata(text)).toEqual(metadata)
  })

  test('is short, however large its numbers are', () => {
    const most = Number.MAX_SAFE_INTEGER
    const largest = { streamTime: most, wallTime: most, lastRecordAt: most }
    const encoded = encodeOffsetMetadata({ times: largest, sequence: most, topicTag: 'ffffffff', inputTags })
    expect(encoded.length).toBeLessThanOrEqual(88 + 2 * 8)
    expect(parseOffsetMetadata(encoded)?.sequence).toBe(most)
  })

  test.each([
    null,
    '',
    'millrace1',
    'millrace2 1 1 1 1 0c5e2d1a 0c5e2d1a',
    'millrace1 1 1 1 1 0c5e2d1a',
    'millrace1 1 1 1 1 0c5e2d1a 0c5e2d1a0',
    ` ${text}`,
    `${text}\n`,
    text.replace('42', '-42'),
    text.replace('42', '4.2'),
    text.replace('-1', '-2'),
    text.replace('0c5e2d1a', '0C5E2D1A'),
    text.replace('42', '9999999999999999'),
    '{"streamTime":1}',
  ])('is not %j', (foreign) => {
    expect(parseOffsetMetadata(foreign)).toBeUndefined()
  })

  test('names the topic by the beginning of its id', () => {
    expect(topicTag(Buffer.from('0c5e2d1affffffffffffffffffffffff', 'hex').toString('base64url'))).toBe(
      '0c5e2d1a',
    )
  })
})

describe('the checkpoint of positions', () => {
  const at = (topic: string, offset: number, metadata: string | null = text) => ({
    topic,
    partition: 3,
    offset,
    metadata,
  })

  test('has their offsets, and the times they all carry', () => {
    expect(checkpointOf([at('a', 5), at('b', 7)])).toEqual({
      positions: [
        { topic: 'a', partition: 3, offset: 5 },
        { topic: 'b', partition: 3, offset: 7 },
      ],
      times,
      sequence: 42,
    })
  })

  test('has the times of the newest commit, where an input is no more part of it', () => {
    const older = text.replace(' 42 ', ' 41 ').replace('1700000000123', '5')
    expect(checkpointOf([at('a', 5, older), at('b', 7)])).toMatchObject({ sequence: 42, times })
  })

  test('of none is none', () => {
    expect(checkpointOf([])).toBeUndefined()
  })

  test('that somebody else committed is refused, by name', () => {
    expect(() => checkpointOf([at('a', 5, null)])).toThrow(/a-3/)
  })

  test('that a migration marked is refused, with the way out', () => {
    const mark = `${IMPORT_MARK}0123456789abcdef`
    expect(() => checkpointOf([at('a', 0, mark)])).toThrow(/a migration was begun .* \(a-3\): run it again/)
  })
})

describe('inputs of the last commit', () => {
  const at = (topic: string, metadata = text) => ({ topic, partition: 3, offset: 5, metadata })

  test('that have their positions are not lost', () => {
    expect(inputsLost([at('a'), at('b')], ['a', 'b'])).toEqual([])
  })

  test('F20: are lost where their position is gone: the topic was deleted', () => {
    expect(inputsLost([at('b')], ['a', 'b'])).toEqual(['a'])
  })

  test('are not those that the topology has had only since', () => {
    expect(inputsLost([at('a'), at('b')], ['a', 'b', 'new'])).toEqual([])
  })

  test('are not those that it has no more', () => {
    expect(inputsLost([at('b')], ['b'])).toEqual([])
  })
})
