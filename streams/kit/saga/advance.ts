/**
 * What an input makes of a saga: the pure core. Progress and input go in; progress, commands and notices come out.
 *
 * Not its job: storing, timers, sending (`run-saga.ts`); what commands and answers mean (the saga's own steps).
 *
 * Invariants:
 *
 * 1. A command goes out only with progress that says SENT of it.
 * 2. What was answered counts once: repeated, reordered and stale answers change nothing.
 * 3. It ends once, DONE or UNDONE, or it waits: for an answer, for its timer, or for an operator.
 * 4. Every change raises `revision`; the same progress, input and time make the same change.
 */
import {
  beganStep,
  change,
  changePart,
  changeStep,
  type Draft,
  ignore,
  needAttention,
  type SagaNotice,
  send,
  stepNamed,
} from './draft.ts'
import { operate } from './operate.ts'
import { currentStep, isEnded, type SagaCause, type SagaProgress, type SagaStep } from './progress.ts'
import type { AnswerInput, Reading, Saga, SagaInput, Steps, UndoneInput } from './saga.ts'
import { fail, goBack, goOn, isPastPivot, resume, tryAgain, undoNext } from './travel.ts'

export interface SagaMove<D, C> {
  /** Undefined: there is no such saga, or it is to be forgotten. */
  readonly progress: SagaProgress<D> | undefined
  /** To be sent, in this order. */
  readonly commands: readonly C[]
  readonly notices: readonly SagaNotice[]
}

type Answered = AnswerInput<Steps<never, never>>
type Undone = UndoneInput<Steps<never, never>>

/**
 * @param id of this saga, unique among those of the definition
 * @param before undefined where none is known
 * @param now epoch milliseconds, never earlier than at the last input
 */
export function advance<D, C, S extends Steps<D, C>>(
  saga: Saga<D, C, S>,
  id: string,
  before: SagaProgress<D> | undefined,
  input: SagaInput<D, S>,
  now: number,
): SagaMove<D, C> {
  const from = before ?? (input.kind === 'begin' ? newSaga(saga, input.data) : undefined)
  if (from === undefined) {
    return { progress: undefined, commands: [], notices: [{ kind: 'ignored', why: 'UnknownSaga' }] }
  }
  const any = saga as unknown as Saga<D, C>
  const draft: Draft<D, C> = { saga: any, id, now, progress: from, commands: [], notices: [] }
  if (input.kind === 'timer' && isEnded(from) && dueAtOf(saga, from) <= now) {
    return { progress: undefined, commands: [], notices: [] }
  }
  if (before === undefined) begin(draft)
  else take(draft, input as SagaInput<D, Steps<D, C>>)
  const { progress, commands, notices } = draft
  const same = progress === before
  return { progress: same ? before : { ...progress, revision: from.revision + 1 }, commands, notices }
}

/** When the saga wants its timer, epoch milliseconds; `Infinity`: not at all. */
export function dueAtOf<D, C>(saga: Pick<Saga<D, C>, 'keepMs' | 'pivot'>, progress: SagaProgress<D>): number {
  const { phase, direction, deadlineAt, endedAt } = progress
  if (endedAt !== null) return endedAt + saga.keepMs
  if (phase === 'NEEDS_ATTENTION') return Number.POSITIVE_INFINITY
  const due = currentStep(progress)?.dueAt ?? Number.POSITIVE_INFINITY
  const pivotDone = progress.steps.some(({ name, status }) => name === saga.pivot && status === 'DONE')
  return direction === 'BACK' || pivotDone ? due : Math.min(due, deadlineAt ?? Number.POSITIVE_INFINITY)
}

function newSaga<D, C>(
  { deadline, pivot }: Pick<Saga<D, C>, 'deadline' | 'pivot'>,
  data: D,
): SagaProgress<D> {
  return {
    data,
    phase: 'RUNNING',
    direction: 'FORWARD',
    steps: [],
    cause: null,
    trouble: null,
    deadlineAt: pivot === 'start' ? null : (deadline?.(data) ?? null),
    endedAt: null,
    revision: 0,
  }
}

