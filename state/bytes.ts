/**
 * Byte strings: JavaScript strings of code units 0–255, one per byte, which compare in the order of their bytes.
 * These are the order-preserving pieces that keys are made of.
 */

const ascii = /^[\x00-\x7f]*$/
const twoTo32 = 2 ** 32
const signBit = 2 ** 31

/** The UTF-8 bytes of a text. Throws a `TypeError` on lone surrogates, which have none. */
export function utf8Bytes(text: string): string {
  if (ascii.test(text)) return text
  if (!text.isWellFormed()) throw new TypeError('A key must not hold a lone surrogate')
  return Buffer.from(text, 'utf8').toString('latin1')
}

export function utf8Text(bytes: string): string {
  return ascii.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8')
}

/** Eight bytes in numeric order, negatives first. Throws a `RangeError` on anything but a safe integer. */
export function int64Bytes(value: number): string {
  if (!Number.isSafeInteger(value)) throw new RangeError(`Not a safe integer: ${value}`)
  const high = Math.floor(value / twoTo32) + signBit
  const low = value >>> 0
  return String.fromCharCode(
    high >>> 24,
    (high >>> 16) & 255,
    (high >>> 8) & 255,
    high & 255,
    low >>> 24,
    (low >>> 16) & 255,
    (low >>> 8) & 255,
    low & 255,
  )
}

/** The number that `int64Bytes` wrote at `start`. */
export function int64At(bytes: string, start = 0): number {
  return (uint32At(bytes, start) - signBit) * twoTo32 + uint32At(bytes, start + 4)
}

function uint32At(bytes: string, start: number): number {
  const high = (bytes.charCodeAt(start) << 8) | bytes.charCodeAt(start + 1)
  const low = (bytes.charCodeAt(start + 2) << 8) | bytes.charCodeAt(start + 3)
  return high * 65536 + low
}

/**
 * A part that something follows: ends in two zero bytes, and a zero byte inside becomes 00 FF. So no part is another's
 * beginning, and the order is the order of the parts.
 */
export function terminated(part: string): string {
  return part.includes('\x00') ? `${part.replaceAll('\x00', '\x00\xff')}\x00\x00` : `${part}\x00\x00`
}

/** Where the terminated part that begins at `start` ends, its terminator not counted; -1 when it has none. */
export function endOfPart(bytes: string, start: number): number {
  let end = bytes.indexOf('\x00', start)
  while (end !== -1 && bytes.charCodeAt(end + 1) === 0xff) end = bytes.indexOf('\x00', end + 2)
  return end !== -1 && bytes.charCodeAt(end + 1) === 0 ? end : -1
}

export function unterminated(part: string): string {
  return part.includes('\x00') ? part.replaceAll('\x00\xff', '\x00') : part
}

/** The least byte string above all that begin with `prefix`; `undefined` when there is none. */
export function afterPrefix(prefix: string): string | undefined {
  let end = prefix.length
  while (end > 0 && prefix.charCodeAt(end - 1) === 0xff) end--
  if (end === 0) return undefined
  return prefix.slice(0, end - 1) + String.fromCharCode(prefix.charCodeAt(end - 1) + 1)
}

export function latin1(bytes: string): Buffer {
  return Buffer.from(bytes, 'latin1')
}
