import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { avroType } from '../../../schemas/avro-type.ts'
import { edges } from './arbitrary.ts'

const long = avroType({ type: 'long' })

describe('a long', () => {
  it.each(edges)('of %d is exact', (value) => {
    expect(long.fromBuffer(long.toBuffer(value))).toBe(value)
  })

  it('is exact over the whole range of safe integers', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(long.fromBuffer(long.toBuffer(value))).toBe(value === 0 ? 0 : value)
      }),
    )
  })

  it('has the bytes that the Avro specification gives it', () => {
    const zigzag = (value: bigint) => {
      const bytes: number[] = []
      let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
      for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
      return Buffer.from([...bytes, Number(rest)])
    }
    for (const value of edges) expect(long.toBuffer(value)).toEqual(zigzag(BigInt(value)))
  })

  it.each([2 ** 53, -(2 ** 53), 1.5, NaN, Infinity, '1', 1n, null])('of %s is refused', (value) => {
    expect(() => long.toBuffer(value)).toThrow()
    expect(long.isValid(value)).toBe(false)
  })
})
