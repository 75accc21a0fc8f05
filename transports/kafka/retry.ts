/** Tries again what may be done more than once, for as long as the cluster says or shows that it is busy changing. */
import { setTimeout as sleep } from 'node:timers/promises'
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
}

/** `attempt` must be harmless to repeat: it is also repeated when nobody knows whether it was carried out. */
export async function withRetries<T>(attempt: () => Promise<T>, { timeoutMs, signal }: Patience): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)) {
    if (signal.aborted) throw closed()
    try {
      return await attempt()
    } catch (error) {
      if (!isTransient(error) || performance.now() + pauseMs > deadline) throw error
    }
    await pause(pauseMs * (1 - Math.random() * JITTER), signal)
  }
}

/** Throws `CONNECTION_FAILED` when `signal` ends it. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal })
  } catch {
    throw closed()
  }
}

/** Trying again may help. */
export function isTransient(error: unknown): boolean {
  if (isClusterError(error)) return error.reaction === 'retry' || error.reaction === 'restore'
  return isKafkaError(error) && retriable(error.code)
}

function closed(): ClusterError {
  return new ClusterError('CONNECTION_FAILED', 'closed by this side')
}
