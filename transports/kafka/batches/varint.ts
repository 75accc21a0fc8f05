/**
 * Signed numbers of records: folded (0, -1, 1, -2 … become 0, 1, 2, 3 …), seven bits a byte, least first, the top bit
 * set on all but the last. A varint has 32 bits, a varlong 64, of which a JavaScript number holds 53.
 *
 * Not its job: reading, which the decoder does in place.
 */

/** The folded number must be a safe integer. */
const VARLONG_MAX = 2 ** 52 - 1
const INT32_MAX = 2 ** 31 - 1

export function varintBytes(value: number): number {
  const folded = ((value << 1) ^ (value >> 31)) >>> 0
  if (folded < 0x80) return 1
  if (folded < 0x4000) return 2
  if (folded < 0x200000) return 3
  return folded < 0x10000000 ? 4 : 5
}

/** Throws a `RangeError` beyond ± 2^52. */
export function varlongBytes(value: number): number {
  if (value >= -INT32_MAX && value <= INT32_MAX) return varintBytes(value)
  if (Math.abs(value) > VARLONG_MAX) throw new RangeError(`${value} is too far from the first timestamp`)
  let bytes = 1
  for (let rest = fold(value); rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

/** Answers the position after it. */
export function writeVarint(into: Buffer, start: number, value: number): number {
  let at = start
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  while (rest > 0x7f) {
    into[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  into[at++] = rest
  return at
}

/** Answers the position after it. */
export function writeVarlong(into: Buffer, start: number, value: number): number {
  if (value >= -INT32_MAX && value <= INT32_MAX) return writeVarint(into, start, value)
  let at = start
  let rest = fold(value)
  while (rest > 0x7f) {
    into[at++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  into[at++] = rest
  return at
}

function fold(value: number): number {
  return value >= 0 ? value * 2 : value * -2 - 1
}
