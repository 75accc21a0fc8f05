/** One change of a saga while it is made: what both directions share. */
import { backoffMs } from './backoff.ts'
import {
  inPhase,
  type SagaCause,
  type SagaPart,
  type SagaPhase,
  type SagaProgress,
  type SagaStep,
} from './progress.ts'
import type { AnyStep, Patience, Saga } from './saga.ts'

/** What an input came to, besides commands and progress. */
export type SagaNotice =
  /** A step was done after all, and no undo of it was or will be sent: somebody must take its effect back. */
  | { readonly kind: 'late'; readonly step: string; readonly part: string }
  /** The input changed nothing. */
  | { readonly kind: 'ignored'; readonly why: IgnoredWhy }
export type IgnoredWhy = 'Repeated' | 'Unexpected' | 'Stale' | 'NotNow' | 'UnknownSaga'

/** `progress` is exchanged, never changed. */
export interface Draft<D, C> {
  readonly saga: Saga<D, C>
  readonly id: string
  /** Epoch milliseconds. */
  readonly now: number
  progress: SagaProgress<D>
  readonly commands: C[]
  readonly notices: SagaNotice[]
}

export function ignore<D, C>(draft: Draft<D, C>, why: IgnoredWhy): void {
  draft.notices.push({ kind: 'ignored', why })
}

export function change<D, C>(draft: Draft<D, C>, changes: Partial<SagaProgress<D>>): void {
  draft.progress = { ...draft.progress, ...changes }
}

export function enter<D, C>(draft: Draft<D, C>, phase: SagaPhase): void {
  const ended = phase === 'DONE' || phase === 'UNDONE'
  const progress = inPhase(draft.progress, phase)
  const trouble = phase === 'NEEDS_ATTENTION' ? progress.trouble : null
  draft.progress = { ...progress, trouble, endedAt: ended ? draft.now : null }
}

/** Nothing goes on by itself until an answer or an operator comes. */
export function needAttention<D, C>(draft: Draft<D, C>, trouble: SagaCause): void {
  changeStep(draft, trouble.step, { dueAt: null })
  change(draft, { trouble })
  enter(draft, 'NEEDS_ATTENTION')
}

/** Throws where the step is not in the definition any more. */
export function stepNamed<D, C>({ saga }: Draft<D, C>, name: string): AnyStep<D, C> {
  const step = saga.steps[name]
  if (step === undefined) throw new Error(`saga ${saga.name} has no step ${name} any more`)
  return step
}

export function changeStep<D, C>(draft: Draft<D, C>, name: string, changes: Partial<SagaStep>): void {
  const steps = draft.progress.steps.map((step) => (step.name === name ? { ...step, ...changes } : step))
  change(draft, { steps })
}

export function changePart<D, C>(
  draft: Draft<D, C>,
  step: SagaStep,
  part: string,
  changes: Partial<SagaPart>,
): void {
  const parts = step.parts.map((one) => (one.part === part ? { ...one, ...changes } : one))
  changeStep(draft, step.name, { parts })
}

export function beganStep<D, C>({ progress }: Draft<D, C>, name: string): SagaStep | undefined {
  return progress.steps.find((step) => step.name === name)
}

function patienceOf<D, C>(draft: Draft<D, C>, { name, status }: SagaStep): Patience {
  const { patience, undoPatience = patience } = stepNamed(draft, name)
  return status === 'UNDOING' ? undoPatience : patience
}

/** What is sure of a part: once a step has a higher epoch, a refusal may have been of an earlier one. */
export function knownOf({ epoch }: SagaStep, did: SagaPart['did']): SagaPart['did'] {
  return did === 'REFUSED' && epoch > 0 ? 'SENT' : did
}

/** Sends what has no answer yet, in the step's direction; the clock of its answers starts. */
export function send<D, C>(draft: Draft<D, C>, step: SagaStep): void {
  const { command, undo } = stepNamed(draft, step.name)
  const { data } = draft.progress
  const attempt = step.attempt + 1
  for (const { part, did, undid } of step.parts) {
    const sending = { part, epoch: step.epoch, attempt }
    let made: C | null | undefined = null
    if (step.status === 'UNDOING')
      made = undid === 'SENT' ? undo?.(data, { ...sending, did: knownOf(step, did) }) : null
    else if (did === 'SENT') made = command(data, sending)
    if (made !== null && made !== undefined) draft.commands.push(made)
  }
  const { timeoutMs } = patienceOf(draft, step)
  const dueAt = timeoutMs === null ? null : draft.now + timeoutMs
  changeStep(draft, step.name, { attempt, waiting: 'ANSWER', dueAt })
}

/** The step is sent again after its backoff; false when it was sent as often as it may. */
export function retryLater<D, C>(draft: Draft<D, C>, step: SagaStep): boolean {
  const { retry } = patienceOf(draft, step)
  if (retry === undefined || step.attempt >= retry.attempts) return false
  const seed = `${draft.saga.name}|${draft.id}|${step.name}|${step.status}|${step.epoch}`
  const dueAt = draft.now + backoffMs(retry, step.attempt, seed)
  changeStep(draft, step.name, { waiting: 'RETRY', dueAt })
  return true
}
