import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { externalTopic, jsonSerde } from '../../../../connectors/bindings/external.ts'
import { majorUnits, minorUnits, parseExactly } from '../../../../connectors/bindings/numbers.ts'

describe('JSON of others', () => {
  it('keeps as text what a double does not carry', () => {
    expect(
      parseExactly('{"a":9007199254740993,"b":12345678901234.567,"c":1e400,"d":[-9007199254740993]}'),
    ).toEqual({
      a: '9007199254740993',
      b: '12345678901234.567',
      c: '1e400',
      d: ['-9007199254740993'],
    })
    expect(parseExactly('{"a":42,"b":12.10,"c":0.1,"d":1e3,"e":-0.5}')).toEqual({
      a: 42,
      b: 12.1,
      c: 0.1,
      d: 1000,
      e: -0.5,
    })
  })

  it.each([
    ['nothing', Buffer.alloc(0), 'empty'],
    ['no JSON', Buffer.from('{'), 'undecodable'],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'invalid-utf8'],
    ['a key __proto__', Buffer.from('{"__proto__":{"a":1}}'), 'undecodable'],
    ['lists in lists without end', Buffer.from('['.repeat(200_000) + ']'.repeat(200_000)), 'too-deep'],
  ])('%s is refused with a code', (_, bytes, code) => {
    expect(() => jsonSerde.deserialize(bytes)).toThrow(expect.objectContaining({ code }))
  })

  it('an amount that goes to minor units and back is the same amount', () => {
    const units = fc.integer({ min: -(10 ** 14), max: 10 ** 14 })
    fc.assert(
      fc.property(units, fc.integer({ min: 0, max: 4 }), (amount, digits) => {
        const major = majorUnits(amount, digits)
        return minorUnits(parseExactly(JSON.stringify(major)), digits) === amount
      }),
    )
  })
})

describe('keys of others', () => {
  it.each([
    ['text', 'spring', Buffer.from('spring')],
    ['long', '200', Buffer.from('00000000000000c8', 'hex')],
    ['long', '-9223372036854775808', Buffer.from('8000000000000000', 'hex')],
    ['int', '-2', Buffer.from('fffffffe', 'hex')],
  ] as const)('%s: %s', (keys, text, bytes) => {
    const { key } = externalTopic('theirs', { keys })
    expect(key.serialize(text)).toEqual(bytes)
    expect(key.deserialize(bytes)).toBe(text)
  })

  it('that are none are refused', () => {
    const { key } = externalTopic('theirs', { keys: 'int' })
    for (const text of ['x', '', '1.5', '2147483648', '9'.repeat(20)]) {
      expect(() => key.serialize(text)).toThrow(/integer/)
    }
    expect(() => key.deserialize(Buffer.alloc(8))).toThrow('4 bytes')
  })
})
