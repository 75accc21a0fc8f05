/** Writer and reader, without any message. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../../../transports/kafka/protocol/protocol-error.ts'
import { Reader } from '../../../transports/kafka/protocol/reader.ts'
import { Writer } from '../../../transports/kafka/protocol/writer.ts'

const read = (writer: Writer) => new Reader(writer.finish(), 'Test')
const readHex = (hex: string) => new Reader(Buffer.from(hex, 'hex'), 'Test')

const field = fc.oneof(
  fc.record({ kind: fc.constant('int8' as const), value: fc.integer({ min: -128, max: 127 }) }),
  fc.record({ kind: fc.constant('int16' as const), value: fc.integer({ min: -32768, max: 32767 }) }),
  fc.record({ kind: fc.constant('int32' as const), value: fc.integer() }),
  fc.record({ kind: fc.constant('int64' as const), value: fc.maxSafeInteger() }),
  fc.record({
    kind: fc.constant('bigint64' as const),
    value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  }),
  fc.record({ kind: fc.constant('uvarint' as const), value: fc.nat(0xffffffff) }),
  fc.record({ kind: fc.constant('boolean' as const), value: fc.boolean() }),
  fc.record({ kind: fc.constant('string' as const), value: fc.string({ unit: 'grapheme' }) }),
  fc.record({ kind: fc.constant('nullableString' as const), value: fc.option(fc.string()) }),
  fc.record({ kind: fc.constant('classicString' as const), value: fc.string() }),
  fc.record({ kind: fc.constant('bytes' as const), value: fc.uint8Array().map((one) => Buffer.from(one)) }),
  fc.record({
    kind: fc.constant('classicBytes' as const),
    value: fc.uint8Array().map((one) => Buffer.from(one)),
  }),
)

describe('fields', () => {
  it('are read as they were written, however many', () => {
    fc.assert(
      fc.property(fc.array(field, { maxLength: 60 }), (fields) => {
        const writer = new Writer(1)
        for (const { kind, value } of fields) writer[kind](value as never)
        const reader = read(writer)
        expect(fields.map(({ kind }) => reader[kind]())).toEqual(fields.map(({ value }) => value))
        reader.end()
      }),
    )
  })

  it('of arrays are read as they were written', () => {
    const writer = new Writer()
    writer.array([1, 2], (one) => writer.int32(one)).nullableArray(null, () => {})
    writer.nullableArray([3], (one) => writer.int32(one)).classicArray([4], (one) => writer.int32(one))
    const reader = read(writer)
    const next = () => reader.int32()
    expect(reader.array(next)).toEqual([1, 2])
    expect(reader.nullableArray(next)).toBeNull()
    expect(reader.nullableArray(next)).toEqual([3])
    expect(reader.classicArray(next)).toEqual([4])
    reader.end()
  })

  it('too large for their width are not written', () => {
    expect(() => new Writer().int16(40_000)).toThrow(RangeError)
    expect(() => new Writer().int64(2 ** 53)).toThrow(RangeError)
    expect(() => new Writer().int64(0.5)).toThrow(RangeError)
    expect(() => new Writer().uuid('short')).toThrow(RangeError)
  })

  it('that are UUIDs are text as Kafka’s tools print them', () => {
    const text = 'AQIDBAUGBwgJCgsMDQ4PEA'
    expect(read(new Writer().uuid(text)).uuid()).toBe(text)
  })
})

describe('bytes that cannot be', () => {
  it.each([
    ['a string longer than what is left', '05616263', (reader: Reader) => reader.string()],
    ['null for a string that must be', '00', (reader: Reader) => reader.string()],
    ['null for bytes that must be', '00', (reader: Reader) => reader.bytes()],
    ['null for an array that must be', '00', (reader: Reader) => reader.array(() => reader.int8())],
    ['null for a classic string', 'ffff', (reader: Reader) => reader.classicString()],
    ['null for classic bytes', 'ffffffff', (reader: Reader) => reader.classicBytes()],
    ['a number beyond 2^53', '0020000000000000', (reader: Reader) => reader.int64()],
    ['a variable-length number without end', '8080808080', (reader: Reader) => reader.uvarint()],
    ['a variable-length number above 2^32', 'ffffffff10', (reader: Reader) => reader.uvarint()],
    ['more tagged fields than bytes', '05', (reader: Reader) => reader.tags()],
    ['a tagged field longer than what is left', '010009aa', (reader: Reader) => reader.tags()],
    ['bytes that are left', '00', (reader: Reader) => reader.end()],
  ])('%s', (_what, hex, of) => {
    expect(() => of(readHex(hex))).toThrow(ProtocolError)
  })

  it('more elements than bytes are refused before one is read', () => {
    const reader = readHex('ffffffff0f0102')
    let calls = 0
    expect(() => reader.array(() => calls++)).toThrow(ProtocolError)
    expect(calls).toBe(0)
  })

  it('name the message and the place', () => {
    expect(() => new Reader(Buffer.from([0]), 'EndTxn v5').int16()).toThrow('EndTxn v5: ')
  })
})

describe('a tag section', () => {
  it('hands out the fields that are wanted and passes the others over', () => {
    // Tag 1: two bytes; tag 4: one byte; tag 9: nothing.
    const reader = readHex('03010201020401aa0900')
    const seen: [number, number][] = []
    reader.tags((tag) => {
      if (tag === 4) seen.push([tag, reader.int8()])
    })
    expect(seen).toEqual([[4, -86]])
    reader.end()
  })

  it('does not let a field be read past its end', () => {
    const reader = readHex('010001aabbcc')
    expect(() => reader.tags(() => reader.int16())).toThrow(ProtocolError)
  })

  it('does not let a field be read in part', () => {
    const reader = readHex('010002aabb')
    expect(() => reader.tags(() => reader.int8())).toThrow(ProtocolError)
  })
})
