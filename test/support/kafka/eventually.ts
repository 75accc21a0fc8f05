/** Waits for what must come in time: an event, or, for what gives none, a question asked again and again. */
import { setTimeout as delay } from 'node:timers/promises'

const TIMEOUT_MS = 30_000
const POLL_INTERVAL_MS = 50

export interface EventuallyOptions {
  readonly timeoutMs?: number
  /** What is waited for, for the error; or a look at how far it has come. */
  readonly describe?: string | (() => unknown)
}

type Found<T> = Exclude<T, undefined | null | false>

/** The first answer that is neither undefined, null nor false. An exception means "not yet"; the last is the cause. */
export async function eventually<T>(
  condition: () => Promise<T> | T,
  { timeoutMs = TIMEOUT_MS, describe = 'the condition' }: EventuallyOptions = {},
): Promise<Found<T>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    let failure: unknown
    try {
      const answer = await condition()
      if (answer !== undefined && answer !== null && answer !== false) return answer as Found<T>
    } catch (error) {
      failure = error
    }
    if (performance.now() > deadline) {
      const what = typeof describe === 'string' ? describe : JSON.stringify(await describe())
      throw new Error(`not in ${timeoutMs} ms: ${what}`, { cause: failure })
    }
    await delay(POLL_INTERVAL_MS)
  }
}

/** The same, unless it takes longer. */
export async function within<T>(ms: number, what: string, awaited: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not in ${ms} ms: ${what}`)), ms)
  })
  try {
    return await Promise.race([awaited, late])
  } finally {
    clearTimeout(timer)
  }
}
