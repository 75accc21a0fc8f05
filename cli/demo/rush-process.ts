/** The rush of the demo, in a process of its own: load that shares a core with the server would measure itself. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { RushReport } from '../load/report.ts'
import { commandFile } from '../package-root.ts'

export interface RushOptions {
  readonly url: string
  readonly couponId: string
  readonly users: number
  readonly quota: number
  readonly rate: number
  /** Requests beforehand that are not counted. */
  readonly warmup: number
}

/** Runs `millrace load coupons`; its progress bar shows on stderr. Rejects when it gives no report. */
export async function runRush(options: RushOptions, signal: AbortSignal): Promise<RushReport> {
  const flags = ['url', 'users', 'quota', 'rate', 'warmup'] as const
  const args = flags.flatMap((flag) => [`--${flag}`, String(options[flag])])
  const child = spawn(
    process.execPath,
    [commandFile(), 'load', 'coupons', '--json', '--no-verdicts', '--coupon', options.couponId, ...args],
    { stdio: ['ignore', 'pipe', 'inherit'], signal },
  )
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  try {
    return JSON.parse(output) as RushReport
  } catch (cause) {
    throw new Error(`the rush ended without a report (exit code ${String(code)})`, { cause })
  }
}
