/**
 * Decompresses a Snappy block, which LevelDB may make of a table's index. Source: google/snappy
 * `format_description.txt`. Throws a `RangeError` for what is no such block.
 */
export function snappyBytes(block: Buffer): Buffer {
  const { length, start } = readLength(block)
  const output = Buffer.alloc(length)
  let from = start
  let to = 0
  while (from < block.length) {
    const tag = byteAt(block, from++)
    if ((tag & 3) === 0) {
      const code = tag >>> 2
      const extra = code < 60 ? 0 : code - 59
      const size = (extra === 0 ? code : block.readUIntLE(from, extra)) + 1
      from += extra
      if (from + size > block.length || to + size > length)
        throw new RangeError('Snappy: a literal is too long')
      block.copy(output, to, from, from + size)
      from += size
      to += size
    } else {
      const copy = readCopy(block, from, tag)
      from = copy.next
      if (copy.back === 0 || copy.back > to || to + copy.size > length) {
        throw new RangeError('Snappy: a copy from outside')
      }
      // Byte by byte: a copy may reach into what it writes.
      for (const end = to + copy.size; to < end; to++) output[to] = byteAt(output, to - copy.back)
    }
  }
  if (to !== length) throw new RangeError('Snappy: the length does not match')
  return output
}

function readCopy(block: Buffer, at: number, tag: number): { size: number; back: number; next: number } {
  switch (tag & 3) {
    case 1:
      return { size: ((tag >>> 2) & 7) + 4, back: ((tag >>> 5) << 8) | byteAt(block, at), next: at + 1 }
    case 2:
      return { size: (tag >>> 2) + 1, back: block.readUInt16LE(at), next: at + 2 }
    default:
      return { size: (tag >>> 2) + 1, back: block.readUInt32LE(at), next: at + 4 }
  }
}

function readLength(block: Buffer): { length: number; start: number } {
  let length = 0
  for (let start = 0; start < 5; start++) {
    const byte = byteAt(block, start)
    length += (byte & 127) * 128 ** start
    if (byte < 128) return { length, start: start + 1 }
  }
  throw new RangeError('Snappy: no length')
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at]
  if (byte === undefined) throw new RangeError('Snappy: the block ends too soon')
  return byte
}
