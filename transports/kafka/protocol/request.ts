/**
 * What every request of the protocol is to a connection: a key, a version, the bytes to send, and how the answer is
 * read.
 *
 * Not its job: framing, the rest of the header (correlation id, client id), sending, timing out.
 */
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

/** One request of the Kafka protocol and how its answer is read. */
export interface KafkaRequest<R> {
  readonly apiKey: number
  readonly apiName: string
  readonly apiVersion: number
  /** Milliseconds the broker may take at most before the connection counts as dead; absent: the connection's default. */
  readonly timeoutMs?: number
  /** The body. It begins with the empty tag section that ends the header of a flexible version. */
  encode(): Buffer
  /**
   * Reads what follows the correlation id. Throws `ProtocolError` when bytes are left or missing. Byte strings in the
   * answer are views of `response`.
   */
  decode(response: Buffer): R
}

/** What most answers begin with: milliseconds for which the broker will not read from this connection. */
export interface Throttled {
  readonly throttleMs: number
}

export interface RequestShape<R> {
  readonly apiKey: number
  readonly apiName: string
  readonly apiVersion: number
  readonly timeoutMs?: number
  /** About how many bytes the body takes. */
  readonly capacity?: number
  /** Writes the fields between the two tag sections of header and body. */
  write(into: Writer): void
  /** Reads the fields between the two tag sections of header and body. */
  read(from: Reader): R
}

/** A request of a flexible version whose tag sections, on both ways, hold nothing that is wanted. */
export function flexible<R>(shape: RequestShape<R>): KafkaRequest<R> {
  const { apiKey, apiName, apiVersion, timeoutMs } = shape
  return {
    apiKey,
    apiName,
    apiVersion,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    encode() {
      const into = new Writer(shape.capacity)
      into.noTags()
      shape.write(into)
      return into.noTags().finish()
    },
    decode(response) {
      const from = new Reader(response, `${apiName} v${apiVersion}`)
      from.tags()
      const answer = shape.read(from)
      from.tags()
      from.end()
      return answer
    },
  }
}
