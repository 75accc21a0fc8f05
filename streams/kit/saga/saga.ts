/**
 * A saga as data: steps in order, each with its command, its answer, its undo, and how long it waits.
 *
 * Declares and checks only; `advance.ts` says what happens, `run-saga.ts` lets it happen.
 */

/** How often a command is sent, and how long is waited between. */
export interface RetryPolicy {
  /** Sendings in all, at least 1. */
  readonly attempts: number
  /** Wait before the second sending, milliseconds, at least 1. */
  readonly backoffMs: number
  /** By how much each wait is longer than the one before; 2 unless told. */
  readonly factor?: number
  /** The longest wait, milliseconds; a minute unless told. */
  readonly maxBackoffMs?: number
  /** Part of a wait that chance takes off, 0 to 1; 0.2 unless told. Chance is a hash of saga, step and attempt. */
  readonly jitter?: number
}

/** How long a command waits for its answers. */
export interface Patience {
  /** Wait for the answers of one sending, milliseconds; null: no limit of its own. */
  readonly timeoutMs: number | null
  /** Sent once unless told. */
  readonly retry?: RetryPolicy
}

/** What an answer comes to. `again`: not now, so the command is sent once more after its backoff. */
export type Reading<D> =
  | { readonly outcome: 'done'; readonly data: D }
  | { readonly outcome: 'refused'; readonly reason: string; readonly data?: D }
  | { readonly outcome: 'again'; readonly reason: string }

export function done<D>(data: D): Reading<D> {
  return { outcome: 'done', data }
}
/** `data`: what the saga knows from now on; as before unless told. */
export function refused<D = never>(reason: string, data?: D): Reading<D> {
  return data === undefined ? { outcome: 'refused', reason } : { outcome: 'refused', reason, data }
}
export function again(reason: string): Reading<never> {
  return { outcome: 'again', reason }
}

/** Which command of a step is to be made. */
export interface Sending {
  readonly part: string
  /** Raised by an operator's retry: receivers take a command of a higher epoch as a new one. */
  readonly epoch: number
  /** 1 at the first sending. */
  readonly attempt: number
}

/** What is known of the command that is to be undone. SENT: it has no answer, and may have had its effect. */
export interface Undoing extends Sending {
  readonly did: 'SENT' | 'DONE' | 'REFUSED'
}

/** One step. `D` is what the saga knows, `C` a command, `A` and `U` the answers to command and undo. */
export interface Step<D, C, A, U> {
  /** One command and one answer each, all of which are waited for; none: the step is passed over. One unless told. */
  readonly parts?: (data: D) => readonly string[]
  /** Null: nothing is sent, but the answer is waited for. */
  readonly command: (data: D, sending: Sending) => C | null
  readonly answer: (data: D, answer: A, part: string) => Reading<D>
  /** Null: nothing to undo. A step without it has nothing to undo ever, and cannot be cancelled after the pivot. */
  readonly undo?: (data: D, undoing: Undoing) => C | null
  /** What an answer to the undo comes to; `done` unless told. */
  readonly undone?: (data: D, answer: U, part: string) => Reading<D>
  readonly patience: Patience
  /** Of the undo; `patience` unless told. */
  readonly undoPatience?: Patience
  /** What a refusal after the pivot leads to; `attention` unless told. Before the pivot all is undone. */
  readonly onRefusal?: 'attention' | 'undo'
  /**
   * What a refused undo leads to where a cancel wanted it; `attention` unless told. `resume`: the cancel came too late.
   * No step after it has an undo.
   */
  readonly onUndoRefusal?: 'attention' | 'resume'
}

// oxlint-disable-next-line typescript/no-explicit-any -- steps with differing answers in one object
export type AnyStep<D, C> = Step<D, C, any, any>
export type Steps<D, C> = Readonly<Record<string, AnyStep<D, C>>>

export interface Saga<D, C, S extends Steps<D, C> = Steps<D, C>> {
  readonly name: string
  /** In their order. */
  readonly steps: S
  /**
   * Until this step is done, a failure undoes what was done; after it the saga retries forward. `start`: forward from
   * the beginning. `none`: it can be undone until it ends.
   */
  readonly pivot: (keyof S & string) | 'start' | 'none'
  /** When the pivot must be done, epoch milliseconds; null: no such time. */
  readonly deadline?: (data: D) => number | null
  /** How long an ended saga is known, milliseconds; `Infinity`: for ever. */
  readonly keepMs: number
}

