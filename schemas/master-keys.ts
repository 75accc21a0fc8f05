/**
 * Master keys wrap the data keys of users, so that the log, its backups and its cluster hold none that is of use alone.
 *
 * The first of them wraps; all of them unwrap. To change it, put a new one first and keep the old ones as long as data
 * keys are wrapped by them.
 */
import { createHash } from 'node:crypto'
import { type DataKey, decrypt, encrypt, KEY_BYTES, newDataKey, SealingError } from './sealed.ts'

/** A data key as it is kept. */
export interface WrappedDataKey {
  readonly keyId: string
  readonly masterKeyId: string
  /** nonce, tag and ciphertext. */
  readonly key: Buffer
}

const BASE64 = /^[A-Za-z0-9+/]{43}=$/
const HEX = /^[0-9a-f]{64}$/i

/** A master key is not among those that this process was given. */
export class UnknownMasterKey extends Error {
  override readonly name = 'UnknownMasterKey'
  readonly masterKeyId: string

  constructor(masterKeyId: string) {
    super(`no master key ${masterKeyId} was given: privacy.masterKeys`)
    this.masterKeyId = masterKeyId
  }
}

export class MasterKeys {
  readonly #keys: ReadonlyMap<string, Buffer>
  readonly #first: string

  private constructor(keys: readonly Buffer[]) {
    this.#keys = new Map(keys.map((key) => [idOf(key), key]))
    this.#first = idOf(keys[0] as Buffer)
  }

  /**
   * Keys of 32 bytes in base64 or hexadecimal, with commas between.
   * @throws RangeError for anything else; the message holds nothing of it
   */
  static parse(text: string): MasterKeys {
    return new MasterKeys(text.split(',').map(parseKey))
  }

  /** A new data key for the user, in the clear and as it is kept. */
  make(userId: string): { readonly dataKey: DataKey; readonly wrapped: WrappedDataKey } {
    const dataKey = newDataKey()
    return { dataKey, wrapped: this.wrap(userId, dataKey) }
  }

  wrap(userId: string, { keyId, key }: DataKey): WrappedDataKey {
    const master = this.#keys.get(this.#first) as Buffer
    return { keyId, masterKeyId: this.#first, key: encrypt(master, wordsOf(userId, keyId), key) }
  }

  /** The same data key wrapped by the first master key; the same object where it is already. @throws as `unwrap` */
  rewrap(userId: string, wrapped: WrappedDataKey): WrappedDataKey {
    if (wrapped.masterKeyId === this.#first) return wrapped
    return this.wrap(userId, this.unwrap(userId, wrapped))
  }

  /** @throws UnknownMasterKey, and a SealingError where the key is another user's or was changed */
  unwrap(userId: string, { keyId, masterKeyId, key }: WrappedDataKey): DataKey {
    const master = this.#keys.get(masterKeyId)
    if (master === undefined) throw new UnknownMasterKey(masterKeyId)
    const opened = decrypt(master, wordsOf(userId, keyId), key)
    if (opened.length !== KEY_BYTES) throw new SealingError('not-authentic')
    return { keyId, key: opened }
  }
}

function parseKey(text: string): Buffer {
  const word = text.trim()
  if (BASE64.test(word)) return Buffer.from(word, 'base64')
  if (HEX.test(word)) return Buffer.from(word, 'hex')
  throw new RangeError('a master key is 32 bytes, in base64 or hexadecimal')
}

/** Says which key it is, and nothing of it. */
function idOf(key: Buffer): string {
  return createHash('sha256').update('millrace master key').update(key).digest('hex').slice(0, 16)
}

function wordsOf(userId: string, keyId: string): Buffer {
  return Buffer.from(JSON.stringify(['millrace data key', userId, keyId]))
}
