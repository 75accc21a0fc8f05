/**
 * What a timeline keeps of one record or timer: where it lies, what it was made from, what it said, and what the order
 * sent and told because of it. Positions and causes are those of the log's own headers; nothing is worked out later.
 */
import type {
  GiveBackData,
  OrderEvent,
  OrderPart,
  OrderPassing,
  OrderSending,
  RecordPlace,
} from '../../schemas/index.ts'
import type { KeyValueStore } from '../../state/index.ts'
import type { LogRecord } from '../../streams/index.ts'
import { currentStep, type SagaProgress } from '../../streams/kit/index.ts'
import type { OrderMessage } from './orchestrate.ts'
import type { OrderOutput } from './outputs.ts'

/** Events by (orderId, 0..n). */
export type OrderEventStore = KeyValueStore<[orderId: string, number: number], OrderEvent>

/** Events of an order at most; of what comes after nothing is kept. An order that goes well has about 15. */
export const MAX_EVENTS = 1_000

/** What a record is to an order, and what it says: codes only, nothing that a person wrote. */
export interface Said {
  readonly kind: string
  readonly status: string
  readonly reason: string | null
}

export function saidBy(message: OrderMessage): Said {
  const { kind } = message
  switch (message.kind) {
    case 'STOCK':
    case 'POINTS':
    case 'COUPON':
    case 'RESTORE':
    case 'REFUND':
    case 'DELIVERY':
    case 'DELIVERY_CANCEL':
      return { kind, status: message.value.status, reason: message.value.reason }
    case 'PAYMENT':
      return { kind, status: message.value.status, reason: message.value.failureCode }
    case 'REPAIR':
      return { kind, status: message.value.action, reason: null }
    case 'RETURN':
      return { kind, status: '', reason: message.value.returnId }
    default:
      return { kind, status: '', reason: null }
  }
}

export const timerSaid: Said = Object.freeze({ kind: 'TIMER', status: '', reason: null })

/** Whose saga a step is of. */
export interface Whose {
  readonly kind: string
  readonly id: string
}
export const ownSaga: Whose = Object.freeze({ kind: 'ORDER', id: '' })

export function whose({ kind, id }: Pick<GiveBackData, 'kind' | 'id'>): Whose {
  return { kind, id }
}

/** Which command an input answers; nothing where it is no answer. */
export function partOf(
  { kind, id }: Whose,
  input: { readonly kind: string; readonly step?: unknown; readonly part?: string },
): OrderPart | null {
  if (input.kind !== 'answer' && input.kind !== 'undone') return null
  return { kind, id, step: String(input.step), part: input.part ?? '', undo: input.kind === 'undone' }
}

/** What one run of a saga sent: all of it is of the step that it came to. */
export function sendingsOf(
  { kind, id }: Whose,
  progress: SagaProgress<unknown>,
  commands: readonly OrderOutput[],
): OrderSending[] {
  const step = currentStep(progress)
  if (step === undefined) return []
  const { name, attempt, epoch, status } = step
  const undo = status === 'UNDOING'
  return commands.map(({ topic, value }) => {
    const part = 'productId' in value ? value.productId : ''
    return { of: { kind, id, step: name, part, undo }, topic, attempt, epoch }
  })
}

export function passingOf(outputs: readonly OrderOutput[]): OrderPassing[] {
  return outputs.flatMap((output) => {
    if (output.topic !== 'orderStatus') return []
    const { state, returnState, step, attempt, note, revision } = output.value
    return [{ state, returnState, step, attempt, note, revision }]
  })
}

export interface HappenedTo {
  readonly at: number
  /** Nothing of a timer. */
  readonly record: LogRecord | undefined
  readonly said: Said
  readonly answered: OrderPart | null
  readonly sent: readonly OrderSending[]
  readonly passed: readonly OrderPassing[]
}

export function eventOf({ at, record, said, answered, sent, passed }: HappenedTo): OrderEvent {
  const lineage = record?.lineage
  return {
    ...said,
    at,
    record: record === undefined ? null : placeOf(record),
    cause: lineage?.cause === undefined ? null : placeOf(lineage.cause),
    causationId: lineage?.causationId ?? null,
    answered,
    sent: [...sent],
    passed: [...passed],
  }
}

function placeOf({ topic, partition, offset, timestamp }: RecordPlace): RecordPlace {
  return { topic, partition, offset, timestamp }
}

/** Adds an event behind the last; answers how many there are now. */
export function addEvent(store: OrderEventStore, orderId: string, events: number, event: OrderEvent): number {
  if (events >= MAX_EVENTS) return events
  store.put([orderId, events], event)
  return events + 1
}

export function forgetEvents(store: OrderEventStore, orderId: string, events: number): void {
  for (let number = 0; number < events; number++) store.delete([orderId, number])
}
