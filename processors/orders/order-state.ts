/**
 * Which state an order is in, as its saga stands. Pure.
 *
 * ```
 * PENDING → STOCK_RESERVED → POINTS_DEDUCTED → COUPON_USED → AWAITING_PAYMENT
 *   → PAID → CONFIRMED → DELIVERY_REQUESTED → SHIPPED → COMPLETED
 * before payment, on a failure, timeout or cancel:  → COMPENSATING → FAILED | CANCELLED
 * after it:         → CANCELLING → REFUNDING → COMPENSATING → CANCELLED | FAILED
 * out of retries:   → NEEDS_ATTENTION
 * ```
 */
import type { OrderData, OrderState } from '../../schemas/index.ts'
import { currentStep, type SagaCause, type SagaProgress, type SagaStep } from '../../streams/kit/index.ts'

export type OrderProgress = SagaProgress<OrderData>

type Milestone = readonly [OrderState, step: string, 'BEGUN' | 'DONE']

/**
 * States on the way forward, each with the step that brings it: begun, or done. Steps without work bring none. PAID and
 * CONFIRMED are one moment; where there is nothing to pay, only the second is told.
 */
const MILESTONES: readonly Milestone[] = [
  ['STOCK_RESERVED', 'stock', 'DONE'],
  ['POINTS_DEDUCTED', 'points', 'DONE'],
  ['COUPON_USED', 'coupon', 'DONE'],
  ['AWAITING_PAYMENT', 'payment', 'BEGUN'],
  ['PAID', 'payment', 'DONE'],
  ['CONFIRMED', 'payment', 'DONE'],
  ['DELIVERY_REQUESTED', 'delivery', 'BEGUN'],
  ['SHIPPED', 'delivery', 'DONE'],
]

/** The states that it has reached on its way forward, in their order. */
export function milestonesOf(progress: OrderProgress): OrderState[] {
  const states: OrderState[] = ['PENDING']
  for (const milestone of MILESTONES) if (isReached(progress, milestone)) states.push(milestone[0])
  if (progress.phase === 'DONE') states.push('COMPLETED')
  return states
}

function isReached({ steps }: OrderProgress, [state, name, when]: Milestone): boolean {
  for (const step of steps) {
    if (step.name !== name) continue
    if (when === 'DONE' && step.status !== 'DONE') return false
    // An order without anything to pay is confirmed all the same.
    return step.parts.length > 0 || state === 'CONFIRMED'
  }
  return false
}

export function orderStateOf(progress: OrderProgress): OrderState {
  switch (progress.phase) {
    case 'RUNNING':
      return MILESTONES.findLast((milestone) => isReached(progress, milestone))?.[0] ?? 'PENDING'
    case 'DONE':
      return 'COMPLETED'
    case 'UNDOING':
      return undoingState(currentStep(progress))
    case 'NEEDS_ATTENTION':
      return 'NEEDS_ATTENTION'
    case 'UNDONE':
      return wasCalledOff(progress) ? 'CANCELLED' : 'FAILED'
  }
}

function undoingState(step: SagaStep | undefined): OrderState {
  if (step?.name === 'delivery') return 'CANCELLING'
  return step?.name === 'payment' ? 'REFUNDING' : 'COMPENSATING'
}

/** Somebody wanted it undone; otherwise it failed. */
export function wasCalledOff({ cause }: Pick<OrderProgress, 'cause'>): boolean {
  return cause?.kind === 'CANCELLED' || cause?.kind === 'OPERATOR'
}

/** Payment is done or passed over. */
export function isPaid({ steps }: Pick<OrderProgress, 'steps'>): boolean {
  return steps.some(({ name, status }) => name === 'payment' && status === 'DONE')
}

/** For people: why it needs attention, or goes back. What a person wrote is left out. */
export function noteOf({ cause, trouble }: Pick<OrderProgress, 'cause' | 'trouble'>): string | null {
  return textOf(trouble) ?? textOf(cause)
}

function textOf(cause: SagaCause | null): string | null {
  if (cause === null) return null
  const { kind, step, reason } = cause
  if (kind === 'CANCELLED' || kind === 'OPERATOR') return `${kind} in ${step || 'the beginning'}`
  return [kind, step, reason].filter((part) => part !== '').join(' ')
}
