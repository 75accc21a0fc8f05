/**
 * Snappy, alone or in the frame of Java's snappy library, which Kafka's own producer writes: a header of 16 bytes, then
 * blocks, each with its length in 4 bytes, big-endian.
 *
 * Block: the inflated length as a varint; then elements, whose lowest two bits say what they are: literals, or a match
 * with a distance of 11, 16 or 32 bits.
 *
 * Inflating is done here because bytes of any producer arrive: the package checks neither the lengths of literals,
 * where a forged one makes it loop for ever, nor that the announced length is reached.
 */
import { compress } from 'snappyjs'
import { BatchTooLarge, CompressedDataCorrupt } from './errors.ts'
import { GrowingOutput } from './growing-output.ts'

/** Magic, version 1, compatible with version 1. */
const FRAME_HEADER = Buffer.from('82534e41505059000000000100000001', 'hex')
const MAGIC_BYTES = 8
/** As in Java's library. */
const BLOCK_BYTES = 32 * 1024

const LITERALS = 0
const MATCH_11_BITS = 1
const MATCH_16_BITS = 2
/** Lengths of literals above this are in 1 to 4 bytes that follow. */
const SHORT_LITERALS_MAX = 60
const LENGTH_BYTES_MAX = 5

/** Throws `BatchTooLarge`, `CompressedDataCorrupt`. */
export function inflateSnappy(source: Buffer, maxBytes: number): Buffer {
  const tooLarge = () => new BatchTooLarge('snappy', maxBytes)
  const output = new GrowingOutput(source.length * 3, maxBytes, tooLarge)
  if (!isFramed(source)) {
    inflateBlock(source, 0, source.length, output)
    return output.finish()
  }
  let at = FRAME_HEADER.length
  while (at < source.length) {
    if (at + 4 > source.length) throw corrupt('the frame ends too early')
    const end = at + 4 + source.readUInt32BE(at)
    if (end > source.length) throw corrupt('a block is too long')
    inflateBlock(source, at + 4, end, output)
    at = end
  }
  return output.finish()
}

function isFramed(source: Buffer): boolean {
  return (
    source.length >= FRAME_HEADER.length && source.compare(FRAME_HEADER, 0, MAGIC_BYTES, 0, MAGIC_BYTES) === 0
  )
}

function inflateBlock(source: Buffer, from: number, end: number, output: GrowingOutput): void {
  const start = output.length
  const { value: length, at: first } = readLength(source, from, end)
  output.expect(length)
  let at = first
  while (at < end) {
    const tag = source[at++] as number
    const kind = tag & 3
    if (kind === LITERALS) {
      let count = (tag >> 2) + 1
      if (count > SHORT_LITERALS_MAX) {
        const width = count - SHORT_LITERALS_MAX
        if (width > end - at) throw corrupt('a length is cut short')
        count = source.readUIntLE(at, width) + 1
        at += width
      }
      if (count > end - at) throw corrupt('literals run past the block')
      output.literals(source, at, at + count)
      at += count
    } else {
      const width = kind === MATCH_11_BITS ? 1 : kind === MATCH_16_BITS ? 2 : 4
      if (width > end - at) throw corrupt('a distance is cut short')
      const low = source.readUIntLE(at, width)
      at += width
      const isShort = kind === MATCH_11_BITS
      const count = isShort ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1
      const distance = isShort ? ((tag >> 5) << 8) | low : low
      // Blocks are inflated one by one: what an earlier one holds is out of reach.
      if (distance > output.length - start || !output.match(distance, count)) {
        throw corrupt('a match is not there')
      }
    }
    if (output.length - start > length) throw corrupt('the block is longer than it says')
  }
  if (output.length - start !== length) throw corrupt('the block is shorter than it says')
}

function readLength(source: Buffer, from: number, end: number): { value: number; at: number } {
  let value = 0
  for (let i = 0; i < LENGTH_BYTES_MAX && from + i < end; i++) {
    const byte = source[from + i] as number
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return { value, at: from + i + 1 }
  }
  throw corrupt('the block has no length')
}

function corrupt(detail: string): CompressedDataCorrupt {
  return new CompressedDataCorrupt('snappy', detail)
}

/** Framed. */
export function deflateSnappy(source: Buffer): Buffer {
  const parts: Uint8Array[] = [FRAME_HEADER]
  for (let from = 0; from < source.length; from += BLOCK_BYTES) {
    const block = compress(source.subarray(from, from + BLOCK_BYTES))
    const length = Buffer.allocUnsafe(4)
    length.writeUInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}
