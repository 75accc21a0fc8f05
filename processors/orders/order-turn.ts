/**
 * One record or timer of one order: its row is read once, its sagas take their inputs, and at the end the row is stored
 * and everything that is to be told goes out: commands, statuses, facts, incidents. Revisions are given here (I15).
 */
import {
  type GiveBackData,
  type Incident,
  type OrderPart,
  type OrderRow,
  type OrderSending,
  topics,
} from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import type { LogRecord } from '../../streams/index.ts'
import { runSaga, type SagaProgress, type SagaRun } from '../../streams/kit/index.ts'
import { type GiveBackInput, giveBackSaga, refundAmount } from './give-back.ts'
import {
  addEvent,
  eventOf,
  forgetEvents,
  type OrderEventStore,
  ownSaga,
  partOf,
  passingOf,
  type Said,
  sendingsOf,
  type Whose,
  whose,
} from './order-events.ts'
import { factsOf, type StatusDraft, statusesOf } from './order-facts.ts'
import { listOrder, type OrderLists, timed } from './order-lists.ts'
import { bookOf, type OrderBook, settledReturns, wantedIncidents } from './order-row.ts'
import { type OrderInput, type OrderRules, orderSaga } from './order-saga.ts'
import { isPaid, noteOf, type OrderProgress, orderStateOf } from './order-state.ts'
import type { OrderOutput, OrderOutputName, OrderOutputValues } from './outputs.ts'
import { returnStateOf, reversedItem } from './returns.ts'

/** What the orchestrator uses; `topologies/orders.ts` gives it. */
export interface OrderContext {
  readonly stores: OrderLists & {
    readonly orders: KeyValueStore<string, OrderRow>
    readonly events: OrderEventStore
  }
  readonly emit: {
    readonly [N in OrderOutputName]: (key: string, value: OrderOutputValues[N], timestamp?: number) => void
  }
  /** One per saga; its key is `sagaKey`. */
  readonly timers: { readonly due: TimerHandle }
  readonly wallTime: number
  deadLetter(reason: string, message: string): void
  dropped(reason: string): void
}

/** What a turn is about. */
export interface Occasion {
  /** Absent: a timer. */
  readonly record?: LogRecord | undefined
  readonly said: Said
}

export interface OrderSagas {
  readonly rules: OrderRules
  readonly order: ReturnType<typeof orderSaga>
  readonly giveBack: ReturnType<typeof giveBackSaga>
}

export function orderSagas(rules: OrderRules): OrderSagas {
  return Object.freeze({ rules, order: orderSaga(rules), giveBack: giveBackSaga(rules) })
}

/** `[orderId]` of an order's own saga; `[orderId, kind, id]` of a return or refund. */
export function sagaKey(orderId: string, data?: Pick<GiveBackData, 'kind' | 'id'>): string {
  return JSON.stringify(data === undefined ? [orderId] : [orderId, data.kind, data.id])
}

export class OrderTurn {
  readonly #sagas: OrderSagas
  readonly #orderId: string
  readonly #context: OrderContext
  readonly #occasion: Occasion
  readonly #before: OrderBook
  readonly #outputs: OrderOutput[] = []
  readonly #sent: OrderSending[] = []
  #answered: OrderPart | null = null
  #book: OrderBook

  constructor(sagas: OrderSagas, orderId: string, context: OrderContext, occasion: Occasion) {
    this.#sagas = sagas
    this.#orderId = orderId
    this.#context = context
    this.#occasion = occasion
    this.#before = bookOf(context.stores.orders.get(orderId))
    this.#book = this.#before
  }

  get book(): OrderBook {
    return this.#book
  }