/** Answers that the steps of a saga take, as inputs of it. */
export type AnswerInput<S> = {
  [N in keyof S & string]: {
    readonly kind: 'answer'
    readonly step: N
    readonly part: string
    readonly answer: S[N] extends { answer: (data: never, answer: infer A, part: string) => unknown }
      ? A
      : never
    /** Epoch of the command that is answered, where the answer says so. */
    readonly epoch?: number
  }
}[keyof S & string]

export type UndoneInput<S> = {
  [N in keyof S & string]: {
    readonly kind: 'undone'
    readonly step: N
    readonly part: string
    readonly answer: S[N] extends { undone: (data: never, answer: infer U, part: string) => unknown }
      ? U
      : unknown
    readonly epoch?: number
  }
}[keyof S & string]

export const sagaActions = ['retry', 'resume', 'compensate', 'resolve'] as const
/** What an operator may do. `docs/saga.md` says what each means. */
export type SagaAction = (typeof sagaActions)[number]

export type SagaInput<D, S> =
  | { readonly kind: 'begin'; readonly data: D }
  | AnswerInput<S>
  | UndoneInput<S>
  | { readonly kind: 'timer' }
  | { readonly kind: 'cancel'; readonly reason: string }
  | {
      readonly kind: 'operator'
      readonly action: SagaAction
      readonly reason: string
      /** Of `resolve`: how the saga ended, by the operator's word. */
      readonly as?: 'DONE' | 'UNDONE'
    }

/** `saga<Data, Command>()({ … })`: called twice so that the steps' own types are found out. Throws a `RangeError`. */
export function saga<D, C>() {
  return <const S extends Steps<D, C>>(declared: Saga<D, C, S>): Saga<D, C, S> => {
    for (const [name, step] of Object.entries(declared.steps))
      checkStep(`${declared.name}, step ${name}`, step)
    const { pivot, steps, keepMs } = declared
    if (pivot !== 'start' && pivot !== 'none' && !Object.hasOwn(steps, pivot)) {
      throw new RangeError(`saga ${declared.name}: no step ${pivot} to be its pivot`)
    }
    checkResume(declared.name, Object.entries(steps))
    if (!(keepMs >= 0)) throw new RangeError(`saga ${declared.name}: keepMs ${keepMs} is no duration`)
    return Object.freeze({ ...declared, steps: Object.freeze({ ...steps }) })
  }
}

/** What is undone before a step that may turn the saga round again would stay undone. */
function checkResume<D, C>(name: string, steps: readonly (readonly [string, AnyStep<D, C>])[]): void {
  const at = steps.findIndex(([, { onUndoRefusal }]) => onUndoRefusal === 'resume')
  const later = at < 0 ? undefined : steps.slice(at + 1).find(([, { undo }]) => undo !== undefined)
  if (later !== undefined) {
    throw new RangeError(`saga ${name}: step ${later[0]} has an undo, and one before it may resume`)
  }
}

function checkStep<D, C>(name: string, step: AnyStep<D, C>): void {
  // Keys that look like array indexes would not keep their place.
  if (/ \d+$/.test(name)) throw new RangeError(`saga ${name}: a name must not be a number`)
  for (const { timeoutMs, retry } of [step.patience, step.undoPatience ?? step.patience]) {
    if (timeoutMs !== null && !(Number.isSafeInteger(timeoutMs) && timeoutMs >= 1)) {
      throw new RangeError(`saga ${name}: timeoutMs ${timeoutMs} is no duration`)
    }
    if (retry !== undefined) checkRetry(name, retry)
  }
}

function checkRetry(
  name: string,
  { attempts, backoffMs, factor = 2, maxBackoffMs, jitter = 0 }: RetryPolicy,
) {
  const whole = (value: number) => Number.isSafeInteger(value) && value >= 1
  if (!whole(attempts)) throw new RangeError(`saga ${name}: attempts ${attempts} is no count`)
  if (!whole(backoffMs) || !(factor >= 1) || (maxBackoffMs !== undefined && !whole(maxBackoffMs))) {
    throw new RangeError(`saga ${name}: a backoff of ${backoffMs} ms × ${factor} cannot be`)
  }
  if (!(jitter >= 0 && jitter <= 1)) throw new RangeError(`saga ${name}: jitter ${jitter} is not 0 to 1`)
}
