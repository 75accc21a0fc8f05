/** What expressions can call besides JSONata's own functions. Each gives nothing for nothing, and never the message's contents in an error. */
import { Misfit } from './errors.ts'
import { instantOf } from './instants.ts'
import { majorUnits, minorUnits } from './numbers.ts'

/** UTF-16 units of an id at most, as everywhere. */
const MAX_ID_CHARS = 200
const MAX_DIGITS = 8

/** What of other topics can be looked up: the newest value of a key of a compacted topic, as plain JSON. */
export type Lookup = (topic: string, key: string) => unknown

/**
 * The sealed address of an order, opened; nothing where it cannot be, or never can be again. Rejects with an
 * `Unavailable` where that is not known now.
 */
export type OpenAddress = (orderId: string, customerId: string, sealed: Buffer) => Promise<unknown>

/** What one message can ask for. What is asked may reject: that is no fault of the message. */
export interface Asking {
  readonly lookup: Lookup
  readonly openAddress: OpenAddress
  /** ISO 4217, of the shop; absent: what is written may be in any. */
  readonly currency?: string | undefined
}

/** What the world outside the message gives. */
export interface Surroundings {
  readonly lookup: Lookup
  /** Of one batch. */
  readonly addresses: (signal: AbortSignal) => OpenAddress
  readonly currency?: string | undefined
  /** Whether what is looked up was read as far as it went when this process began. */
  readonly ready: () => boolean
  /** Epoch milliseconds: of a message that is younger than what is looked up is sure to be, a miss is not believed. */
  readonly now: () => number
}

/** A world without anything. */
export const nothingAround: Surroundings & Asking = {
  lookup: () => undefined,
  openAddress: () => Promise.resolve(undefined),
  addresses: () => () => Promise.resolve(undefined),
  ready: () => true,
  now: () => Number.POSITIVE_INFINITY,
}

type Callable = (...args: unknown[]) => unknown

/** Those that need nothing but their arguments. */
export const FUNCTIONS: Readonly<Record<string, Callable>> = {
  /** An id as text, from text or an integer. */
  id: unlessAbsent((value) => {
    const text = Number.isSafeInteger(value) ? String(value) : value
    if (typeof text === 'string' && text.length > 0 && text.length <= MAX_ID_CHARS) return text
    throw new Misfit(`$id takes an integer or a text of 1 to ${MAX_ID_CHARS} characters`)
  }),
  /** The integer that an id stands for, for shops whose ids are numbers. */
  integer: unlessAbsent((value) => {
    const number = typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : value
    if (Number.isSafeInteger(number)) return number
    throw new Misfit('$integer takes digits that stand for an integer within ±(2^53 - 1)')
  }),
  /** `$minor(12.5, 2)` is 1250. */
  minor: unlessAbsent((value, digits) => {
    const units = minorUnits(value, digitsOf(digits, '$minor'))
    if (units !== undefined) return units
    throw new Misfit('$minor takes a decimal with no more digits than the currency has')
  }),
  /** `$major(1250, 2)` is 12.5. */
  major: unlessAbsent((value, digits) => {
    const amount = majorUnits(value, digitsOf(digits, '$major'))
    if (amount !== undefined) return amount
    throw new Misfit('$major takes minor units that a number of JSON carries exactly')
  }),
  /** Epoch milliseconds. */
  instant: unlessAbsent((value, offset) => {
    const at = instantOf(value, offset)
    if (at !== undefined) return at
    throw new Misfit('$instant takes epoch milliseconds, or an ISO time with a zone or an offset beside it')
  }),
}

/** Those that need somebody: `$view('product.catalog', id)`; `$shipTo()`, the address of a `delivery.requested`. */
export const VIEW = 'view'
export const SHIP_TO = 'shipTo'

function unlessAbsent(call: (value: unknown, option: unknown) => unknown): Callable {
  return (value, option) => (value === undefined || value === null ? undefined : call(value, option))
}

function digitsOf(digits: unknown, name: string): number {
  if (Number.isInteger(digits) && (digits as number) >= 0 && (digits as number) <= MAX_DIGITS)
    return digits as number
  throw new Misfit(`${name} takes the currency's digits, 0 to ${MAX_DIGITS}, as its second argument`)
}
