/** Every limit of the API, by name and unit, in one object. */

export interface ApiLimits {
  /** Larger bodies get 413. */
  readonly bodyBytes: number
  /** Longer URLs get 414. */
  readonly urlChars: number
  /** All headers and the URL together; more get 431. */
  readonly headerBytes: number
  /** A client that has not sent its headers by then gets 408. */
  readonly headersTimeoutMs: number
  /** A client that has not sent its whole request by then gets 408; an answer not made by then, beyond `wait`, is 503. */
  readonly requestTimeoutMs: number
  /** An idle connection is closed after this. */
  readonly keepAliveTimeoutMs: number
  /** On more connections than this, requests get 503 and the connection is closed. */
  readonly sockets: number
  /** Connections beyond `sockets` that are still answered; further ones are dropped without a word. */
  readonly refusedSockets: number
  /** Requests in work at once that do not wait; more get 503. */
  readonly concurrentRequests: number
  /** Requests with `wait` and commands that wait for their outcome, at once; more get 503. */
  readonly waitingRequests: number
  /** Streams of events at once; more get 503. Fewer than `peerRequests`. */
  readonly eventStreams: number
  /** A stream on which nothing happens says that it lives this often. */
  readonly eventHeartbeatMs: number
  /** A reader that does not take what was sent by then is cut off; it can resume. */
  readonly eventStallMs: number
  /** Tokens that a client's bucket gains per second. */
  readonly clientRequestsPerSecond: number
  /** Tokens that a client's bucket holds. */
  readonly clientBurst: number
  /** Clients whose buckets are remembered; the longest unseen is forgotten first. */
  readonly clients: number
  /** Longest `wait`. */
  readonly waitMs: number
  /** `wait` of a request without ticket that does not say one. */
  readonly ticketlessWaitMs: number
  /** How long a command (PUT, pause, resume, close) waits for its outcome. */
  readonly commandWaitMs: number
  /** How long a redrive goes on and waits for what it sent, per call. */
  readonly redriveWaitMs: number
  /** Lists: items of a page that does not say a limit, and the most it may say. */
  readonly defaultPageItems: number
  readonly maxPageItems: number
  /** Boards: entries of a board that does not say a limit; the most is `maxPageItems`. */
  readonly defaultBoardEntries: number
  /** Lines of an NDJSON batch that are not blank. */
  readonly batchLines: number
  readonly batchLineBytes: number
  /** Faulty lines or fields that a problem document lists. */
  readonly listedErrors: number
  /** An event's own time may be this far ahead of the clock. */
  readonly eventAheadMs: number
  /** The door says CLOSED only this long after `closesAt`: its clock is not the log's. */
  readonly doorClockSkewMs: number
  /** Another process that cannot be connected to by then cannot be reached. */
  readonly peerConnectMs: number
  /** How long another process may take to answer, beyond the request's own `wait`. */
  readonly peerAnswerMs: number
  /** The same where an answer from a copy is at hand. */
  readonly peerCopyAfterMs: number
  /** Requests passed on to one other process at once; further ones are not. Fewer than `waitingRequests`. */
  readonly peerRequests: number
  /** Larger answers of other processes are refused. */
  readonly peerAnswerBytes: number
  /** Requests still in work this long after `close()` are cut off. */
  readonly closeGraceMs: number
}

export const defaultLimits: ApiLimits = Object.freeze({
  bodyBytes: 1_048_576,
  urlChars: 8_192,
  headerBytes: 32_768,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 10_000,
  keepAliveTimeoutMs: 20_000,
  sockets: 4_000,
  refusedSockets: 1_000,
  concurrentRequests: 2_000,
  waitingRequests: 1_000,
  eventStreams: 400,
  eventHeartbeatMs: 15_000,
  eventStallMs: 30_000,
  clientRequestsPerSecond: 10_000,
  clientBurst: 20_000,
  clients: 10_000,
  waitMs: 30_000,
  ticketlessWaitMs: 5_000,
  commandWaitMs: 5_000,
  redriveWaitMs: 20_000,
  defaultPageItems: 100,
  maxPageItems: 1_000,
  defaultBoardEntries: 10,
  batchLines: 10_000,
  batchLineBytes: 262_144,
  listedErrors: 20,
  eventAheadMs: 3_600_000,
  doorClockSkewMs: 1_000,
  peerConnectMs: 1_000,
  peerAnswerMs: 5_000,
  peerCopyAfterMs: 1_000,
  peerRequests: 500,
  peerAnswerBytes: 4_194_304,
  closeGraceMs: 10_000,
})

/** The defaults with what the caller sets. @throws RangeError for a limit that is not a positive integer */
export function withDefaults(limits: Partial<ApiLimits> = {}): ApiLimits {
  const all = { ...defaultLimits, ...limits }
  for (const [name, value] of Object.entries(all)) {
    if (!Object.hasOwn(defaultLimits, name)) throw new RangeError(`there is no limit ${name}`)
    const zeroIsFine = name === 'doorClockSkewMs' || name === 'refusedSockets'
    if (!Number.isSafeInteger(value) || value < (zeroIsFine ? 0 : 1)) {
      throw new RangeError(`limit ${name} must be a positive integer, not ${String(value)}`)
    }
  }
  if (all.headersTimeoutMs > all.requestTimeoutMs) {
    throw new RangeError(
      'limit headersTimeoutMs must not be above requestTimeoutMs: the headers are part of the request',
    )
  }
  return Object.freeze(all)
}
