/**
 * An open-loop rush on one coupon.
 *
 * Its job: send each request when it is due, whatever became of those before, and note what came back. A latency counts
 * from when the request was due, so a stall of the server (or of this process) shows in full, not only in the requests
 * that happened to be on their way. Not its job: judging the outcome (`verdicts.ts`).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { build, type Histogram } from 'hdr-histogram-js'
import type { Reply, ShopClient } from './client.ts'
import type { RushPlan } from './plan.ts'

/** Requests that are due and not answered; beyond, the server is so far behind that going on says nothing more. */
const MAX_OUTSTANDING = 50_000
/** Tries of one request that gets 429 or 503. */
const MAX_TRIES = 10
const DEFAULT_RETRY_MS = 200
/** Pause between two looks at what is due. */
const TICK_MS = 1
const WAIT = '10s'
const MICROSECONDS_PER_MS = 1000
const HISTOGRAM_LIMIT_MICROSECONDS = 3_600_000_000

export interface Verdict {
  readonly status: string
  readonly reason: string | undefined
  readonly sequence: number | undefined
}

export interface RushResult {
  /** `partition.offset` of each accepted request, by its index in the plan. */
  readonly tickets: readonly (string | undefined)[]
  /** Verdicts that are known already. */
  readonly verdicts: Map<number, Verdict>
  /** Microseconds from due to 202. */
  readonly accepted: Histogram
  /** Microseconds from due to the verdict, of the requests that were followed. */
  readonly decided: Histogram
  /** Tries after a 429 or 503. */
  readonly retries: number
  /** Requests that were never accepted, by what came last: a status, or `error`. */
  readonly refused: ReadonlyMap<string, number>
  readonly seconds: number
}

export interface RushTarget {
  readonly client: ShopClient
  readonly couponId: string
  /** Begins every requestId. */
  readonly runId: string
}

export function requestIdOf(runId: string, index: number): string {
  return `${runId}-${index}`
}

export function requestPath({ couponId, runId }: RushTarget, index: number): string {
  return `/v1/coupons/${couponId}/requests/${requestIdOf(runId, index)}`
}

/** Rejects when `signal` fires and when the server falls hopelessly behind. */
export async function rush(
  target: RushTarget,
  plan: RushPlan,
  signal: AbortSignal,
  onProgress: (answered: number) => void,
): Promise<RushResult> {
  const tickets: (string | undefined)[] = Array.from({ length: plan.requests })
  const verdicts = new Map<number, Verdict>()
  const refused = new Map<string, number>()
  const accepted = newHistogram()
  const decided = newHistogram()
  let outstanding = 0
  let answered = 0
  let retries = 0
  const startedAt = performance.now()
  const running = new Set<Promise<void>>()

  for (let next = 0; next < plan.requests; ) {
    signal.throwIfAborted()
    const elapsed = performance.now() - startedAt
    while (next < plan.requests && (plan.dueMs[next] as number) <= elapsed) start(next++)
    if (outstanding > MAX_OUTSTANDING) {
      throw new Error(`${outstanding} requests wait for an answer; ask for a lower --rate`)
    }
    await sleep(TICK_MS)
  }
  await Promise.all(running)
  return {
    tickets,
    verdicts,
    accepted,
    decided,
    retries,
    refused,
    seconds: (performance.now() - startedAt) / 1000,
  }

  function start(index: number): void {
    outstanding++
    const one = handle(index).finally(() => {
      outstanding--
      running.delete(one)
    })
    running.add(one)
  }

  async function handle(index: number): Promise<void> {
    const ticket = await ask(index)
    onProgress(++answered)
    if (ticket === undefined) return
    tickets[index] = ticket
    if (plan.followed[index] !== 1) return
    const verdict = await verdictOf(target, index, ticket)
    if (verdict === undefined) return
    note(decided, index)
    verdicts.set(index, verdict)
  }

  /** The ticket of a request that was taken in the end. */
  async function ask(index: number): Promise<string | undefined> {
    const body = { userId: `user-${plan.user[index]}`, requestId: requestIdOf(target.runId, index) }
    let last = 'error'
    for (let tries = 1; tries <= MAX_TRIES; tries++) {
      const reply = await target.client
        .post(`/v1/coupons/${target.couponId}/requests`, body)
        .catch(() => undefined)
      last = reply === undefined ? 'error' : String(reply.status)
      if (reply?.status === 202) {
        note(accepted, index)
        return ticketOf(reply)
      }
      if (reply !== undefined && reply.status !== 429 && reply.status !== 503) break
      retries++
      await sleep(reply?.retryAfterMs ?? DEFAULT_RETRY_MS, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) break
    }
    refused.set(last, (refused.get(last) ?? 0) + 1)
    return undefined
  }

  function note(histogram: Histogram, index: number): void {
    const ms = performance.now() - startedAt - (plan.dueMs[index] as number)
    histogram.recordValue(
      Math.min(HISTOGRAM_LIMIT_MICROSECONDS, Math.max(1, Math.round(ms * MICROSECONDS_PER_MS))),
    )
  }
}

/** The verdict on a request, waited for; nothing when there is none in time. */
export async function verdictOf(
  target: RushTarget,
  index: number,
  ticket: string,
): Promise<Verdict | undefined> {
  const path = `${requestPath(target, index)}?ticket=${ticket}&wait=${WAIT}`
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const reply = await target.client.wait(path).catch(() => undefined)
    const status = reply?.status === 200 ? reply.body['status'] : undefined
    if (reply !== undefined && (status === 'ISSUED' || status === 'REJECTED')) return verdictIn(status, reply)
    if (reply?.status !== 200) await sleep(reply?.retryAfterMs ?? DEFAULT_RETRY_MS)
  }
  return undefined
}

function verdictIn(status: string, { body }: Reply): Verdict {
  const { reason, sequence } = body
  return {
    status,
    reason: typeof reason === 'string' ? reason : undefined,
    sequence: typeof sequence === 'number' ? sequence : undefined,
  }
}

function ticketOf({ body }: Reply): string {
  const { partition, offset } = (body['ticket'] ?? {}) as { partition?: number; offset?: number }
  return `${partition}.${offset}`
}

function newHistogram(): Histogram {
  return build({ highestTrackableValue: HISTOGRAM_LIMIT_MICROSECONDS, numberOfSignificantValueDigits: 3 })
}
