/** Errors as the user sees them: one line each on stderr, and the exit code. */
import { CommanderError } from 'commander'
import { ApiOptionsError } from '../api/index.ts'
import { ConfigError } from '../config/index.ts'
import { ProfileError } from '../connectors/index.ts'
import { isStateError } from '../state/index.ts'
import { isStreamsError } from '../streams/index.ts'
import { Interrupted } from './context.ts'
import { CheckError, DirectoryError, exitCodes, InputError, UsageError } from './errors.ts'
import type { Output } from './output.ts'
import { WorkerFailure } from './workers/worker-pool.ts'

/** Signal numbers, as shells add them to 128. */
const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const

/** Says what is wrong and answers the exit code. */
export function reportError(error: unknown, output: Output): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  const interrupted = interruptionIn(error)
  if (interrupted !== undefined) {
    output.say(`${output.paint('yellow', 'millrace:')} ${interrupted.message}`)
    return 128 + SIGNALS[interrupted.signal]
  }
  for (const line of linesOf(error)) output.say(`${output.paint('red', 'millrace:')} ${line}`)
  return exitCodeOf(error)
}

/** Waits that a signal ends throw an `AbortError` of the platform's around our reason. */
function interruptionIn(error: unknown): Interrupted | undefined {
  if (error instanceof Interrupted) return error
  return error instanceof Error && error.name === 'AbortError' ? interruptionIn(error.cause) : undefined
}

function exitCodeOf(error: unknown): number {
  // The first is why it ended; the others came on the way out.
  if (error instanceof AggregateError && error.errors.length > 0) return exitCodeOf(error.errors[0])
  if (error instanceof ConfigError || error instanceof UsageError || error instanceof InputError)
    return exitCodes.usage
  if (error instanceof ProfileError) return exitCodes.usage
  if (error instanceof ApiOptionsError || isStreamsError(error, 'TOPIC_MISMATCH')) return exitCodes.usage
  if (error instanceof WorkerFailure) return error.inVain ? error.exitCode : exitCodes.failure
  if (error instanceof CheckError) return exitCodes.checkFailed
  if (error instanceof DirectoryError || isDirectoryTrouble(error)) return exitCodes.directory
  return exitCodes.failure
}

function isDirectoryTrouble(error: unknown): boolean {
  const codes = ['STATE_LOCKED', 'STATE_INCOMPATIBLE', 'STATE_MISSING'] as const
  const inUse = ['RESET_REQUIRED', 'TOPOLOGY_RUNNING'] as const
  return codes.some((code) => isStateError(error, code)) || inUse.some((code) => isStreamsError(error, code))
}

function linesOf(error: unknown): readonly string[] {
  if (error instanceof ConfigError) {
    return error.problems.map(({ key, origin, message }) => `${key} (${origin}): ${message}`)
  }
  if (error instanceof ProfileError) return error.message.split('\n')
  if (error instanceof AggregateError) return [error.message, ...error.errors.flatMap(linesOf)]
  if (isStreamsError(error, 'TOPIC_MISMATCH')) {
    return [
      `${error.message}. Set topics.partitions or topics.overrides to what it has, or use another --data-dir or cluster.`,
    ]
  }
  if (isStreamsError(error, 'RESET_REQUIRED')) {
    return [
      `${error.message}. 'millrace reset <topology>' lets it begin anew; without --yes it says what goes.`,
    ]
  }
  if (isStreamsError(error, 'TOPOLOGY_RUNNING')) {
    return [
      `${error.message}. Stop them first; one that was killed counts until its session ends (kafka.sessionTimeoutMs).`,
    ]
  }
  if (isStateError(error, 'STATE_LOCKED')) {
    return [`${error.message}. End that process, or use another --data-dir.`]
  }
  if (error instanceof Error) return [withCauses(error)]
  return [String(error)]
}

function withCauses(error: Error): string {
  const { message, cause } = error
  if (!(cause instanceof Error) || message.includes(cause.message)) return portHint(error)
  return `${message} (${withCauses(cause)})`
}

function portHint(error: Error): string {
  if (!('code' in error) || error.code !== 'EADDRINUSE') return error.message
  return `${error.message}. Give another --port; 0 takes a free one.`
}
