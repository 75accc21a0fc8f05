/**
 * JSON whose numbers lose nothing: what a double does not carry exactly stays the text that it was, so that a long id
 * is taken as an id, and an amount that would lose a cent is refused as text where a number belongs.
 */

/** Significant digits that every double carries. */
const EXACT_DIGITS = 15

/** Throws a `SyntaxError`, also for the key `__proto__`. */
export function parseExactly(text: string): unknown {
  return JSON.parse(text, keep) as unknown
}

function keep(this: unknown, key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (key === '__proto__') throw new SyntaxError('a key is called __proto__')
  return typeof value === 'number' && !isExact(value, context?.source ?? '') ? context?.source : value
}

function isExact(value: number, source: string): boolean {
  if (Number.isInteger(value)) return Number.isSafeInteger(value)
  return Number.isFinite(value) && significantDigits(source) <= EXACT_DIGITS
}

function significantDigits(source: string): number {
  const digits = source.replace(/[eE].*$/, '').replace(/[-.]/g, '')
  return digits.replace(/^0+/, '').length
}

const DECIMAL = /^(-?)(\d{1,20})(?:\.(\d{1,20}))?$/

/**
 * An amount in minor units: `12.5` or `"12.50"` with 2 digits is 1250. Nothing is rounded. Undefined for what is no
 * decimal, has more digits than the currency, or is beyond ±(2⁵³ − 1).
 */
export function minorUnits(amount: unknown, digits: number): number | undefined {
  if (typeof amount !== 'number' && typeof amount !== 'string') return undefined
  const found = DECIMAL.exec(String(amount))
  if (found === null) return undefined
  const [, sign, whole = '', fraction = ''] = found
  const kept = fraction.slice(0, digits).padEnd(digits, '0')
  if (/[1-9]/.test(fraction.slice(digits))) return undefined
  const units = Number(`${sign}${whole}${kept}`)
  return Number.isSafeInteger(units) ? units + 0 : undefined
}

/** The inverse: 1250 with 2 digits is `12.5`. */
export function majorUnits(units: unknown, digits: number): number | undefined {
  if (!Number.isSafeInteger(units)) return undefined
  const text = String(Math.abs(units as number)).padStart(digits + 1, '0')
  const major = digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`
  return significantDigits(major) > EXACT_DIGITS ? undefined : Math.sign(units as number) * Number(major)
}
