/** Times as shops write them. */

const ISO = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:\d{2})?$/
const OFFSET = /^(?:Z|[+-]\d{2}:\d{2})$/

/**
 * Epoch milliseconds of: epoch milliseconds, an ISO text, or a list `[year, month, day, hour, minute, second?, nano?]` as
 * Java's JSON libraries write a local time. A local time needs the offset that it is meant in, `+09:00` or `Z`.
 * Undefined for anything else.
 */
export function instantOf(time: unknown, offset?: unknown): number | undefined {
  if (typeof time === 'number') return Number.isSafeInteger(time) && time >= 0 ? time : undefined
  const found = ISO.exec(typeof time === 'string' ? time : Array.isArray(time) ? isoOf(time) : '')
  if (found === null) return undefined
  const zone = found[2] ?? offset
  if (typeof zone !== 'string' || !OFFSET.test(zone)) return undefined
  const at = Date.parse(`${found[1]}${zone}`)
  return at >= 0 ? at : undefined
}

function isoOf(parts: readonly unknown[]): string {
  if (parts.length < 5 || parts.length > 7 || !parts.every((part) => Number.isInteger(part))) return ''
  const [year, month, day, hour, minute, second = 0, nano = 0] = parts as number[]
  const two = (part: number | undefined): string => String(part).padStart(2, '0')
  const fraction = String(nano).padStart(9, '0')
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}.${fraction}`
}
