import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { keys } from '../../../state/index.ts'
import { afterPrefix } from '../../../state/bytes.ts'
import { crc32c, masked } from '../../../state/crc32c.ts'
import { order } from './model.ts'

const sign = (value: number): number => Math.sign(value)
const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)
const text = fc.string({
  unit: fc.constantFrom('a', 'b', '\0', '\x01', 'é', 'ÿ', '\uffff', '😀'),
  maxLength: 4,
})
const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, -1, 1, 2 ** 31, 2 ** 32, -(2 ** 32), 2 ** 53 - 1, -(2 ** 53) + 1),
)

describe('an encoded key', () => {
  test('is a byte string, reads back as the key, and is ordered as text by its UTF-8 bytes', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        const [left, right] = [keys.string.encode(a), keys.string.encode(b)]
        expect(left).toMatch(/^[\0-\xff]*$/)
        expect(keys.string.decode(left)).toBe(a)
        expect(sign(compare(left, right))).toBe(sign(order(a, b)))
      }),
    )
  })

  test('of a number is eight bytes in numeric order, negatives first', () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        const [left, right] = [keys.int64.encode(a), keys.timestamp.encode(b)]
        expect(left).toHaveLength(8)
        expect(keys.int64.decode(left)).toBe(a)
        expect(compare(left, right)).toBe(sign(a - b))
      }),
    )
  })

  test('of several parts is ordered part by part, and no two keys share bytes', () => {
    const codec = keys.tuple(keys.string, keys.int64, keys.string)
    const key = fc.tuple(text, fc.integer({ min: -2, max: 2 }), text)
    fc.assert(
      fc.property(key, key, (a, b) => {
        const [left, right] = [codec.encode(a), codec.encode(b)]
        expect(codec.decode(left)).toEqual(a)
        expect(compare(left, right)).toBe(sign(order(a[0], b[0]) || a[1] - b[1] || order(a[2], b[2])))
      }),
    )
  })

  test('begins with its prefix exactly when it has those first parts', () => {
    const codec = keys.tuple(keys.string, keys.string)
    fc.assert(
      fc.property(text, text, text, (first, second, asked) => {
        const prefix = codec.prefix?.([asked]) ?? ''
        expect(codec.encode([first, second]).startsWith(prefix)).toBe(first === asked)
      }),
    )
  })

  test('in a window is ordered by window, start, key, also when tuples lie within', () => {
    const codec = keys.windowed(keys.tuple(keys.string, keys.int64))
    const start = fc.constantFrom(-86_400_000, 0, 86_400_000)
    const key = fc.record({ window: text, start, key: fc.tuple(text, fc.integer({ min: -1, max: 1 })) })
    fc.assert(
      fc.property(key, key, (a, b) => {
        const expected =
          order(a.window, b.window) || a.start - b.start || order(a.key[0], b.key[0]) || a.key[1] - b.key[1]
        expect(compare(codec.encode(a), codec.encode(b))).toBe(sign(expected))
        expect(codec.decode(codec.encode(a))).toEqual({ ...a })
      }),
    )
  })

  test('a tuple in a tuple keeps its order', () => {
    const codec = keys.tuple(keys.tuple(keys.string, keys.string), keys.string)
    fc.assert(
      fc.property(text, text, text, text, text, text, (a, b, c, x, y, z) => {
        const expected = order(a, x) || order(b, y) || order(c, z)
        expect(compare(codec.encode([[a, b], c]), codec.encode([[x, y], z]))).toBe(sign(expected))
        expect(codec.decode(codec.encode([[a, b], c]))).toEqual([[a, b], c])
      }),
    )
  })
})

describe('a key is refused', () => {
  test.each([0.5, 2 ** 53, Number.NaN, Infinity])('when a number is %d', (value) => {
    expect(() => keys.int64.encode(value)).toThrow(RangeError)
  })

  test('when a text has a lone surrogate', () => {
    expect(() => keys.string.encode('a\ud800')).toThrow(TypeError)
  })

  test('when parts are missing or too many', () => {
    const codec = keys.tuple(keys.string, keys.string)
    expect(() => codec.encode(['a'] as unknown as [string, string])).toThrow(RangeError)
    expect(() => codec.encode(['a', 'b', 'c'] as unknown as [string, string])).toThrow(RangeError)
    expect(() => codec.decode('a')).toThrow('has no end')
  })
})

test.each([
  ['a', 'b'],
  ['a\xff', 'b'],
  ['a\xff\xff', 'b'],
  ['\xff', undefined],
  ['', undefined],
])('after all that begins with %j comes %j', (prefix, expected) => {
  expect(afterPrefix(prefix)).toBe(expected)
})

test('CRC-32C gives the check values of RFC 3720, whatever the length', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43)
  expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, i) => i)))).toBe(0x46dd794e)
  expect(crc32c(Buffer.alloc(0))).toBe(0)
  expect(masked(0)).toBe(0xa282ead8)
})
