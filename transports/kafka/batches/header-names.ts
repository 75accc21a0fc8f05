/**
 * Names of headers. The same few names come with every record, so a name that came lately is recognized by its bytes
 * instead of being decoded again.
 */

/** Slots, each for the last name that fell into it; a power of two. */
const SLOTS = 256
const KNOWN_BYTES_MAX = 48

const known: (string | undefined)[] = Array.from({ length: SLOTS }, () => undefined)

export function headerName(bytes: Buffer, start: number, end: number): string {
  const length = end - start
  if (length === 0 || length > KNOWN_BYTES_MAX) return bytes.toString('utf8', start, end)
  let hash = length
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + (bytes[i] as number)) | 0
  const slot = (hash ^ (hash >>> 8)) & (SLOTS - 1)
  const candidate = known[slot]
  if (candidate !== undefined && isSame(candidate, bytes, start, length)) return candidate
  const name = bytes.toString('utf8', start, end)
  // A name with other than ASCII characters has fewer characters than bytes, and is decoded each time.
  if (name.length === length) known[slot] = name
  return name
}

function isSame(name: string, bytes: Buffer, start: number, length: number): boolean {
  if (name.length !== length) return false
  for (let i = 0; i < length; i++) if (name.charCodeAt(i) !== bytes[start + i]) return false
  return true
}
