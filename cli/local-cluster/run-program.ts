/** Runs a program to its end and answers what it printed. */
import { execFile } from 'node:child_process'
import { LocalClusterError } from './errors.ts'

/** Bytes of output kept; a dump of a log's segments is the largest. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024
/** Characters of what a program said that an error repeats. */
const TAIL_CHARS = 2_000

export interface RunOptions {
  readonly cwd?: string | undefined
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  readonly timeoutMs: number
  /** Ends the program. */
  readonly signal?: AbortSignal | undefined
}

export interface Printed {
  readonly stdout: string
  readonly stderr: string
}

/** Rejects with a `LocalClusterError` and the end of what it said; with the signal's reason once that is aborted. */
export function runProgram(
  program: string,
  args: readonly string[],
  { cwd, env, timeoutMs, signal }: RunOptions,
): Promise<Printed> {
  const options = { cwd, env, timeout: timeoutMs, signal, maxBuffer: MAX_OUTPUT_BYTES }
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { ...options, encoding: 'utf8' }, (error, stdout, stderr) => {
      if (signal?.aborted === true) reject(signal.reason)
      else if (error === null) resolve({ stdout, stderr })
      else reject(failure(program, error, timeoutMs, `${stdout}${stderr}`))
    })
    child.stdin?.end()
  })
}

interface ExecError extends Error {
  readonly code?: string | number | null
  readonly killed?: boolean
}

function failure(program: string, error: ExecError, timeoutMs: number, said: string): LocalClusterError {
  if (error.code === 'ENOENT') return new LocalClusterError(`there is no ${program}`, { cause: error })
  const how = error.killed === true ? `was not done after ${timeoutMs} ms` : `failed with ${error.code}`
  return new LocalClusterError(`${program} ${how}:\n${said.trim().slice(-TAIL_CHARS)}`)
}
