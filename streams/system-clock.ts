import type { Clock } from './clock.ts'

/** The machine's clocks: the only place of this room that reads them. */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms: number, run: () => void) {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
  yield: () => new Promise<void>((resolve) => setImmediate(resolve)),
})
