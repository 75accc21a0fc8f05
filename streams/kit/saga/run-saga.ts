/**
 * Lets a saga happen in a processor: progress from and to a store, commands out, one durable timer per saga. All of it
 * is part of the record's or timer's own commit, so a command without stored progress cannot be.
 */
import type { KeyValueStore, TimerHandle } from '../../../state/index.ts'
import { advance, dueAtOf } from './advance.ts'
import type { SagaNotice } from './draft.ts'
import { isEnded, type SagaProgress } from './progress.ts'
import type { Saga, SagaInput, Steps } from './saga.ts'

/** What a saga needs of its processor. */
export interface SagaContext<D, C> {
  /** Progress by the saga's id. */
  readonly store: Pick<KeyValueStore<string, SagaProgress<D>>, 'get' | 'put' | 'delete'>
  /** A wall timer. Its handler calls `runSaga` with `{ kind: 'timer' }`. */
  readonly timer: TimerHandle
  readonly send: (command: C) => void
  /** Of the processor's context. */
  readonly wallTime: number
}

export interface SagaRun<D> {
  readonly before: SagaProgress<D> | undefined
  readonly after: SagaProgress<D> | undefined
  readonly notices: readonly SagaNotice[]
}

/** Takes one input; answers what the saga was and is, for whoever tells others of it. */
export function runSaga<D, C, S extends Steps<D, C>>(
  saga: Saga<D, C, S>,
  id: string,
  input: SagaInput<D, S>,
  { store, timer, send, wallTime }: SagaContext<D, C>,
): SagaRun<D> {
  const before = store.get(id)
  const { progress: after, commands, notices } = advance(saga, id, before, input, wallTime)
  if (after === undefined) {
    if (before !== undefined) store.delete(id)
    return { before, after, notices }
  }
  if (after !== before) store.put(id, after)
  setTimer(timer, id, dueAtOf(saga, after), isEnded(after))
  for (const command of commands) send(command)
  return { before, after, notices }
}

/**
 * A timer that is set for earlier stays: it finds nothing due and is set anew then. Most steps are answered long before,
 * so a saga that goes well moves its timer once, when it ends, and not with each step.
 */
function setTimer(timer: TimerHandle, id: string, dueAt: number, ended: boolean): void {
  const setAt = timer.dueAt(id)
  if (dueAt === Number.POSITIVE_INFINITY) {
    if (setAt !== undefined) timer.cancel(id)
  } else if (setAt === undefined || setAt > dueAt || (ended && setAt !== dueAt)) timer.schedule(id, dueAt)
}
