/**
 * Lifecycles as unions with their transitions; a step that is not in the table throws.
 *
 * Task:    created → restoring → running → failed → closed, and from each to closed. A failed task that goes on from
 *          its last commit is a new one.
 * Standby: opening → following → failed → opening, and from each to closed.
 * Runner:  created → joining ⇄ running → stopping → stopped,  joining | running → failed → stopping
 */
import { StreamsError } from './errors.ts'

export type TaskPhase = 'created' | 'restoring' | 'running' | 'failed' | 'closed'
export type StandbyPhase = 'opening' | 'following' | 'failed' | 'closed'
export type RunnerState = 'created' | 'joining' | 'running' | 'failed' | 'stopping' | 'stopped'

const taskSteps: Readonly<Record<TaskPhase, readonly TaskPhase[]>> = {
  created: ['restoring', 'closed'],
  restoring: ['running', 'failed', 'closed'],
  running: ['failed', 'closed'],
  failed: ['closed'],
  closed: [],
}

const standbySteps: Readonly<Record<StandbyPhase, readonly StandbyPhase[]>> = {
  opening: ['following', 'failed', 'closed'],
  following: ['failed', 'closed'],
  failed: ['opening', 'closed'],
  closed: [],
}

const runnerSteps: Readonly<Record<RunnerState, readonly RunnerState[]>> = {
  created: ['joining', 'stopping'],
  joining: ['running', 'failed', 'stopping'],
  running: ['joining', 'failed', 'stopping'],
  failed: ['stopping'],
  stopping: ['stopped'],
  stopped: [],
}

/** Holds a state and allows only the steps of its table. */
export class Lifecycle<S extends string> {
  readonly #steps: Readonly<Record<S, readonly S[]>>
  readonly #what: string
  readonly #onChange: (from: S, to: S) => void
  #state: S

  constructor(
    what: string,
    initial: S,
    steps: Readonly<Record<S, readonly S[]>>,
    onChange: (from: S, to: S) => void,
  ) {
    this.#what = what
    this.#state = initial
    this.#steps = steps
    this.#onChange = onChange
  }

  get state(): S {
    return this.#state
  }

  /** Throws `ILLEGAL_TRANSITION` for a step that the table does not have. */
  to(next: S): void {
    const from = this.#state
    if (!this.#steps[from].includes(next)) {
      throw new StreamsError('ILLEGAL_TRANSITION', `${this.#what}: ${from} to ${next}`)
    }
    this.#state = next
    this.#onChange(from, next)
  }
}

export function taskLifecycle(
  name: string,
  onChange: (from: TaskPhase, to: TaskPhase) => void,
): Lifecycle<TaskPhase> {
  return new Lifecycle(`task ${name}`, 'created', taskSteps, onChange)
}

export function standbyLifecycle(
  name: string,
  onChange: (from: StandbyPhase, to: StandbyPhase) => void,
): Lifecycle<StandbyPhase> {
  return new Lifecycle(`standby of ${name}`, 'opening', standbySteps, onChange)
}

export function runnerLifecycle(
  name: string,
  onChange: (from: RunnerState, to: RunnerState) => void,
): Lifecycle<RunnerState> {
  return new Lifecycle(`topology ${name}`, 'created', runnerSteps, onChange)
}
