/** A courier as plain books, for the gateway to meet: it does what it does, and is heard or not. */
import type { DeliveryCall, DeliveryCallResult } from '../../schemas/index.ts'

type Status = 'ACCEPTED' | 'STARTED' | 'DELIVERED' | 'FAILED' | 'CANCELLED'

/** What becomes of one call. */
export interface Luck {
  /** Whether it is done now, later (it is on its way still), or never. */
  readonly done: 'now' | 'later' | 'never'
  /** What a shipment begins as. */
  readonly begins: 'ACCEPTED' | 'STARTED' | 'FAILED'
  readonly heard: 'truth' | 'twice' | 'unknown' | 'nothing'
}

const NEXT: Readonly<Partial<Record<Status, Status>>> = { ACCEPTED: 'STARTED', STARTED: 'DELIVERED' }
const nothing = { deliveryId: null, code: null, retryAfterMs: null, eventId: null } as const

export class PlainCourier {
  readonly shipments = new Map<string, { readonly orderId: string; readonly status: Status }>()
  /** Keys of what was ever on the road. */
  readonly started = new Set<string>()
  /** All that was ever to be told, in the order in which it happened. */
  readonly told: DeliveryCallResult[] = []
  readonly #onTheirWay: { readonly call: DeliveryCall; readonly luck: Luck }[] = []

  arrive(): void {
    const late = this.#onTheirWay.shift()
    if (late !== undefined) this.#book(late.call, late.luck)
  }

  /** A shipment goes on its way. */
  move(nth: number): void {
    const [key = '', { orderId, status } = { orderId: '', status: 'CANCELLED' as const }] =
      [...this.shipments][nth] ?? []
    const next = NEXT[status]
    if (next !== undefined) this.#set(key, orderId, next)
  }

  take(call: DeliveryCall, luck: Luck): DeliveryCallResult[] {
    const { kind, orderId, idempotencyKey: key, attempt } = call
    const tooLate = kind === 'CANCEL' && this.started.has(key)
    if (luck.done === 'now') this.#book(call, luck)
    if (luck.done === 'later') this.#onTheirWay.push({ call, luck })
    if (luck.heard === 'nothing') return []
    const about = kind === 'CANCEL' ? 'CANCEL' : 'SHIPMENT'
    const told = {
      ...nothing,
      kind: about,
      orderId,
      idempotencyKey: key,
      attempt,
      status: 'UNKNOWN',
    } as const
    const status = this.shipments.get(key)?.status
    const isOver = status === 'CANCELLED' || status === 'FAILED'
    const isUndone = status === undefined || (kind === 'CANCEL' && luck.done !== 'now' && !isOver)
    if (luck.heard === 'unknown' || (isUndone && !tooLate)) return [told]
    // What had failed goes nowhere: a cancel of it is as good as done.
    const said = tooLate ? 'TOO_LATE' : kind === 'CANCEL' ? 'CANCELLED' : (status ?? 'UNKNOWN')
    const truth: DeliveryCallResult = { ...told, status: said, deliveryId: `d-${key.slice(0, 6)}` }
    return luck.heard === 'twice' ? [truth, truth] : [truth]
  }

  #book({ kind, idempotencyKey: key, orderId }: DeliveryCall, { begins }: Luck): void {
    const before = this.shipments.get(key)
    if (kind === 'SHIP' && before === undefined) {
      this.#set(key, orderId, begins)
    }
    // FAILED is final, as the contract says.
    if (kind !== 'CANCEL' || this.started.has(key) || before?.status === 'FAILED') return
    this.#set(key, orderId, 'CANCELLED')
  }

  #set(key: string, orderId: string, status: Status): void {
    this.shipments.set(key, { orderId, status })
    if (status === 'STARTED') this.started.add(key)
    const news = { kind: 'SHIPMENT', orderId, idempotencyKey: key, attempt: 0, status } as const
    this.told.push({ ...nothing, ...news, deliveryId: `d-${key.slice(0, 6)}` })
  }
}
