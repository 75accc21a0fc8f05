/** The codecs: what they give back, and how they take bytes that nobody compressed. */
import fc from 'fast-check'
import { compress as compressSnappy } from 'snappyjs'
import { describe, expect, it } from 'vitest'
import { type Codec, codecCode, compress, decompress } from '../../../transports/kafka/batches/compression.ts'
import {
  BatchTooLarge,
  CompressedDataCorrupt,
  UnknownCodec,
} from '../../../transports/kafka/batches/errors.ts'
import { batchOf, decodeAll, placedAt, valuesOf } from './fixtures/batches.ts'

const CODECS = ['gzip', 'snappy', 'lz4', 'zstd'] as const
const KIB = 1024
const PLENTY = 16 * KIB * KIB

const inflate = (codec: Codec, bytes: Buffer, maxBytes = PLENTY) =>
  decompress(codecCode(codec), bytes, maxBytes)

/** From all the same to hardly ever the same. */
const someBytes = fc
  .tuple(
    fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 9 }),
    fc.infiniteStream(fc.nat(8)),
  )
  .chain(([parts, picks]) =>
    fc.nat(400).map((count) =>
      Buffer.concat(
        Array.from({ length: count }, () => {
          return parts[(picks.next().value as number) % parts.length] as Uint8Array
        }),
      ),
    ),
  )

/** Repeats itself after `period` bytes. */
function periodic(length: number, period: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => ((i % period) * 7 + ((i % period) >> 3)) & 0xff))
}

