/**
 * What a member asks its group's coordinator, and for how long that has said nothing.
 *
 * Its job: one try of each request, with pauses that grow while there is no answer; heartbeats beside whatever else the
 * member does. Not its job: what an answer means for the member (`membership.ts`).
 */
import { type Clock, reactionOf } from '../../../streams/index.ts'
import { isClusterError } from '../errors.ts'
import { needsCoordinator } from '../protocol/errors.ts'
import { heartbeat } from '../protocol/groups.ts'
import type { KafkaRequest } from '../protocol/request.ts'
import type { GroupMember, OutcomeAnswer } from '../protocol/transactions.ts'

/** Milliseconds between tries while the coordinator cannot be reached. */
const RETRY_MS = { first: 50, most: 1_000 }

export interface CoordinatorOptions {
  readonly clock: Clock
  /** After so much silence the group goes on without the member. Milliseconds. */
  readonly sessionTimeoutMs: number
  /** Milliseconds between heartbeats. */
  readonly heartbeatMs: number
  /** Sends to the group's coordinator; throws when it cannot be reached. */
  readonly send: <R>(request: KafkaRequest<R>) => Promise<R>
  /** The coordinator has moved, or is gone. */
  readonly forget: () => void
  /** So many milliseconds, or until somebody has something to say. */
  readonly pause: (ms: number) => Promise<void>
  /** It has said nothing for a session. Said again with each further request. */
  readonly onSilence: () => void
}

export class GroupCoordinator {
  readonly #options: CoordinatorOptions
  /** Requests in a row that had no answer. */
  #failures = 0
  /** Monotonic time of the last answer. */
  #heardAt = 0
  #closed = false

  constructor(options: CoordinatorOptions) {
    this.#options = options
  }

  /** The answer, or nothing when the coordinator could not be asked; then some time has passed. Throws what stays so. */
  async ask<R extends { readonly errorCode: number }>(request: KafkaRequest<R>): Promise<R | undefined> {
    try {
      const answer = await this.#options.send(request)
      this.#failures = 0
      this.#heard(answer.errorCode)
      return answer
    } catch (error) {
      if (this.#closed) return undefined
      this.#checkSilence()
      this.#options.forget()
      await this.pauseForRetry(this.#failures++)
      if (isForGood(error)) throw error
      return undefined
    }
  }

  pauseForRetry(failures = 0): Promise<void> {
    return this.#options.pause(Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** failures))
  }

  /** A connection may carry nothing any more without an end: after a session's time the coordinator is asked anew. */
  heartbeat(member: GroupMember): KafkaRequest<OutcomeAnswer> {
    return { ...heartbeat(member), timeoutMs: this.#options.sessionTimeoutMs }
  }

  /**
   * Sends heartbeats as `member` until `work` is done, so that work which takes longer than a session does not end it.
   * What they say is left to the requests that follow: those are told the same.
   */
  async whileAlive<T>(member: GroupMember, work: Promise<T>): Promise<T> {
    const { clock, heartbeatMs } = this.#options
    let over = false
    let cancel = (): void => {}
    const next = (): void => {
      cancel = clock.after(heartbeatMs, () => {
        void this.#beat(member).then(() => {
          if (!over && !this.#closed) next()
        })
      })
    }
    next()
    try {
      return await work
    } finally {
      over = true
      cancel()
    }
  }

  async #beat(member: GroupMember): Promise<void> {
    const { send, forget } = this.#options
    try {
      const { errorCode } = await send(this.heartbeat(member))
      this.#heard(errorCode)
      if (needsCoordinator(errorCode)) forget()
    } catch {
      if (this.#closed) return
      this.#checkSilence()
      forget()
    }
  }

  /** Nothing is sent by itself any more. */
  close(): void {
    this.#closed = true
  }

  #heard(errorCode: number): void {
    if (needsCoordinator(errorCode)) this.#checkSilence()
    else this.#heardAt = this.#options.clock.monotonic()
  }

  #checkSilence(): void {
    const { clock, sessionTimeoutMs, onSilence } = this.#options
    if (clock.monotonic() - this.#heardAt >= sessionTimeoutMs) onSilence()
  }
}

/** Asking again is no help: the login is refused, or the group is not ours to ask. */
function isForGood(error: unknown): boolean {
  return reactionOf(error) === 'stop' || isClusterError(error, 'ACCESS_DENIED')
}
