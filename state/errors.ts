/**
 * The closed table of what can go wrong with stored state and who must react. The reactions are those of the
 * engine's own table:
 *
 * - `stop`: the process cannot go on safely.
 * - `drop-task`: this task stops; its state is rebuilt from the changelog, or an operator decides.
 * - `restore`: the task's uncommitted work is dropped and it goes on from its last commit.
 */
export type StateReaction = 'restore' | 'drop-task' | 'stop'

const table = {
  STATE_CORRUPT: { reaction: 'drop-task', message: 'Stored state is damaged' },
  STATE_LOCKED: { reaction: 'stop', message: 'Another process uses the state directory' },
  STATE_INCOMPATIBLE: { reaction: 'stop', message: 'The stored state is not for this program' },
  STATE_MISSING: { reaction: 'stop', message: 'The state directory has lost its database' },
  STATE_IO: { reaction: 'restore', message: 'The state could not be read or written' },
} as const satisfies Record<string, { reaction: StateReaction; message: string }>

export type StateErrorCode = keyof typeof table

export const stateErrorTable: Readonly<Record<StateErrorCode, { reaction: StateReaction; message: string }>> =
  table

/** The one error class of the stores. `code` is stable; `detail` says what exactly, for people. */
export class StateError extends Error {
  override readonly name = 'StateError'
  readonly code: StateErrorCode
  readonly detail: string

  constructor(code: StateErrorCode, detail: string, options?: { cause?: unknown }) {
    super(`${table[code].message}: ${detail}`, options)
    this.code = code
    this.detail = detail
  }

  get reaction(): StateReaction {
    return table[this.code].reaction
  }
}

export function isStateError(error: unknown, code?: StateErrorCode): error is StateError {
  return error instanceof StateError && (code === undefined || error.code === code)
}