describe.each(CODECS)('%s', (codec) => {
  it('gives back what was compressed', () => {
    fc.assert(
      fc.property(someBytes, (bytes) => {
        expect(inflate(codec, compress(codec, bytes)).equals(bytes)).toBe(true)
      }),
    )
  })

  it.each([0, 1, 12, 13, 32 * KIB, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 200 * KIB])(
    'gives back %d bytes, whatever their period',
    (length) => {
      for (const period of [1, 2, 3, 5, 255, 4096, 65_535, 65_537, 2 ** 30]) {
        const bytes = periodic(length, period)
        expect(inflate(codec, compress(codec, bytes)).equals(bytes), `period ${period}`).toBe(true)
      }
    },
  )

  it('stops at the limit, to the byte', () => {
    const bytes = Buffer.alloc(100_000, 'a')
    const compressed = compress(codec, bytes)
    expect(inflate(codec, compressed, 100_000)).toHaveLength(100_000)
    expect(() => inflate(codec, compressed, 99_999)).toThrow(BatchTooLarge)
    expect(() => inflate(codec, compressed, 1)).toThrow(BatchTooLarge)
  })

  it('refuses bytes that are cut short', () => {
    const compressed = compress(codec, periodic(10_000, 977))
    for (const length of [1, 5, compressed.length >> 1, compressed.length - 5, compressed.length - 1]) {
      expect(() => inflate(codec, compressed.subarray(0, length)), `${length} bytes`).toThrow(
        CompressedDataCorrupt,
      )
    }
  })

  it('takes any bytes without going beyond the limit, and says what is wrong', () => {
    const compressed = compress(codec, periodic(3000, 97))
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
          fc
            .array(fc.tuple(fc.nat(compressed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
            .map((changes) => {
              const changed = Buffer.from(compressed)
              for (const [at, value] of changes) changed[at] = value
              return changed
            }),
        ),
        (bytes) => {
          try {
            expect(inflate(codec, bytes, 5000).length).toBeLessThanOrEqual(5000)
          } catch (error) {
            expect([BatchTooLarge, CompressedDataCorrupt]).toContain((error as Error).constructor)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('snappy', () => {
  it('is read without a frame too', () => {
    const bytes = periodic(100_000, 100)
    expect(inflate('snappy', Buffer.from(compressSnappy(bytes)))).toEqual(bytes)
  })

  it('believes no length that is announced', () => {
    const announced = Buffer.from('ffffffff0f0061', 'hex')
    expect(() => inflate('snappy', announced, 1000)).toThrow(BatchTooLarge)
    expect(() => inflate('snappy', Buffer.from('0a0061', 'hex'))).toThrow(CompressedDataCorrupt)
    expect(() => inflate('snappy', Buffer.from('010461626364', 'hex'))).toThrow(CompressedDataCorrupt)
  })

  it('ends where literals claim to end before they begin', () => {
    // A length of four bytes that reads as a negative number where 32 bits are signed.
    const backwards = Buffer.from('0afcf8ffffff0000000000', 'hex')
    expect(() => inflate('snappy', backwards)).toThrow(CompressedDataCorrupt)
  })
})

describe('lz4', () => {
  /** Frames with the header that is given and one block of five literals, "hello". */
  const frame = (header: string, block = '0600000050' + '68656c6c6f') =>
    Buffer.from(`04224d18${header}${block}00000000`, 'hex')

  it('is read with sizes and checksums, which are passed over', () => {
    expect(inflate('lz4', frame('604000')).toString()).toBe('hello')
    expect(inflate('lz4', frame('6840' + '0500000000000000' + '00')).toString()).toBe('hello')
    expect(inflate('lz4', frame('704000', '060000005068656c6c6f' + 'aabbccdd')).toString()).toBe('hello')
    const withContentChecksum = Buffer.concat([frame('644000'), Buffer.from('aabbccdd', 'hex')])
    expect(inflate('lz4', withContentChecksum).toString()).toBe('hello')
  })

  it('is read with blocks that are stored, and with blocks that reach back into those before', () => {
    const stored = '0500008068656c6c6f'
    expect(inflate('lz4', frame('604000', stored)).toString()).toBe('hello')
    // Five back, five long; then one literal.
    expect(inflate('lz4', frame('404000', `${stored}0500000001050010` + '21')).toString()).toBe('hellohello!')
  })

  it.each([
    ['no frame', Buffer.from('00000000604082', 'hex')],
    ['a version that is not known', frame('a04000')],
    ['a block size that is not known', frame('601000')],
    ['a dictionary', frame('614000')],
    ['a block longer than the frame', frame('604000', '7f0000005068656c6c6f')],
    ['a match in front of the first byte', frame('604000', '040000001061' + '0200')],
    ['a distance of 0', frame('604000', '040000001061' + '0000')],
    ['literals longer than the block', frame('604000', '060000006068656c6c6f')],
    ['a length without end', frame('604000', '03000000f0ffff')],
  ])('refuses %s', (_what, bytes) => {
    expect(() => inflate('lz4', bytes)).toThrow(CompressedDataCorrupt)
  })

  it('refuses a block that inflates to more than the frame allows', () => {
    // One literal, repeated 64 KiB and more.
    const length = Buffer.alloc(260, 0xff)
    const block = Buffer.concat([Buffer.from('1f610100', 'hex'), length, Buffer.from('0010' + '61', 'hex')])
    const size = Buffer.alloc(4)
    size.writeUInt32LE(block.length)
    const bytes = Buffer.concat([Buffer.from('04224d18604000', 'hex'), size, block, Buffer.alloc(4)])
    expect(() => inflate('lz4', bytes)).toThrow(CompressedDataCorrupt)
  })
})

describe('a codec that nobody knows', () => {
  it('is named', () => {
    expect(() => decompress(7, Buffer.alloc(10), 100)).toThrow(UnknownCodec)
    expect(() => decompress(7, Buffer.alloc(10), 100)).toThrow('codec 7')
  })
})

describe('compressed batches of one answer', () => {
  /** A batch of them has about 4 kB. */
  const values = (letter: string) => Array.from({ length: 20 }, () => letter.repeat(100))
  const batch = (letter: string, offset: number) =>
    placedAt(batchOf(values(letter), { compression: 'lz4' }), offset)

  it('are decoded as far as the limit for all of them goes, and the rest by the next call', () => {
    const bytes = Buffer.concat([batch('a', 0), batch('b', 20), batch('c', 40)])
    const some = decodeAll(bytes, { maxInflatedBytes: 10_000 })
    expect(some.error).toBeUndefined()
    expect(valuesOf(some.records)).toEqual([...values('a'), ...values('b')])
    expect(some.nextOffset).toBe(40)
    const rest = decodeAll(bytes, { maxInflatedBytes: 10_000, fetchOffset: some.nextOffset })
    expect(valuesOf(rest.records)).toEqual(values('c'))
  })

  it('of which one alone is too large end there', () => {
    const large = placedAt(batchOf(['x'.repeat(10_000)], { compression: 'zstd' }), 20)
    const { records, nextOffset, error } = decodeAll(Buffer.concat([placedAt(batchOf(['a']), 0), large]), {
      maxInflatedBytes: 6000,
    })
    expect(valuesOf(records)).toEqual(['a'])
    expect(nextOffset).toBe(1)
    expect(error).toMatchObject({ fault: 'too-large', offset: 20 })
    expect(error?.cause).toBeInstanceOf(BatchTooLarge)
  })
})
