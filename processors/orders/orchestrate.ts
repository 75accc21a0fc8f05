/**
 * The orchestrator: gives each message to the saga that it concerns. One task has everything of an order, one record
 * after the other.
 *
 * Money that came in and is not the order's own payment goes back, whatever else is true (I19).
 */
import type {
  CouponUseResult,
  DeliveryCancelResult,
  DeliveryResult,
  OrderCancel,
  OrderCreated,
  OrderRepair,
  OrderReturn,
  PaymentRefundResult,
  PaymentResult,
  PointDeductResult,
  RestoreResult,
  StockReserveResult,
} from '../../schemas/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import type { SagaAction, SagaRun } from '../../streams/kit/index.ts'
import { keyFault } from '../ids.ts'
import { finalAmount } from './amounts.ts'
import { isConflict, newOrder, orderFault } from './created.ts'
import { refundId } from './give-back.ts'
import { saidBy, timerSaid } from './order-events.ts'
import { returnsOf } from './order-row.ts'
import { orderRefundId, type OrderRules, SURPLUS } from './order-saga.ts'
import { type OrderContext, type OrderSagas, orderSagas, OrderTurn } from './order-turn.ts'
import { decideReturn } from './returns.ts'

/** Everything that an order hears of. */
export type OrderMessage =
  | { readonly kind: 'CREATED'; readonly value: OrderCreated }
  | { readonly kind: 'STOCK'; readonly value: StockReserveResult }
  | { readonly kind: 'POINTS'; readonly value: PointDeductResult }
  | { readonly kind: 'COUPON'; readonly value: CouponUseResult }
  | { readonly kind: 'RESTORE'; readonly value: RestoreResult }
  | { readonly kind: 'PAYMENT'; readonly value: PaymentResult }
  | { readonly kind: 'REFUND'; readonly value: PaymentRefundResult }
  | { readonly kind: 'DELIVERY'; readonly value: DeliveryResult }
  | { readonly kind: 'DELIVERY_CANCEL'; readonly value: DeliveryCancelResult }
  | { readonly kind: 'CANCEL'; readonly value: OrderCancel }
  | { readonly kind: 'RETURN'; readonly value: OrderReturn }
  | { readonly kind: 'REPAIR'; readonly value: OrderRepair }

export interface Orchestrator {
  readonly process: (record: StreamRecord<string, OrderMessage>, context: OrderContext) => void
  /** The durable wall timer `due` of a saga. */
  readonly due: (sagaKey: string, context: OrderContext) => void
}

export function orchestrator(rules: OrderRules): Orchestrator {
  const sagas = orderSagas(rules)
  return {
    process({ key: orderId, value: message, origin }, context) {
      const fault = keyFault(orderId, 'orderId', message.value.orderId)
      if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
      const turn = new OrderTurn(sagas, orderId, context, { record: origin, said: saidBy(message) })
      take(sagas, turn, message, context)
      turn.close()
    },
    due(key, context) {
      const [orderId, kind, id] = JSON.parse(key) as [orderId: string, kind?: string, id?: string]
      const turn = new OrderTurn(sagas, orderId, context, { said: timerSaid })
      if (kind === undefined || id === undefined) turn.order({ kind: 'timer' })
      else turn.giveBack({ kind, id }, { kind: 'timer' })
      turn.close()
    },
  }
}

function take({ rules }: OrderSagas, turn: OrderTurn, message: OrderMessage, context: OrderContext): void {
  const kind = 'answer'
  switch (message.kind) {
    case 'CREATED':
      return create(rules, turn, message.value, context)
    case 'STOCK': {
      const { value: answer } = message
      const { productId: part, epoch } = answer
      return heard(turn.order({ kind, step: 'stock', part, answer, epoch }), context)
    }
    case 'POINTS': {
      const { value: answer } = message
      return heard(turn.order({ kind, step: 'points', part: '', answer, epoch: answer.epoch }), context)
    }
    case 'COUPON': {
      const { value: answer } = message
      return heard(turn.order({ kind, step: 'coupon', part: '', answer, epoch: answer.epoch }), context)
    }
    case 'RESTORE':
      return restored(turn, message.value, context)
    case 'PAYMENT':
      return paid(turn, message.value, context)
    case 'REFUND':
      return refunded(turn, message.value, context)
    case 'DELIVERY':
      return delivered(turn, message.value, context)
    case 'DELIVERY_CANCEL':
      return stopped(turn, message.value, context)
    case 'CANCEL': {
      const run = turn.order({ kind: 'cancel', reason: message.value.reason })
      return asked(run, 'CancelNotAllowed', context)
    }
    case 'RETURN':
      return takeBack(turn, message.value, context)
    case 'REPAIR':
      return repair(turn, message.value, context)
  }
}

