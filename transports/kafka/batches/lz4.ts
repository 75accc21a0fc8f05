/**
 * LZ4 frames as Kafka's producers write them: independent blocks of 64 KiB, no checksums of their own, since the
 * batch has one. Other frames are read too: linked blocks, larger ones, with or without sizes and checksums.
 *
 * Frame: magic, flags, block size, [content size], header checksum; blocks, each with its length, whose top bit says
 * "not compressed"; a length of 0; [content checksum]. Numbers are little-endian.
 * Block: sequences of literals and a match: a token (4 bits literal length, 4 bits match length - 4, 15 means that
 * bytes follow which add to it), literals, a distance of 2 bytes. The last sequence has literals only.
 *
 * Not its job: checking the frame's checksums.
 */
import { BatchTooLarge, CompressedDataCorrupt } from './errors.ts'
import { GrowingOutput } from './growing-output.ts'

const FRAME_MAGIC = 0x184d2204
const VERSION_BITS = 0xc0
const VERSION = 0x40
const INDEPENDENT_BLOCKS = 0x20
const BLOCK_CHECKSUMS = 0x10
const CONTENT_SIZE = 0x08
const DICTIONARY = 0x01
const UNCOMPRESSED = 0x80000000
/** By the code in the frame's header. Bytes. */
const BLOCK_SIZES: Readonly<Record<number, number>> = { 4: 1 << 16, 5: 1 << 18, 6: 1 << 20, 7: 1 << 22 }

/** Magic, independent blocks, 64 KiB, and the second byte of xxHash32 over the two bytes before it. */
const FRAME_HEADER = Buffer.from([0x04, 0x22, 0x4d, 0x18, VERSION | INDEPENDENT_BLOCKS, 0x40, 0x82])
const BLOCK_BYTES = 1 << 16

const MATCH_MIN = 4
/** A block ends with at least so many literals … */
const LAST_LITERALS = 5
/** … and its last match begins at least so far before its end: decoders copy in wide steps. */
const MATCH_LIMIT = 12
const HASH_BITS = 13
/** How many positions in a row may find nothing before steps grow. Log2. */
const SKIP_TRIGGER = 6

/** Place of the last four bytes with this hash, plus one; 0: none. */
const places = new Int32Array(1 << HASH_BITS)

/** Throws `BatchTooLarge`, `CompressedDataCorrupt`. */
export function unframeLz4(source: Buffer, maxBytes: number): Buffer {
  const { at: start, blockBytes, checksumBytes } = readFrameHeader(source)
  const output = new GrowingOutput(source.length * 3, maxBytes, () => new BatchTooLarge('lz4', maxBytes))
  let at = start
  for (;;) {
    if (at + 4 > source.length) throw corrupt('the frame has no end')
    const field = source.readUInt32LE(at)
    if (field === 0) return output.finish()
    const length = field & ~UNCOMPRESSED
    const end = at + 4 + length
    if (length > blockBytes || end + checksumBytes > source.length) throw corrupt('a block is too long')
    if (field >= UNCOMPRESSED) output.literals(source, at + 4, end)
    else inflateBlock(source, at + 4, end, output, output.length + blockBytes)
    at = end + checksumBytes
  }
}

function readFrameHeader(source: Buffer): { at: number; blockBytes: number; checksumBytes: number } {
  if (source.length < FRAME_HEADER.length || source.readUInt32LE(0) !== FRAME_MAGIC) {
    throw corrupt('it is no frame')
  }
  const flags = source.readUInt8(4)
  const blockBytes = BLOCK_SIZES[(source.readUInt8(5) >> 4) & 7]
  if ((flags & VERSION_BITS) !== VERSION || blockBytes === undefined) throw corrupt('the frame is not known')
  if ((flags & DICTIONARY) !== 0) throw corrupt('the frame needs a dictionary')
  return {
    at: FRAME_HEADER.length + (flags & CONTENT_SIZE ? 8 : 0),
    blockBytes,
    checksumBytes: flags & BLOCK_CHECKSUMS ? 4 : 0,
  }
}

