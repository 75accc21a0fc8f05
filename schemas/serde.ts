/** Serdes that need no schema. */
import { isUtf8 } from 'node:buffer'
import { DeserializationError, SerializationError } from './errors.ts'

/** Turns values into bytes and back; the inverse of each other. Never given or asked for null. */
export interface Serde<T> {
  /** The bytes are the caller's: they never change afterwards. */
  serialize(value: T): Buffer
  /** May keep references into `bytes` only where the value is itself bytes. */
  deserialize(bytes: Buffer): T
}

/**
 * Keys: a string as UTF-8.
 * Serializing throws SerializationError `invalid-utf8`; deserializing DeserializationError `invalid-utf8`.
 */
export const stringSerde: Serde<string> = {
  serialize(value) {
    if (!value.isWellFormed()) throw new SerializationError('invalid-utf8', '', 'half a surrogate pair')
    return Buffer.from(value, 'utf8')
  },
  deserialize(bytes) {
    if (!isUtf8(bytes)) throw new DeserializationError('invalid-utf8', 'a key is not UTF-8')
    return bytes.toString('utf8')
  },
}