  /** The order's own saga takes an input. */
  order(input: OrderInput): SagaRun<OrderProgress['data']> {
    const store = {
      get: () => this.#book.order ?? undefined,
      put: (_: string, order: OrderProgress) => this.#change({ order }),
      delete: () => this.#change({ order: null }),
    }
    const commands: OrderOutput[] = []
    const run = runSaga(this.#sagas.order, sagaKey(this.#orderId), input, this.#sagaContext(store, commands))
    this.#note(ownSaga, input, run, commands)
    if (run.after === undefined || run.after === run.before) return run
    this.#confirm(run.after)
    this.#outputs.push(...factsOf(run.before, run.after, this.#now))
    for (const status of statusesOf(run.before, run.after)) this.#status(status)
    return run
  }

  /** A return, or a payment that is not the order's, takes an input. */
  giveBack(data: Pick<GiveBackData, 'kind' | 'id'>, input: GiveBackInput): SagaRun<GiveBackData> {
    const { kind, id } = data
    const others = () => this.#book.givenBack.filter(({ data: one }) => one.kind !== kind || one.id !== id)
    const store = {
      get: () => this.#book.givenBack.find(({ data: one }) => one.kind === kind && one.id === id),
      put: (_: string, saga: SagaProgress<GiveBackData>) => this.#change({ givenBack: [...others(), saga] }),
      delete: () => this.#change({ givenBack: others() }),
    }
    const key = sagaKey(this.#orderId, data)
    const commands: OrderOutput[] = []
    const run = runSaga(this.#sagas.giveBack, key, input, this.#sagaContext(store, commands))
    this.#note(whose(data), input, run, commands)
    const { before, after } = run
    if (after?.phase === 'DONE' && before?.phase !== 'DONE' && kind === 'RETURN') this.#returned(after.data)
    return run
  }

  /** What the courier says between two steps, or after the last. */
  note(news: Partial<Pick<OrderProgress['data'], 'deliveredAt' | 'deliveryFailed'>>): void {
    const { order } = this.#book
    if (order !== null) this.#change({ order: { ...order, data: { ...order.data, ...news } } })
  }

  /** Stores the row, its event and its places in the lists, and sends what there is to send. */
  close(): void {
    this.#incidents()
    if (this.#book !== this.#before) this.#store()
    for (const output of this.#outputs) emit(this.#context, output)
  }

  #store(): void {
    const { stores } = this.#context
    const { order, givenBack, events } = this.#book
    this.#book = timed(this.#before, this.#book, this.#now)
    listOrder(stores, this.#before, this.#book)
    if (order === null && givenBack.length === 0) {
      forgetEvents(stores.events, this.#orderId, events)
      return stores.orders.delete(this.#orderId)
    }
    const event = eventOf({
      ...this.#occasion,
      record: this.#occasion.record,
      at: this.#now,
      answered: this.#answered,
      sent: this.#sent,
      passed: passingOf(this.#outputs),
    })
    this.#change({ events: addEvent(stores.events, this.#orderId, events, event) })
    stores.orders.put(this.#orderId, this.#book)
  }

  get #now(): number {
    return this.#context.wallTime
  }

  #change(changes: Partial<OrderBook>): void {
    this.#book = { ...this.#book, ...changes }
  }

  #sagaContext<S>(store: S, commands: OrderOutput[]) {
    const { timers, wallTime } = this.#context
    const send = (command: OrderOutput): void => {
      commands.push(command)
      this.#outputs.push(command)
    }
    return { store, timer: timers.due, send, wallTime }
  }

  /** For the timeline: what the input answered, and what it made the saga send. */
  #note(
    of: Whose,
    input: Parameters<typeof partOf>[1],
    run: SagaRun<unknown>,
    commands: readonly OrderOutput[],
  ): void {
    if (run.after === undefined || run.after === run.before) return
    this.#answered = partOf(of, input) ?? this.#answered
    this.#sent.push(...sendingsOf(of, run.after, commands))
  }

  /** The moment is kept with the order: facts of this turn have the same time, later ones look it up. */
  #confirm(order: OrderProgress): void {
    if (!isPaid(order) || order.data.confirmedAt !== null) return
    this.#change({ order: { ...order, data: { ...order.data, confirmedAt: this.#now } } })
  }

  #status(draft: StatusDraft): void {
    const { order } = this.#book
    const returnState = order === null ? 'NONE' : returnStateOf(order.data, settledReturns(this.#book))
    const value = { ...draft, returnState, revision: this.#nextRevision(), at: this.#now } as const
    this.#outputs.push({ topic: 'orderStatus', value })
  }

  #returned(data: GiveBackData): void {
    const { order } = this.#book
    if (order === null) return
    const { orderId, userId, id: returnId, lines, reason } = data
    const value = {
      orderId,
      userId,
      returnId,
      items: lines.map(reversedItem),
      refundAmount: data.paymentKey === null ? 0 : refundAmount(data),
      confirmedAt: order.data.confirmedAt,
      at: this.#now,
      reason,
    }
    this.#outputs.push({ topic: 'orderReturned', value })
    this.#status({ orderId, userId, state: orderStateOf(order), step: '', attempt: 0, note: noteOf(order) })
  }

  /** Opens what should be open and is not, resolves the rest. */
  #incidents(): void {
    const wanted = wantedIncidents(this.#orderId, this.#book)
    const open = this.#book.incidents
    const isSame = (a: { invariant: string; subject: string }, b: { invariant: string; subject: string }) =>
      a.invariant === b.invariant && a.subject === b.subject
    const opened = wanted.filter((one) => !open.some((other) => isSame(one, other)))
    const over = open.filter((one) => !wanted.some((other) => isSame(one, other)))
    if (opened.length + over.length === 0) return
    const openedAt = this.#now
    const kept = open.filter((one) => !over.includes(one))
    this.#change({
      incidents: [...kept, ...opened.map(({ invariant, subject }) => ({ invariant, subject, openedAt }))],
    })
    for (const { detail, ...one } of opened) this.#incident({ ...one, openedAt }, 'OPEN', detail)
    for (const one of over) this.#incident(one, 'RESOLVED', '')
  }

  #incident(
    { invariant, subject, openedAt }: OrderBook['incidents'][number],
    status: 'OPEN' | 'RESOLVED',
    detail: string,
  ): void {
    const { topic = '', partition = 0, offset = -1 } = this.#occasion.record ?? {}
    const now = this.#now
    const value: Incident = {
      invariant,
      subject,
      couponId: null,
      status,
      detail,
      occurrences: 1,
      openedAt,
      lastSeenAt: now,
      resolvedAt: status === 'RESOLVED' ? now : null,
      topic,
      partition,
      offset,
      pauseRequested: false,
      revision: this.#nextRevision(),
    }
    this.#outputs.push({ topic: 'opsIncident', value })
  }

  #nextRevision(): number {
    this.#change({ revision: this.#book.revision + 1 })
    return this.#book.revision
  }
}

/** Under the key that the catalogue gives it. */
function emit(context: OrderContext, { topic, value }: OrderOutput): void {
  const key = (topics[topic].keyOf as (value: unknown) => string)(value)
  const send = context.emit[topic] as (key: string, value: unknown, timestamp?: number) => void
  send(key, value, context.wallTime)
}
