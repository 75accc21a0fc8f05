/** What an operator makes of a saga. Pure. */
import { change, changeStep, type Draft, enter, ignore, send } from './draft.ts'
import { currentStep, sagaActionsOf, type SagaPart, type SagaStep } from './progress.ts'
import type { SagaAction } from './saga.ts'
import { goBack, goOn, undoNext } from './travel.ts'

export interface Operation {
  readonly action: SagaAction
  readonly reason: string
  readonly as?: 'DONE' | 'UNDONE'
}

/** Applies what an operator asked for; what is not among `sagaActionsOf` is passed over. */
export function operate<D, C>(draft: Draft<D, C>, { action, reason, as }: Operation): void {
  const { progress } = draft
  const step = currentStep(progress)
  if (!sagaActionsOf(progress).includes(action) || step === undefined) return ignore(draft, 'NotNow')
  switch (action) {
    case 'retry':
      return retry(draft, step)
    case 'resume':
      return takeAsDone(draft, step)
    case 'compensate':
      return goBack(draft, { kind: 'OPERATOR', step: step.name, reason })
    case 'resolve':
      return resolve(draft, step, as ?? (progress.direction === 'FORWARD' ? 'DONE' : 'UNDONE'))
  }
}

/** Sends what is not done once more, under a new epoch. */
function retry<D, C>(draft: Draft<D, C>, step: SagaStep): void {
  const back = step.status === 'UNDOING'
  const parts = step.parts.map((part): SagaPart => {
    if (back) return part.undid === 'REFUSED' ? { ...part, undid: 'SENT' } : part
    return part.did === 'REFUSED' ? { ...part, did: 'SENT' } : part
  })
  const again: SagaStep = { ...step, parts, epoch: step.epoch + 1, attempt: 0 }
  changeStep(draft, step.name, again)
  enter(draft, back ? 'UNDOING' : 'RUNNING')
  send(draft, again)
}

/** Somebody did by hand what the step should have done; on to the next. */
function takeAsDone<D, C>(draft: Draft<D, C>, step: SagaStep): void {
  if (step.status === 'UNDOING') {
    const parts = step.parts.map(
      (part): SagaPart => ({ ...part, undid: part.undid === 'NONE' ? 'NONE' : 'DONE' }),
    )
    changeStep(draft, step.name, { status: 'UNDONE', dueAt: null, parts })
    return undoNext(draft)
  }
  const parts = step.parts.map((part): SagaPart => ({ ...part, did: 'DONE' }))
  changeStep(draft, step.name, { status: 'DONE', dueAt: null, parts })
  goOn(draft)
}

/** It ends as it is, by the operator's word. */
function resolve<D, C>(draft: Draft<D, C>, step: SagaStep, as: 'DONE' | 'UNDONE'): void {
  changeStep(draft, step.name, { dueAt: null })
  change(draft, { trouble: null })
  enter(draft, as)
}
