/**
 * Event ids: UUIDv7 (RFC 9562). The id of an event that was made from another is a function of its cause and of who
 * made it, so that processing a record again makes the same id.
 */
import { murmur2 } from './partitioner.ts'

const UUID_CHARS = 36
const DIGITS = Buffer.from('0123456789abcdef')
/** Where ids are written: one string made of it at once takes half the time of one put together. */
const TEXT = Buffer.alloc(UUID_CHARS, '-')

/** Makes ids for one maker (for example a task); two makers never share a seed by design of their names. */
export class EventIdMaker {
  readonly #seedA: number
  readonly #seedB: number

  constructor(maker: string) {
    const bytes = Buffer.from(maker)
    this.#seedA = murmur2(bytes)
    this.#seedB = mix(murmur2(Buffer.concat([bytes, Buffer.from([0x5a])])), 0x9e3779b9)
  }

  /**
   * @param timestamp epoch milliseconds, becomes the id's time
   * @param place partition and offset of the cause, or any two numbers that name it
   * @param ordinal which of the outputs of that cause
   */
  derive(timestamp: number, partition: number, offset: number, ordinal: number): string {
    const low = offset | 0
    const high = Math.floor(offset / 0x1_0000_0000) | 0
    const where = mix(Math.imul(partition + 1, 0x85ebca6b) ^ ordinal, high)
    const a = mix(this.#seedA ^ where, low)
    const b = mix(this.#seedB ^ low, where ^ a)
    return formatUuid7(timestamp, a, b, mix(a ^ 0x27d4eb2f, b))
  }
}

/** The makers of one task, each made once: one for every input and timer. */
export class EventIdMakers {
  readonly #task: string
  readonly #makers = new Map<string, EventIdMaker>()

  constructor(task: string) {
    this.#task = task
  }

  of(name: string): EventIdMaker {
    const known = this.#makers.get(name)
    if (known !== undefined) return known
    const made = new EventIdMaker(`${this.#task}|${name}`)
    this.#makers.set(name, made)
    return made
  }
}

/** UUIDv7 text of a time and 74 of the 96 bits given. */
export function formatUuid7(timestamp: number, a: number, b: number, c: number): string {
  const time = timestamp > 0 ? timestamp : 0
  const high = Math.floor(time / 0x1_0000_0000)
  const low = time >>> 0
  hex16(0, high)
  hex16(4, low >>> 16)
  hex16(9, low)
  hex16(14, 0x7000 | (c & 0x0fff))
  hex16(19, 0x8000 | ((a >>> 16) & 0x3fff))
  hex16(24, a)
  hex16(28, b >>> 16)
  hex16(32, b)
  return TEXT.toString('latin1')
}

/** Four digits into the text. */
function hex16(at: number, bits: number): void {
  TEXT[at] = DIGITS[(bits >>> 12) & 0xf] as number
  TEXT[at + 1] = DIGITS[(bits >>> 8) & 0xf] as number
  TEXT[at + 2] = DIGITS[(bits >>> 4) & 0xf] as number
  TEXT[at + 3] = DIGITS[bits & 0xf] as number
}

/** Murmur3's finalizer over two words. */
function mix(x: number, y: number): number {
  let h = Math.imul(x ^ Math.imul(y, 0xcc9e2d51), 0x1b873593)
  h ^= h >>> 16
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}
