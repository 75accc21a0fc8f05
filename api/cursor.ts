/**
 * Cursors of lists: where the next page begins, sealed with an HMAC over the list it belongs to, so that a cursor that
 * was made up, or taken from another list, is refused.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { ApiError } from './errors.ts'

const SEAL_BYTES = 16
const MAX_CHARS = 2_048

export class Cursors {
  readonly #secret: Buffer

  /** @param secret the same on every process that serves the lists, else a cursor ends with its process */
  constructor(secret: Buffer) {
    this.#secret = secret
  }

  /** @param list names the list, with everything that its order depends on */
  seal(list: readonly string[], after: string): string {
    return `${Buffer.from(after, 'utf8').toString('base64url')}.${this.#seal(list, after).toString('base64url')}`
  }

  /** @throws ApiError `INVALID_CURSOR` */
  open(list: readonly string[], cursor: string): string {
    const [text, seal, ...more] = cursor.length > MAX_CHARS ? [] : cursor.split('.')
    if (text === undefined || seal === undefined || more.length > 0) throw invalid()
    const after = Buffer.from(text, 'base64url').toString('utf8')
    const given = Buffer.from(seal, 'base64url')
    if (given.length !== SEAL_BYTES || !timingSafeEqual(given, this.#seal(list, after))) throw invalid()
    return after
  }

  #seal(list: readonly string[], after: string): Buffer {
    const whole = createHmac('sha256', this.#secret)
      .update(JSON.stringify([...list, after]))
      .digest()
    return whole.subarray(0, SEAL_BYTES)
  }
}

function invalid(): ApiError {
  const detail = 'Use the cursor of the page before, with the same path, or begin without one.'
  return new ApiError('INVALID_CURSOR', detail, {
    errors: [{ path: 'query.cursor', message: 'is not valid' }],
  })
}
