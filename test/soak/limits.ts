/** How long a soak takes, and what counts as flat. */

const SHORT_S = 60

/** `SOAK_SECONDS`, which `run.ts` sets; else long enough to see that it works. */
export function soakSeconds(): number {
  return Number(process.env['SOAK_SECONDS'] ?? SHORT_S)
}

/** A process's own memory may grow by so much of itself in an hour: state grows, caches are bounded, garbage comes in waves. */
export const MEMORY_SHARE_PER_HOUR_MAX = 0.2
export const FILES_PER_HOUR_MAX = 20
