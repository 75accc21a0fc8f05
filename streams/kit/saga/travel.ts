/**
 * The two ways of a saga: forward step by step, and back in reverse.
 *
 * 1. One step at a time, in either direction.
 * 2. Back leads through every step that was begun, also through one whose answer never came.
 * 3. Once the pivot is done nothing goes back, unless it is told to: by a step whose refusal says so, by a cancel or by
 *    an operator.
 */
import {
  beganStep,
  change,
  changeStep,
  type Draft,
  enter,
  knownOf,
  needAttention,
  retryLater,
  send,
  stepNamed,
} from './draft.ts'
import { currentStep, type SagaCause, type SagaPart, type SagaStep } from './progress.ts'

/** Begins the steps after the last one begun, until one has something to wait for. */
export function goOn<D, C>(draft: Draft<D, C>): void {
  if (draft.progress.phase !== 'RUNNING') enter(draft, 'RUNNING')
  const names = Object.keys(draft.saga.steps)
  const last = draft.progress.steps.at(-1)
  for (const name of names.slice(last === undefined ? 0 : names.indexOf(last.name) + 1)) {
    const { parts = onePart } = stepNamed(draft, name)
    const begun = newStep(name, parts(draft.progress.data))
    change(draft, { steps: [...draft.progress.steps, begun] })
    if (begun.parts.length > 0) return send(draft, begun)
  }
  enter(draft, 'DONE')
}

const onePart = (): readonly string[] => ['']

function newStep(name: string, parts: readonly string[]): SagaStep {
  return {
    name,
    status: parts.length === 0 ? 'DONE' : 'DOING',
    epoch: 0,
    attempt: 0,
    waiting: 'ANSWER',
    dueAt: null,
    parts: parts.map((part): SagaPart => ({ part, did: 'SENT', undid: 'NONE' })),
  }
}

/** Turns round: from now on what was begun is undone. */
export function goBack<D, C>(draft: Draft<D, C>, cause: SagaCause): void {
  change(draft, { direction: 'BACK', cause })
  undoNext(draft)
}

/** Undoes the steps before the last one undone, until one has something to wait for. */
export function undoNext<D, C>(draft: Draft<D, C>): void {
  enter(draft, 'UNDOING')
  for (;;) {
    const step = currentStep(draft.progress)
    if (step === undefined) return enter(draft, 'UNDONE')
    if (sendUndo(draft, step)) return
  }
}

/** False: there was nothing to undo. */
function sendUndo<D, C>(draft: Draft<D, C>, step: SagaStep): boolean {
  const { undo } = stepNamed(draft, step.name)
  const { data } = draft.progress
  const parts = step.parts.map((one): SagaPart => {
    const undoing = { part: one.part, did: knownOf(step, one.did), epoch: step.epoch, attempt: 1 }
    return (undo?.(data, undoing) ?? null) === null ? one : { ...one, undid: 'SENT' }
  })
  const some = parts.some(({ undid }) => undid === 'SENT')
  const undoing: SagaStep = { ...step, status: some ? 'UNDOING' : 'UNDONE', attempt: 0, dueAt: null, parts }
  changeStep(draft, step.name, undoing)
  if (some) send(draft, undoing)
  return some
}

/** Going back came too late: forward again, from the step that cannot be undone and what was begun after it. */
export function resume<D, C>(draft: Draft<D, C>, from: SagaStep, trouble: SagaCause): void {
  const { steps } = draft.progress
  const at = steps.findIndex(({ name }) => name === from.name)
  const forward = steps.map((step, i) => (i < at ? step : forwardAgain(step)))
  change(draft, { steps: forward, direction: 'FORWARD', cause: null })
  const last = forward.at(-1) as SagaStep
  if (last.status === 'DONE') return goOn(draft)
  if (last.parts.some(({ did }) => did === 'REFUSED'))
    return needAttention(draft, { ...trouble, step: last.name })
  const { timeoutMs } = stepNamed(draft, last.name).patience
  changeStep(draft, last.name, { dueAt: timeoutMs === null ? null : draft.now + timeoutMs })
  enter(draft, 'RUNNING')
}

function forwardAgain(step: SagaStep): SagaStep {
  const parts = step.parts.map((part): SagaPart => ({ ...part, undid: 'NONE' }))
  const status = parts.every(({ did }) => did === 'DONE') ? 'DONE' : 'DOING'
  return { ...step, status, waiting: 'ANSWER', dueAt: null, parts }
}

/** The step that it is at cannot be done: back before the pivot, else forward or to an operator. */
export function fail<D, C>(draft: Draft<D, C>, cause: SagaCause): void {
  const refusedForGood = cause.kind === 'REFUSED' && stepNamed(draft, cause.step).onRefusal === 'undo'
  if (draft.progress.direction === 'FORWARD' && (refusedForGood || !isPastPivot(draft))) goBack(draft, cause)
  else needAttention(draft, cause)
}

/** An answer is overdue or says `again`. */
export function tryAgain<D, C>(draft: Draft<D, C>, step: SagaStep, cause: SagaCause): void {
  if (!retryLater(draft, step)) fail(draft, cause)
}

export function isPastPivot<D, C>(draft: Draft<D, C>): boolean {
  const { pivot } = draft.saga
  return pivot === 'start' || beganStep(draft, pivot)?.status === 'DONE'
}