function create(rules: OrderRules, turn: OrderTurn, order: OrderCreated, context: OrderContext): void {
  const fault = orderFault(order, rules.currency)
  if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
  const first = turn.book.order?.data
  // It changes nothing; whoever sent it learns so when they ask with its hash.
  if (first !== undefined && isConflict(first, order)) return context.dropped('IdempotencyConflict')
  heard(turn.order({ kind: 'begin', data: newOrder(order, context.wallTime + rules.payByMs) }), context)
}

/** What changed nothing is counted, by why. What was done late needs nobody here: `paid` gives late money back. */
function heard({ notices }: SagaRun<unknown>, context: OrderContext): void {
  for (const notice of notices) if (notice.kind === 'ignored') context.dropped(`${notice.why}Answer`)
}

/** Somebody asked for something that cannot be: nobody waits for an answer, so it is put aside. */
function asked({ notices }: SagaRun<unknown>, reason: string, context: OrderContext): void {
  const ignored = notices.find((notice) => notice.kind === 'ignored')
  if (ignored === undefined) return
  if (ignored.why === 'UnknownSaga') context.deadLetter('UnknownOrder', 'no order of this id is known')
  else context.deadLetter(reason, 'its state does not allow it')
}

/** Without a returnId it answers an undo of the order's own; with one, a step that gives a part back. */
function restored(turn: OrderTurn, answer: RestoreResult, context: OrderContext): void {
  const { step, productId, lineNo, returnId, epoch } = answer
  const undone = { kind: 'undone', answer, epoch } as const
  if (returnId === SURPLUS) {
    return heard(turn.order({ kind: 'answer', step: 'surplus', part: '', answer, epoch }), context)
  }
  if (returnId !== null) {
    const part = step === 'STOCK' ? String(lineNo) : ''
    const of = step === 'STOCK' ? 'stock' : 'points'
    const saga = { kind: 'RETURN', id: returnId }
    return heard(turn.giveBack(saga, { kind: 'answer', step: of, part, answer, epoch }), context)
  }
  if (step === 'STOCK') return heard(turn.order({ ...undone, step: 'stock', part: productId ?? '' }), context)
  if (step === 'POINTS') return heard(turn.order({ ...undone, step: 'points', part: '' }), context)
  if (step === 'COUPON') return heard(turn.order({ ...undone, step: 'coupon', part: '' }), context)
  context.dropped('UnexpectedAnswer')
}

function paid(turn: OrderTurn, value: PaymentResult, context: OrderContext): void {
  const { order, givenBack } = turn.book
  // Told again while the order waits for its payment: this one went back, and pays nothing.
  const wentBack = givenBack.some(({ data }) => data.kind === 'STRAY' && data.id === value.paymentKey)
  if (wentBack && value.status === 'SUCCESS') return context.dropped('RepeatedAnswer')
  const right = order !== null && value.amount === finalAmount(order.data)
  if (value.status !== 'SUCCESS' || right) {
    const answer = { value, at: context.wallTime }
    heard(turn.order({ kind: 'answer', step: 'payment', part: '', answer }), context)
  }
  if (value.status !== 'SUCCESS' || turn.book.order?.data.paymentKey === value.paymentKey) return
  const reason = order === null ? 'UNKNOWN_ORDER' : right ? 'LATE_PAYMENT' : 'WRONG_AMOUNT'
  const { orderId, amount: money, paymentKey } = value
  if (money <= 0) return context.dropped('EmptyPayment')
  const stray = { kind: 'STRAY', id: paymentKey }
  const userId = order?.data.userId ?? ''
  const data = { ...stray, orderId, userId, lines: [], points: 0, money, shortfall: 0, paymentKey, reason }
  heard(turn.giveBack(stray, { kind: 'begin', data }), context)
}

