/** Turns values into bytes and back. Both directions are pure and throw on what they cannot represent. */
export interface Serde<T> {
  serialize(value: T): Buffer
  deserialize(bytes: Buffer): T
}

/**
 * Turns keys into byte strings whose order is the key's order. A byte string is a JavaScript string of code units
 * 0–255 (latin1), so that maps and comparisons work on it directly.
 */
export interface KeyCodec<K> {
  /**
   * Says how keys become bytes, the same for all codecs that do it alike: stored with the rows, so that keys are never
   * read as others than they were. `custom` unless told.
   */
  readonly name?: string
  /** Bytes of every encoded key, where all have the same length. */
  readonly fixedLength?: number
  encode(key: K): string
  decode(bytes: string): K
  /** For keys of several parts: what all keys with these first parts begin with. */
  prefix?(parts: readonly unknown[]): string
}

const string: Serde<string> = {
  serialize(value) {
    if (!value.isWellFormed()) throw new TypeError('Text with a lone surrogate has no UTF-8 form')
    return Buffer.from(value, 'utf8')
  },
  deserialize: (bytes) => bytes.toString('utf8'),
}

/** Big-endian, as Java's Long serde writes it. Safe integers only. */
const int64: Serde<number> = {
  serialize(value) {
    if (!Number.isSafeInteger(value)) throw new RangeError(`Not a safe integer: ${value}`)
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeInt32BE(Math.floor(value / 2 ** 32), 0)
    bytes.writeUInt32BE(value >>> 0, 4)
    return bytes
  },
  deserialize: (bytes) => bytes.readInt32BE(0) * 2 ** 32 + bytes.readUInt32BE(4),
}

const bytes: Serde<Buffer> = {
  serialize: (value) => value,
  deserialize: (value) => value,
}

/** JSON of a plain value. The type is the caller's word: nothing is checked when reading. */
function json<T>(): Serde<T> {
  return {
    serialize(value) {
      const text: string | undefined = JSON.stringify(value)
      if (text === undefined) throw new TypeError('The value has no JSON form')
      return Buffer.from(text, 'utf8')
    },
    deserialize: (bytes) => JSON.parse(bytes.toString('utf8')) as T,
  }
}

export const serdes = { string, int64, bytes, json } as const
