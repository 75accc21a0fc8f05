/** The checksum. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c, crc32cInScript, hasNativeCrc32c } from '../../../transports/kafka/batches/crc32c.ts'

/** One bit at a time, as it is defined. */
function byDefinition(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return ~crc >>> 0
}

describe('CRC-32C', () => {
  it('has the values of RFC 3720', () => {
    const ascending = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
    for (const crc of [crc32c, crc32cInScript]) {
      expect(crc(Buffer.alloc(32))).toBe(0x8a9136aa)
      expect(crc(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43)
      expect(crc(ascending)).toBe(0x46dd794e)
      expect(crc(Buffer.from('123456789'))).toBe(0xe3069283)
      expect(crc(Buffer.alloc(0))).toBe(0)
    }
  })

  it('is the same with and without the addon, over any part of any bytes', () => {
    expect(hasNativeCrc32c()).toBe(true)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1200 }), fc.nat(1200), fc.nat(1200), (bytes, a, b) => {
        const start = Math.min(a, b, bytes.length)
        const end = Math.min(Math.max(a, b), bytes.length)
        const expected = byDefinition(bytes.subarray(start, end))
        expect(crc32cInScript(bytes, start, end)).toBe(expected)
        expect(crc32c(bytes, start, end)).toBe(expected)
      }),
    )
  })
})
