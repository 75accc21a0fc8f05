/** Tries again what may be done more than once, for as long as the cluster says or shows that it is busy changing. */
import type { Clock } from '../../streams/index.ts'
import { ClusterError, isClusterError } from './errors.ts'
import { isKafkaError, retriable } from './protocol/errors.ts'

const FIRST_PAUSE_MS = 50
const LAST_PAUSE_MS = 1000
/** Processes that lost the same broker must not all come back at once: a pause is shorter by up to this share. */
const JITTER = 0.2

export interface Patience {
  /** After this, the last error is thrown. Milliseconds. */
  readonly timeoutMs: number
  /** Ends the pause, and with it the retries. */
  readonly signal: AbortSignal
  readonly clock: Clock
}

/** `attempt` must be harmless to repeat: it is also repeated when nobody knows whether it was carried out. */
export async function withRetries<T>(attempt: () => Promise<T>, patience: Patience): Promise<T> {
  const { timeoutMs, signal, clock } = patience
  const deadline = clock.monotonic() + timeoutMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)) {
    if (signal.aborted) throw closed()
    try {
      return await attempt()
    } catch (error) {
      if (!isTransient(error) || clock.monotonic() + pauseMs > deadline) throw error
    }
    await pause(pauseMs * (1 - chanceOf(clock) * JITTER), patience)
  }
}

/** Throws `CONNECTION_FAILED` when `signal` ends it. */
export function pause(milliseconds: number, { signal, clock }: Omit<Patience, 'timeoutMs'>): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(closed())
    const end = (): void => {
      cancel()
      reject(closed())
    }
    const cancel = clock.after(milliseconds, () => {
      signal.removeEventListener('abort', end)
      resolve()
    })
    signal.addEventListener('abort', end, { once: true })
  })
}

/** 0 to 1. What a clock says below a millisecond is as good as chance between processes. */
function chanceOf(clock: Clock): number {
  return (clock.monotonic() * 1000) % 1
}

/** Trying again may help. */
export function isTransient(error: unknown): boolean {
  if (isClusterError(error)) return error.reaction === 'retry' || error.reaction === 'restore'
  return isKafkaError(error) && retriable(error.code)
}

function closed(): ClusterError {
  return new ClusterError('CONNECTION_FAILED', 'closed by this side')
}