function begin<D, C>(draft: Draft<D, C>): void {
  if (deadlineIsOver(draft)) goBack(draft, { kind: 'DEADLINE', step: '', reason: 'over at the beginning' })
  else goOn(draft)
}

function take<D, C>(draft: Draft<D, C>, input: SagaInput<D, Steps<D, C>>): void {
  switch (input.kind) {
    case 'begin':
      return ignore(draft, 'Repeated')
    case 'answer':
      return answered(draft, input as Answered)
    case 'undone':
      return undone(draft, input as Undone)
    case 'timer':
      return timerFired(draft)
    case 'cancel':
      return cancel(draft, input.reason)
    case 'operator':
      return operate(draft, input)
  }
}

function answered<D, C>(draft: Draft<D, C>, input: Answered): void {
  const step = beganStep(draft, input.step)
  const part = step?.parts.find((one) => one.part === input.part)
  if (step === undefined || part === undefined) return ignore(draft, 'Unexpected')
  // A refusal may have been of an epoch before; a later one may still be done.
  if (part.did === 'DONE' || (part.did === 'REFUSED' && step.epoch === 0)) return ignore(draft, 'Repeated')
  const reading = readAnswer(draft, input, 'answer')
  // What an earlier command did is done; what it could not do, this one may.
  if (reading.outcome !== 'done' && (input.epoch ?? step.epoch) < step.epoch) return ignore(draft, 'Stale')
  if (part.did === 'REFUSED' && reading.outcome !== 'done') return ignore(draft, 'Repeated')
  if (step.status === 'DOING' && !isEnded(draft.progress)) forwardAnswer(draft, step, input.part, reading)
  else answerOnTheWayBack(draft, step, input.part, reading)
}

function forwardAnswer<D, C>(draft: Draft<D, C>, step: SagaStep, part: string, reading: Reading<D>): void {
  if (reading.outcome === 'again') {
    // One wait is enough for all parts that say so.
    if (step.waiting === 'RETRY' || draft.progress.phase !== 'RUNNING') return ignore(draft, 'Repeated')
    return tryAgain(draft, step, { kind: 'TIMEOUT', step: step.name, reason: reading.reason })
  }
  if (reading.outcome === 'refused') {
    changePart(draft, step, part, { did: 'REFUSED' })
    if (reading.data !== undefined) change(draft, { data: reading.data })
    return fail(draft, { kind: 'REFUSED', step: step.name, reason: reading.reason })
  }
  changePart(draft, step, part, { did: 'DONE' })
  change(draft, { data: reading.data })
  const { parts } = beganStep(draft, step.name) as SagaStep
  if (!parts.every(({ did }) => did === 'DONE')) return
  changeStep(draft, step.name, { status: 'DONE', dueAt: null })
  goOn(draft)
}

/** Its undo is under way or over. Only what nobody undoes needs to be told. */
function answerOnTheWayBack<D, C>(
  draft: Draft<D, C>,
  step: SagaStep,
  part: string,
  reading: Reading<D>,
): void {
  if (reading.outcome === 'again') return ignore(draft, 'Unexpected')
  changePart(draft, step, part, { did: reading.outcome === 'done' ? 'DONE' : 'REFUSED' })
  if (reading.outcome !== 'done') return
  const definition = stepNamed(draft, step.name)
  const undid = step.parts.find((one) => one.part === part)?.undid
  // Nobody asks any more what the saga knows of it, unless it turns round again.
  if (step.status === 'UNDOING') {
    if (definition.onUndoRefusal === 'resume') change(draft, { data: reading.data })
  } else if (undid === 'NONE' && definition.undo !== undefined && draft.progress.phase !== 'DONE') {
    draft.notices.push({ kind: 'late', step: step.name, part })
  }
}

