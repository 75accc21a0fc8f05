/** The delivery sandbox: keeps deliveries, lets them go their way in time, and tells how they go. */
import type {
  DeliveryCancel,
  DeliveryCancelResult,
  DeliveryRequested,
  DeliveryResult,
  SandboxDelivery,
} from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import { pastCauseOf } from '../../streams/kit/index.ts'
import type { LogRecord, PastCause, StreamRecord } from '../../streams/index.ts'
import { keyFault } from '../ids.ts'
import { type Keeping, tooOld } from '../keeping.ts'
import {
  cancelResult,
  decideCancel,
  decideDelivery,
  deliveryResult,
  initialDelivery,
  proceed,
} from './decide-delivery.ts'
import type { DeliveryRule } from './rules.ts'

export type DeliveryCommand =
  | { readonly kind: 'SEND'; readonly command: DeliveryRequested }
  | { readonly kind: 'CANCEL'; readonly command: DeliveryCancel }

/** What the sandbox uses; `topologies/delivery-sandbox.ts` gives it. */
export interface DeliveryContext {
  readonly stores: { readonly deliveries: KeyValueStore<string, SandboxDelivery> }
  readonly emit: {
    readonly news: (orderId: string, result: DeliveryResult) => void
    readonly cancelled: (orderId: string, result: DeliveryCancelResult) => void
  }
  /** What happens next to a delivery; forget it. */
  readonly timers: { readonly next: TimerHandle; readonly forget: TimerHandle }
  readonly wallTime: number
  deadLetter(reason: string, message: string): void
  causedBy(cause: PastCause): void
}

export interface DeliverySandbox {
  readonly process: (record: StreamRecord<string, DeliveryCommand>, context: DeliveryContext) => void
  readonly next: (orderId: string, context: DeliveryContext) => void
  readonly forget: (orderId: string, context: DeliveryContext) => void
}

export function deliverySandboxKeeper(keeping: Keeping, rule: DeliveryRule): DeliverySandbox {
  return {
    process({ key: orderId, value, timestamp, origin }, context) {
      const wrongKey = keyFault(orderId, 'orderId', value.command.orderId)
      const fault = wrongKey ?? tooOld(keeping, timestamp, context.wallTime)
      if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
      if (value.kind === 'SEND') send({ keeping, rule, origin }, value.command, context)
      else cancel(keeping, orderId, context)
    },
    next,
    forget: (orderId, { stores }) => stores.deliveries.delete(orderId),
  }
}

interface Asked {
  readonly keeping: Keeping
  readonly rule: DeliveryRule
  /** Of the command. */
  readonly origin: LogRecord
}

function send({ keeping, rule, origin }: Asked, command: DeliveryRequested, context: DeliveryContext): void {
  const { orderId } = command
  const { stores, timers, emit, wallTime } = context
  const { delivery, startMs } = decideDelivery(
    rule,
    stores.deliveries.get(orderId) ?? initialDelivery,
    command,
  )
  if (startMs === undefined) {
    const result = deliveryResult(orderId, delivery)
    if (result !== undefined) emit.news(orderId, result)
    return
  }
  stores.deliveries.put(orderId, { ...delivery, command: pastCauseOf(origin) })
  timers.forget.schedule(orderId, wallTime + keeping.keepDoneMs)
  if (startMs === 0) next(orderId, context)
  else timers.next.schedule(orderId, wallTime + startMs)
}

/** The durable timer `next` of an order: its delivery starts, or ends. */
function next(orderId: string, context: DeliveryContext): void {
  const { stores, timers, emit, wallTime } = context
  const before = stores.deliveries.get(orderId)
  const after = before === undefined ? undefined : proceed(before)
  if (after === undefined) return
  const { delivery, endMs } = after
  stores.deliveries.put(orderId, delivery)
  if (delivery.command !== null) context.causedBy(delivery.command)
  const result = deliveryResult(orderId, delivery)
  for (let i = 0; i < delivery.answers && result !== undefined; i++) emit.news(orderId, result)
  if (endMs === 0) next(orderId, context)
  else if (endMs !== undefined) timers.next.schedule(orderId, wallTime + endMs)
}

/** The first answer may be lost or come twice; who asks again is answered. */
function cancel(keeping: Keeping, orderId: string, context: DeliveryContext): void {
  const { stores, timers, emit, wallTime } = context
  const { delivery, status } = decideCancel(stores.deliveries.get(orderId) ?? initialDelivery)
  stores.deliveries.put(orderId, delivery)
  timers.forget.schedule(orderId, wallTime + keeping.keepDoneMs)
  if (status === 'CANCELLED') timers.next.cancel(orderId)
  const answers = delivery.cancels === 1 ? delivery.answers : 1
  for (let i = 0; i < answers; i++) emit.cancelled(orderId, cancelResult(orderId, delivery, status))
}
