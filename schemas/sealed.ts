/**
 * Personal data, sealed: AES-256-GCM with a key derived from a user's data key for this one field of this one owner.
 *
 *     version (1 byte) | id of the data key (8) | nonce (12) | tag (16) | ciphertext
 *
 * Its job: bytes in, bytes out. Not its job: where data keys are, and who may open what.
 *
 * Invariants:
 * 1. A sealed value opens only where it was sealed for: kind, user and order are part of the derived key, and of what
 *    the tag covers. Moved to another record, it does not open.
 * 2. Without the data key nothing of a value can be had but its length and the time at which it was written.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/** What is sealed, whose it is, and which order it belongs to; the same words for opening. */
export interface SealedPlace {
  readonly kind: 'user.email' | 'user.locale' | 'order.shipTo'
  readonly userId: string
  /** Of what belongs to an order. */
  readonly orderId?: string | undefined
}

/** A user's data key, in the clear: only ever in memory. */
export interface DataKey {
  /** 16 hexadecimal digits. */
  readonly keyId: string
  /** 32 bytes. */
  readonly key: Buffer
}

/** Why a sealed value does not open. */
export const sealingErrors = {
  'unknown-format': 'Not a sealed value, or one of a later version.',
  'not-authentic': 'Another key, another place, or other bytes than were sealed.',
} as const

export type SealingErrorCode = keyof typeof sealingErrors

export class SealingError extends Error {
  override readonly name = 'SealingError'
  readonly code: SealingErrorCode

  constructor(code: SealingErrorCode, options?: ErrorOptions) {
    super(`Cannot open (${code}): ${sealingErrors[code]}`, options)
    this.code = code
  }
}

const CIPHER = 'aes-256-gcm'
const VERSION = 1
export const KEY_BYTES = 32
const ID_BYTES = 8
const NONCE_BYTES = 12
const TAG_BYTES = 16
const BODY_AT = 1 + ID_BYTES
/** A sealed value is this much longer than what is in it. */
export const SEALED_OVERHEAD_BYTES = BODY_AT + NONCE_BYTES + TAG_BYTES

/** A new data key, by chance. */
export function newDataKey(): DataKey {
  return { keyId: randomBytes(ID_BYTES).toString('hex'), key: randomBytes(KEY_BYTES) }
}

export function seal({ keyId, key }: DataKey, place: SealedPlace, value: Buffer): Buffer {
  const head = Buffer.concat([Buffer.of(VERSION), Buffer.from(keyId, 'hex')])
  return Buffer.concat([head, encrypt(derived(key, place), Buffer.concat([head, wordsOf(place)]), value)])
}

/** Id of the data key that sealed it. @throws SealingError `unknown-format` */
export function sealedWith(sealed: Buffer): string {
  if (sealed.length < SEALED_OVERHEAD_BYTES || sealed[0] !== VERSION) throw new SealingError('unknown-format')
  return sealed.toString('hex', 1, BODY_AT)
}

/** @throws SealingError */
export function unseal({ key, keyId }: DataKey, place: SealedPlace, sealed: Buffer): Buffer {
  if (sealedWith(sealed) !== keyId) throw new SealingError('not-authentic')
  const head = sealed.subarray(0, BODY_AT)
  return decrypt(derived(key, place), Buffer.concat([head, wordsOf(place)]), sealed.subarray(BODY_AT))
}

/** nonce | tag | ciphertext */
export function encrypt(key: Buffer, covered: Buffer, value: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(covered)
  const body = Buffer.concat([cipher.update(value), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), body])
}

/** @throws SealingError `not-authentic` */
export function decrypt(key: Buffer, covered: Buffer, bytes: Buffer): Buffer {
  try {
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    })
    decipher.setAAD(covered).setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()])
  } catch (cause) {
    throw new SealingError('not-authentic', { cause })
  }
}

/** One key for one place: what an order has sealed does not share a key with another order. */
function derived(key: Buffer, place: SealedPlace): Buffer {
  return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), wordsOf(place), KEY_BYTES))
}

/** As JSON, so that no two places have the same words. */
function wordsOf({ kind, userId, orderId }: SealedPlace): Buffer {
  return Buffer.from(JSON.stringify(['millrace sealed', VERSION, kind, userId, orderId ?? null]))
}
