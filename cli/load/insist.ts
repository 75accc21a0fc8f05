/** Calls that must get through: what is only for the moment is tried again, the rest is said. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Reply } from './client.ts'

const MAX_TRIES = 20
const DEFAULT_RETRY_MS = 200

/** The reply once it is neither 429 nor 503. Rejects where it stays so, when the shop is gone, and with `signal`. */
export async function insist(call: () => Promise<Reply>, signal: AbortSignal): Promise<Reply> {
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted()
    const reply = await call()
    if (reply.status !== 429 && reply.status !== 503) return reply
    if (tries >= MAX_TRIES) throw refusal('the shop is busy', reply)
    await sleep(reply.retryAfterMs ?? DEFAULT_RETRY_MS, undefined, { signal })
  }
}

/** As `insist`; throws for every reply that is not 2xx. */
export async function mustDo(what: string, call: () => Promise<Reply>, signal: AbortSignal): Promise<Reply> {
  const reply = await insist(call, signal)
  if (reply.status < 300) return reply
  throw refusal(`the shop refused ${what}`, reply)
}

export function codeOf({ status, body }: Reply): string {
  const { code } = body
  return typeof code === 'string' ? code : String(status)
}

function refusal(what: string, { status, body }: Reply): Error {
  const { code = '', detail = '', errors } = body
  const more = errors === undefined ? '' : JSON.stringify(errors)
  return new Error(`${what}: ${[status, code, detail, more].map(String).join(' ')}`.trimEnd())
}

/** Does something with each, `concurrency` at a time. Rejects with the first failure, and when `signal` fires. */
export async function inParallel<T>(
  items: readonly T[],
  concurrency: number,
  signal: AbortSignal,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker))

  async function worker(): Promise<void> {
    while (next < items.length) {
      signal.throwIfAborted()
      const index = next++
      await work(items[index] as T, index)
    }
  }
}
