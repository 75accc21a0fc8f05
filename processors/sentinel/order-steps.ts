/**
 * I11, I12 and I13 as far as answers of services show them. Pure.
 *
 * A step is decided once per epoch: whoever asks again is told the same, until the step was undone; from then on it is
 * CANCELLED. Which came first is read off the commands: those of one step are in one partition, and a service takes them
 * in its order. So it does not matter in which order answers are read, or that some are said again.
 */
import type {
  CouponUseResult,
  OrderWatch,
  PointDeductResult,
  RestoreResult,
  StepWatch,
  StockReserveResult,
} from '../../schemas/index.ts'
import { digestOf } from './digest.ts'
import type { Place } from './facts.ts'
import type { OrderViolation, OrderWatched } from './order-ends.ts'

/** Answers kept per order, and undos: enough for every line of the largest order. */
export const MAX_STEPS = 256

interface Answer {
  readonly step: 'stock' | 'points' | 'coupon'
  /** Topic of the commands that it may answer. */
  readonly commands: string
  readonly part: string
  readonly epoch: number
  readonly status: string
  readonly says: readonly unknown[]
}

/** I11: nothing is available less than nothing. */
export function watchStock(watch: OrderWatch, value: StockReserveResult, place: Place): OrderWatched {
  const { productId: part, epoch, status, available, reason } = value
  const commands = 'stock.reserve.requested'
  const answer: Answer = { step: 'stock', commands, part, epoch, status, says: [status, available, reason] }
  const { watch: after, found } = watchAnswer(watch, answer, place)
  if (available === null || available >= 0) return { watch: after, found }
  return { watch: after, found: [...found, ['I11', `${available} are available after it was ${status}`]] }
}

/** I13: points are never below 0. */
export function watchPoints(watch: OrderWatch, value: PointDeductResult, place: Place): OrderWatched {
  const { epoch, status, balanceAfter, reason } = value
  const commands = 'point.deduct.requested'
  const says = [status, balanceAfter, reason]
  const answer: Answer = { step: 'points', commands, part: '', epoch, status, says }
  const { watch: after, found } = watchAnswer(watch, answer, place)
  if (balanceAfter === null || balanceAfter >= 0) return { watch: after, found }
  return {
    watch: after,
    found: [...found, ['I13', `${balanceAfter} points are left after it was ${status}`]],
  }
}

export function watchCouponUse(watch: OrderWatch, value: CouponUseResult, place: Place): OrderWatched {
  const { userCouponId, epoch, status, discountAmount, reason } = value
  const commands = 'coupon.use.requested'
  const says = [status, userCouponId, discountAmount, reason]
  return watchAnswer(watch, { step: 'coupon', commands, part: '', epoch, status, says }, place)
}

/** I12: an undo, and a part that goes back, is answered RESTORED once; whoever asks again is told ALREADY. */
export function watchRestored(watch: OrderWatch, value: RestoreResult, { lineage }: Place): OrderWatched {
  const { step, lineNo, productId, returnId, status, epoch } = value
  if (status !== 'RESTORED' || lineage === undefined) return { watch, found: [] }
  const { eventId } = lineage
  // What a return brings counts once, in whatever epoch; an undo once in each.
  const key = digestOf([step, productId, lineNo, returnId, returnId === null ? epoch : 0])
  const known = watch.restored.find((each) => each.key === key)
  if (known !== undefined) {
    const again = known.eventId === eventId
    return { watch, found: again ? [] : [['I12', `${step} is given back twice in epoch ${epoch}`]] }
  }
  if (watch.restored.length >= MAX_STEPS) return { watch, found: [] }
  return { watch: { ...watch, restored: [...watch.restored, { key, eventId }] }, found: [] }
}

const unanswered: Omit<StepWatch, 'key'> = Object.freeze({
  digest: '',
  stockRefused: false,
  partition: -1,
  decided: -1,
  cancelled: -1,
})

function watchAnswer(watch: OrderWatch, answer: Answer, { lineage }: Place): OrderWatched {
  const { step, part, epoch, status, says, commands } = answer
  const key = digestOf([step, part, epoch])
  const at = watch.answers.findIndex((each) => each.key === key)
  const before = watch.answers[at] ?? { ...unanswered, key }
  if (status === 'UNKNOWN' || (at < 0 && watch.answers.length >= MAX_STEPS)) return { watch, found: [] }
  const found: OrderViolation[] = []
  const what = `${step} of epoch ${epoch}`
  const digest = digestOf(says)
  const isCancelled = status === 'CANCELLED'
  if (!isCancelled && before.digest !== '' && before.digest !== digest) {
    found.push(['I12', `${what} has two answers`])
  }
  const cause = lineage?.cause
  const asked = cause?.topic === commands ? cause : undefined
  const placed = placedAnswer(before, isCancelled, asked)
  if (placed.decided !== before.decided || placed.cancelled !== before.cancelled) {
    const { decided, cancelled } = placed
    if (cancelled >= 0 && decided > cancelled) {
      found.push(['I12', `${what} is done by the command at ${decided}, and was called off at ${cancelled}`])
    }
  }
  const refused = step === 'stock' && status === 'REJECTED'
  const after: StepWatch = {
    ...placed,
    digest: isCancelled || before.digest !== '' ? before.digest : digest,
    stockRefused: before.stockRefused || refused,
  }
  const answers = at < 0 ? [...watch.answers, after] : watch.answers.with(at, after)
  return { watch: { ...watch, answers }, found }
}

/** With the place of the command that was answered, where that is known. */
function placedAnswer(
  before: StepWatch,
  isCancelled: boolean,
  asked: { readonly partition: number; readonly offset: number } | undefined,
): StepWatch {
  if (asked === undefined) return before
  const { partition, offset } = asked
  if (before.partition >= 0 && before.partition !== partition) return before
  if (!isCancelled) return { ...before, partition, decided: Math.max(before.decided, offset) }
  const cancelled = before.cancelled < 0 ? offset : Math.min(before.cancelled, offset)
  return { ...before, partition, cancelled }
}
