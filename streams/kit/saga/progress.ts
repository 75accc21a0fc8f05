/** How far a saga is: plain data, to be stored as it is. */
import type { SagaAction } from './saga.ts'

/**
 * ```
 * RUNNING ──────► DONE            every step is done
 *    │  ▲
 *    ▼  │ (a cancel that came too late)
 * UNDOING ──────► UNDONE          every step is undone
 *
 * RUNNING, UNDOING ◄──► NEEDS_ATTENTION ──► DONE, UNDONE
 * ```
 * DONE and UNDONE are for ever.
 */
export type SagaPhase = 'RUNNING' | 'UNDOING' | 'NEEDS_ATTENTION' | 'DONE' | 'UNDONE'

const LEGAL: Readonly<Record<SagaPhase, readonly SagaPhase[]>> = {
  RUNNING: ['UNDOING', 'NEEDS_ATTENTION', 'DONE'],
  UNDOING: ['RUNNING', 'NEEDS_ATTENTION', 'UNDONE'],
  NEEDS_ATTENTION: ['RUNNING', 'UNDOING', 'DONE', 'UNDONE'],
  DONE: [],
  UNDONE: [],
}

/** One command of a step. */
export interface SagaPart {
  readonly part: string
  /** SENT has no answer yet. */
  readonly did: 'SENT' | 'DONE' | 'REFUSED'
  /** NONE: no undo was sent. */
  readonly undid: 'NONE' | 'SENT' | 'DONE' | 'REFUSED'
}

export interface SagaStep {
  readonly name: string
  readonly status: 'DOING' | 'DONE' | 'UNDOING' | 'UNDONE'
  readonly epoch: number
  /** Sendings so far, in this direction and epoch. */
  readonly attempt: number
  /** What is due at `dueAt`: answers are overdue, or the command is sent again. */
  readonly waiting: 'ANSWER' | 'RETRY'
  /** Epoch milliseconds; null: nothing is due. */
  readonly dueAt: number | null
  readonly parts: readonly SagaPart[]
}

/** Why a saga goes back, or needs attention. */
export interface SagaCause {
  readonly kind: 'REFUSED' | 'TIMEOUT' | 'DEADLINE' | 'CANCELLED' | 'OPERATOR'
  /** The step that it happened in; empty before the first. */
  readonly step: string
  readonly reason: string
}

export interface SagaProgress<D> {
  readonly data: D
  readonly phase: SagaPhase
  /** In NEEDS_ATTENTION: where it was going. */
  readonly direction: 'FORWARD' | 'BACK'
  /** Begun, in order; those that are passed over have no parts. */
  readonly steps: readonly SagaStep[]
  /** Why it goes back. */
  readonly cause: SagaCause | null
  /** Why it needs attention. */
  readonly trouble: SagaCause | null
  /** When the pivot must be done, epoch milliseconds. */
  readonly deadlineAt: number | null
  /** When it ended, epoch milliseconds. */
  readonly endedAt: number | null
  /** Grows with every change. */
  readonly revision: number
}

export function isEnded({ phase }: { readonly phase: SagaPhase }): boolean {
  return phase === 'DONE' || phase === 'UNDONE'
}

/** Throws for a change that the lifecycle does not know: a defect, not a fault of an input. */
export function inPhase<D>(progress: SagaProgress<D>, phase: SagaPhase): SagaProgress<D> {
  if (progress.phase === phase) return progress
  if (!LEGAL[progress.phase].includes(phase))
    throw new Error(`a saga cannot go from ${progress.phase} to ${phase}`)
  return { ...progress, phase }
}

/** The step that it is at: the last begun, or on the way back the last that is not undone. */
export function currentStep<D>({ steps, direction }: SagaProgress<D>): SagaStep | undefined {
  return direction === 'FORWARD' ? steps.at(-1) : steps.findLast(({ status }) => status !== 'UNDONE')
}

/** What an operator may do with it now. */
export function sagaActionsOf<D>({ phase, direction }: SagaProgress<D>): readonly SagaAction[] {
  if (phase === 'RUNNING') return ['compensate']
  if (phase !== 'NEEDS_ATTENTION') return []
  return direction === 'FORWARD'
    ? ['retry', 'resume', 'compensate', 'resolve']
    : ['retry', 'resume', 'resolve']
}