function refunded(turn: OrderTurn, answer: PaymentRefundResult, context: OrderContext): void {
  if (answer.refundId === orderRefundId(answer.orderId)) {
    return heard(turn.order({ kind: 'undone', step: 'payment', part: '', answer }), context)
  }
  const saga = turn.book.givenBack.find(({ data }) => refundId(data) === answer.refundId)
  if (saga === undefined) return context.dropped('UnexpectedAnswer')
  heard(turn.giveBack(saga.data, { kind: 'answer', step: 'refund', part: '', answer }), context)
}

/** A cancel has no epoch: what the courier says to it is about the parcel, whichever cancel it answers. */
function stopped(turn: OrderTurn, answer: DeliveryCancelResult, context: OrderContext): void {
  const epoch = turn.book.order?.steps.find(({ name }) => name === 'delivery')?.epoch ?? 0
  heard(turn.order({ kind: 'undone', step: 'delivery', part: '', answer, epoch }), context)
}

/** What the courier says concerns the start until that is answered, then the goods' arrival. */
function delivered(turn: OrderTurn, value: DeliveryResult, context: OrderContext): void {
  const at = context.wallTime
  const { order } = turn.book
  const delivery = order?.steps.find(({ name }) => name === 'delivery')
  const started = delivery?.parts.some(({ did }) => did === 'DONE') === true
  if (delivery?.status === 'UNDOING' && value.status === 'FAILED') {
    // Whoever gave up needs no stopping.
    const { orderId, deliveryId, reason } = value
    const answer = { orderId, deliveryId, status: 'CANCELLED', reason } as const
    return heard(turn.order({ kind: 'undone', step: 'delivery', part: '', answer }), context)
  }
  // The cancel that is under way will come too late, and then the goods are there already.
  const waits = order?.steps.some(({ name }) => name === 'handover') === true
  if (delivery?.status === 'UNDOING' && started && !waits && value.status === 'DELIVERED') {
    return turn.note({ deliveredAt: at })
  }
  if (started && order?.phase === 'DONE' && value.status === 'FAILED')
    return turn.note({ deliveryFailed: true })
  const step = started ? 'handover' : 'delivery'
  heard(turn.order({ kind: 'answer', step, part: '', answer: { value, at } }), context)
}

function takeBack(turn: OrderTurn, request: OrderReturn, context: OrderContext): void {
  const { order } = turn.book
  if (order === null) return context.deadLetter('UnknownOrder', 'no order of this id is known')
  const before = returnsOf(turn.book)
  if (before.some(({ id }) => id === request.returnId)) return context.dropped('RepeatedReturn')
  if (order.phase !== 'DONE') return context.deadLetter('ReturnNotAllowed', 'its state does not allow it')
  const data = decideReturn(order.data, before, request)
  if ('message' in data) return context.deadLetter(data.reason, data.message)
  turn.giveBack(data, { kind: 'begin', data })
}

const ACTIONS: Readonly<Record<OrderRepair['action'], SagaAction | undefined>> = {
  UNKNOWN: undefined,
  RETRY: 'retry',
  RESUME: 'resume',
  COMPENSATE: 'compensate',
  RESOLVE: 'resolve',
}

/** For the order itself; where that needs nobody, for its returns and refunds that do. */
function repair(turn: OrderTurn, { action: word, reason }: OrderRepair, context: OrderContext): void {
  const action = ACTIONS[word]
  if (action === undefined) return context.deadLetter('UnknownAction', 'this program does not know it')
  const { order, givenBack } = turn.book
  const stuck = givenBack.filter(({ phase }) => phase === 'NEEDS_ATTENTION')
  if (order?.phase === 'NEEDS_ATTENTION' || stuck.length === 0) {
    return asked(turn.order({ kind: 'operator', action, reason }), 'RepairNotAllowed', context)
  }
  for (const { data } of stuck) {
    asked(turn.giveBack(data, { kind: 'operator', action, reason }), 'RepairNotAllowed', context)
  }
}
