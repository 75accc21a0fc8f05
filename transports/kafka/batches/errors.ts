/** What can be wrong with record batches. Who reads a partition knows its name and adds it. */

/**
 * - `format`: of another message format than 2.
 * - `checksum`: the bytes are not those that were written.
 * - `malformed`: the checksum is right, but a length or count cannot be; or the batches are out of order.
 * - `codec`: compressed in a way that is not known here.
 * - `too-large`: it inflates to more than was allowed.
 * - `incomplete`: it is larger than all the bytes there are, which brokers do not let happen.
 */
export type BatchFault = 'format' | 'checksum' | 'malformed' | 'codec' | 'too-large' | 'incomplete'

export class BatchError extends Error {
  override readonly name = 'BatchError'
  readonly fault: BatchFault
  /** The batch's base offset, as far as that can be believed. */
  readonly offset: number

  constructor(fault: BatchFault, offset: number, detail: string, options?: { cause?: unknown }) {
    super(`The batch at offset ${offset}: ${detail}`, options)
    this.fault = fault
    this.offset = offset
  }
}

/** Compressed bytes that inflate to more than was allowed. */
export class BatchTooLarge extends Error {
  override readonly name = 'BatchTooLarge'

  constructor(codec: string, maxBytes: number, options?: { cause?: unknown }) {
    super(`${codec} inflates to more than ${maxBytes} bytes`, options)
  }
}

/** Compressed bytes that no compressor made. */
export class CompressedDataCorrupt extends Error {
  override readonly name = 'CompressedDataCorrupt'

  constructor(codec: string, detail: string, options?: { cause?: unknown }) {
    super(`${codec}: ${detail}`, options)
  }
}

/** A codec's number that Kafka has not given to any. */
export class UnknownCodec extends Error {
  override readonly name = 'UnknownCodec'

  constructor(codec: number) {
    super(`There is no codec ${codec}`)
  }
}