/** `limit`: the output must not become longer. */
function inflateBlock(source: Buffer, from: number, end: number, output: GrowingOutput, limit: number): void {
  let at = from
  while (at < end) {
    const token = source[at++] as number
    let literals = token >> 4
    if (literals === 15) {
      for (let more = 255; more === 255; literals += more)
        more = at < end ? (source[at++] as number) : overrun()
    }
    if (literals > end - at || literals > limit - output.length) throw corrupt('literals run past the block')
    output.literals(source, at, at + literals)
    at += literals
    if (at === end) return
    if (at + 2 > end) overrun()
    const distance = (source[at] as number) | ((source[at + 1] as number) << 8)
    at += 2
    let length = token & 15
    if (length === 15) {
      for (let more = 255; more === 255; length += more)
        more = at < end ? (source[at++] as number) : overrun()
    }
    length += MATCH_MIN
    if (length > limit - output.length || !output.match(distance, length))
      throw corrupt('a match is not there')
  }
  overrun()
}

function overrun(): never {
  throw corrupt('a block ends too early')
}

function corrupt(detail: string): CompressedDataCorrupt {
  return new CompressedDataCorrupt('lz4', detail)
}

export function frameLz4(source: Buffer): Buffer {
  const blocks = Math.ceil(source.length / BLOCK_BYTES)
  const into = Buffer.allocUnsafe(FRAME_HEADER.length + source.length + blocks * 4 + 4)
  let at = FRAME_HEADER.copy(into)
  for (let from = 0; from < source.length; from += BLOCK_BYTES) {
    const end = Math.min(from + BLOCK_BYTES, source.length)
    // A block that would not become shorter is stored as it is, so that the buffer always suffices.
    const after = deflateBlock(source, from, end, into, at + 4, at + 4 + end - from)
    if (after === undefined) {
      into.writeUInt32LE(UNCOMPRESSED + end - from, at)
      source.copy(into, at + 4, from, end)
      at += 4 + end - from
    } else {
      into.writeUInt32LE(after - at - 4, at)
      at = after
    }
  }
  into.writeUInt32LE(0, at)
  return into.subarray(0, at + 4)
}

/** Answers the position after the block, or undefined where it would reach `limit`. */
function deflateBlock(
  source: Buffer,
  from: number,
  end: number,
  into: Buffer,
  start: number,
  limit: number,
): number | undefined {
  places.fill(0)
  let at = start
  let anchor = from
  let position = from
  let misses = 1 << SKIP_TRIGGER
  while (position <= end - MATCH_LIMIT) {
    const word = readWord(source, position)
    const slot = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS)
    const candidate = (places[slot] as number) - 1
    places[slot] = position + 1
    // Blocks have 64 KiB and a clean table, so that no distance is too long.
    if (candidate < 0 || readWord(source, candidate) !== word) {
      position += misses++ >> SKIP_TRIGGER
      continue
    }
    misses = 1 << SKIP_TRIGGER
    let length = MATCH_MIN
    while (
      position + length < end - LAST_LITERALS &&
      source[candidate + length] === source[position + length]
    ) {
      length++
    }
    const literals = position - anchor
    if (at + 1 + lengthBytes(literals) + literals + 2 + lengthBytes(length - MATCH_MIN) >= limit)
      return undefined
    at = writeSequence(source, anchor, literals, length - MATCH_MIN, into, at)
    const distance = position - candidate
    into[at++] = distance & 0xff
    into[at++] = distance >> 8
    at = writeLength(length - MATCH_MIN, into, at)
    position += length
    anchor = position
  }
  const rest = end - anchor
  if (at + 1 + lengthBytes(rest) + rest >= limit) return undefined
  return writeSequence(source, anchor, rest, 0, into, at)
}

/** Token, the rest of the literals' length, and the literals. */
function writeSequence(
  source: Buffer,
  anchor: number,
  literals: number,
  match: number,
  into: Buffer,
  start: number,
): number {
  into[start] = (Math.min(literals, 15) << 4) | Math.min(match, 15)
  const at = writeLength(literals, into, start + 1)
  source.copy(into, at, anchor, anchor + literals)
  return at + literals
}

/** What of a length does not fit into the token. */
function writeLength(length: number, into: Buffer, start: number): number {
  if (length < 15) return start
  let at = start
  let rest = length - 15
  for (; rest >= 255; rest -= 255) into[at++] = 255
  into[at++] = rest
  return at
}

function lengthBytes(length: number): number {
  return length < 15 ? 0 : Math.floor((length - 15) / 255) + 1
}

function readWord(source: Buffer, at: number): number {
  return (
    (source[at] as number) |
    ((source[at + 1] as number) << 8) |
    ((source[at + 2] as number) << 16) |
    ((source[at + 3] as number) << 24)
  )
}
