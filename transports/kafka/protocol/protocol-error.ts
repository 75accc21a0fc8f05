/** Bytes that no message of the protocol has: cut short, left over, or a count that cannot be. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}