function undone<D, C>(draft: Draft<D, C>, input: Undone): void {
  const step = beganStep(draft, input.step)
  const part = step?.parts.find((one) => one.part === input.part)
  if (step === undefined || part === undefined || part.undid === 'NONE') return ignore(draft, 'Unexpected')
  if (isEnded(draft.progress) || part.undid === 'DONE') return ignore(draft, 'Repeated')
  if (part.undid === 'REFUSED' && step.epoch === 0) return ignore(draft, 'Repeated')
  const reading = readAnswer(draft, input, 'undone')
  if (reading.outcome !== 'done' && (input.epoch ?? step.epoch) < step.epoch) return ignore(draft, 'Stale')
  if (part.undid === 'REFUSED' && reading.outcome !== 'done') return ignore(draft, 'Repeated')
  if (reading.outcome === 'again') {
    if (step.waiting === 'RETRY' || draft.progress.phase !== 'UNDOING') return ignore(draft, 'Repeated')
    return tryAgain(draft, step, { kind: 'TIMEOUT', step: step.name, reason: reading.reason })
  }
  if (reading.outcome === 'refused') {
    // Once an operator tried again, a refusal without its epoch may be of the undo before.
    const sure = step.epoch === 0 || input.epoch === step.epoch
    const trouble: SagaCause = { kind: 'REFUSED', step: step.name, reason: reading.reason }
    if (sure && mayResume(draft, step)) return resume(draft, step, trouble)
    changePart(draft, step, input.part, { undid: 'REFUSED' })
    return needAttention(draft, trouble)
  }
  changePart(draft, step, input.part, { undid: 'DONE' })
  change(draft, { data: reading.data })
  const { parts } = beganStep(draft, step.name) as SagaStep
  if (parts.some(({ undid }) => undid === 'SENT' || undid === 'REFUSED')) return
  changeStep(draft, step.name, { status: 'UNDONE', dueAt: null })
  undoNext(draft)
}

/** Somebody wanted it undone, nothing is yet, and the step says that then it just goes on. */
function mayResume<D, C>({ progress, saga }: Draft<D, C>, { name }: SagaStep): boolean {
  const later = progress.steps.slice(progress.steps.findIndex((step) => step.name === name) + 1)
  const first = later.every(({ parts }) => parts.every(({ undid }) => undid === 'NONE'))
  const wanted = progress.cause?.kind === 'CANCELLED' || progress.cause?.kind === 'OPERATOR'
  return first && wanted && saga.steps[name]?.onUndoRefusal === 'resume'
}

function readAnswer<D, C>(draft: Draft<D, C>, input: Answered | Undone, by: 'answer' | 'undone'): Reading<D> {
  const { data } = draft.progress
  const read = draft.saga.steps[input.step]?.[by]
  return read === undefined ? { outcome: 'done', data } : read(data, input.answer as never, input.part)
}

function timerFired<D, C>(draft: Draft<D, C>): void {
  const { progress, saga, now } = draft
  if (isEnded(progress) || dueAtOf(saga, progress) > now) return ignore(draft, 'NotNow')
  const step = currentStep(progress)
  if (deadlineIsOver(draft)) return goBack(draft, { kind: 'DEADLINE', step: step?.name ?? '', reason: '' })
  if (step === undefined) return ignore(draft, 'NotNow')
  if (step.waiting === 'RETRY') return send(draft, step)
  tryAgain(draft, step, { kind: 'TIMEOUT', step: step.name, reason: `no answer to ${step.attempt} sendings` })
}

function deadlineIsOver<D, C>(draft: Draft<D, C>): boolean {
  const { direction, deadlineAt } = draft.progress
  if (direction === 'BACK' || deadlineAt === null || deadlineAt > draft.now) return false
  return !isPastPivot(draft)
}

/** After the pivot only while the step that it is at can be undone. */
function cancel<D, C>(draft: Draft<D, C>, reason: string): void {
  const { progress, saga } = draft
  const step = currentStep(progress)
  const undoable = step === undefined || saga.steps[step.name]?.undo !== undefined
  if (isEnded(progress) || progress.direction === 'BACK' || (isPastPivot(draft) && !undoable)) {
    return ignore(draft, 'NotNow')
  }
  goBack(draft, { kind: 'CANCELLED', step: step?.name ?? '', reason })
}
