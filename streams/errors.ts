/**
 * The closed table of what can go wrong in the engine and who must react.
 *
 * - `continue`: counted and passed over.
 * - `retry`: the same call may succeed later.
 * - `restore`: the task's uncommitted work is dropped and it goes on from its last commit.
 * - `drop-task`: this task stops; the others go on.
 * - `stop`: the process cannot go on safely.
 */
import { isStateError } from '../state/index.ts'

export type Reaction = 'continue' | 'retry' | 'restore' | 'drop-task' | 'stop'

const table = {
  TOPOLOGY_INVALID: { reaction: 'stop', message: 'The topology is not valid' },
  TOPOLOGY_RUNNING: { reaction: 'stop', message: 'The topology is running' },
  TOPIC_MISMATCH: { reaction: 'stop', message: 'A topic exists with other settings' },
  UNKNOWN_TOPIC: { reaction: 'stop', message: 'The topic does not exist' },
  UNKNOWN_STORE: { reaction: 'stop', message: 'The topology has no such store' },
  LOG_CORRUPT: { reaction: 'stop', message: 'The log is damaged' },
  LOG_RECORD_CORRUPT: { reaction: 'drop-task', message: 'A record of the log is damaged' },
  LOG_BUSY: { reaction: 'retry', message: 'The log has more waiting than it takes' },
  LOG_FULL: { reaction: 'retry', message: 'The log has reached its disk limit' },
  LOG_CLOSED: { reaction: 'stop', message: 'The log is closed' },
  LOG_WRITE_FAILED: { reaction: 'restore', message: 'The log could not write' },
  APPEND_UNKNOWN: { reaction: 'retry', message: 'The outcome of the append is not known' },
  RECORD_TOO_LARGE: { reaction: 'continue', message: 'The record is larger than the log takes' },
  OFFSET_OUT_OF_RANGE: { reaction: 'drop-task', message: 'The position is outside the partition' },
  COMMIT_FENCED: { reaction: 'drop-task', message: 'The assignment is no longer current' },
  COMMIT_UNKNOWN: { reaction: 'restore', message: 'The outcome of the commit is not known' },
  DESERIALIZATION_FAILED: { reaction: 'drop-task', message: 'A record could not be decoded' },
  PROCESSING_FAILED: { reaction: 'drop-task', message: 'A processor threw' },
  PROCESSING_TIMEOUT: { reaction: 'restore', message: 'A processor did not come back' },
  ILLEGAL_TRANSITION: { reaction: 'stop', message: 'A lifecycle has no such step' },
  TASK_NOT_HERE: { reaction: 'retry', message: 'The task that owns the key does not run here' },
  RESTORE_STALLED: { reaction: 'restore', message: 'A restore makes no progress' },
  RESET_REQUIRED: { reaction: 'drop-task', message: 'Positions and state no longer fit the topics' },
} as const satisfies Record<string, { reaction: Reaction; message: string }>

export type StreamsErrorCode = keyof typeof table

export const streamsErrorTable: Readonly<Record<StreamsErrorCode, { reaction: Reaction; message: string }>> =
  table

/** The one error class of the engine. `code` is stable; `detail` says what exactly, for people. */
export class StreamsError extends Error {
  override readonly name = 'StreamsError'
  readonly code: StreamsErrorCode
  readonly detail: string

  constructor(code: StreamsErrorCode, detail: string, options?: { cause?: unknown }) {
    super(`${table[code].message}: ${detail}`, options)
    this.code = code
    this.detail = detail
  }

  get reaction(): Reaction {
    return table[this.code].reaction
  }
}

/** `TASK_NOT_HERE`, with the address of the process that says it runs the task, where one does. */
export class TaskNotHere extends StreamsError {
  readonly address: string | undefined

  constructor(detail: string, address: string | undefined) {
    super('TASK_NOT_HERE', detail)
    this.address = address
  }
}

export function isStreamsError(error: unknown, code?: StreamsErrorCode): error is StreamsError {
  return error instanceof StreamsError && (code === undefined || error.code === code)
}

/** A task that stopped so has committed rows that are in doubt, or another's by now. */
const STATE_IN_DOUBT: ReadonlySet<string> = new Set<StreamsErrorCode>([
  'COMMIT_FENCED',
  'LOG_CORRUPT',
  'RESET_REQUIRED',
])

/**
 * Whether the committed rows of a task that stopped may still be read: what stopped it is its input, its code or its
 * rights, and it does not come back by itself.
 */
export function leavesStateReadable(error: Error): boolean {
  if (isStateError(error) || (isStreamsError(error) && STATE_IN_DOUBT.has(error.code))) return false
  const reaction = reactionOf(error)
  return reaction === 'drop-task' || reaction === 'stop'
}

/** Who must react to any error: the table's answer, that of an error of another room with a `reaction`, or the task. */
export function reactionOf(error: unknown): Reaction {
  if (isStreamsError(error)) return error.reaction
  if (error instanceof Error && 'reaction' in error) return error.reaction as Reaction
  return 'drop-task'
}

/** Whatever was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
