/** A payment provider as plain books, for the gateway to meet: it does what it does, and is heard or not. */
import type { PaymentCall, PaymentCallResult } from '../../schemas/index.ts'

/** What becomes of one call. */
export interface Luck {
  /** Whether it is done now, later (it is on its way still), or never; what was done before stays done. */
  readonly done: 'now' | 'later' | 'never'
  /** Where it is done: whether the answer is no. */
  readonly refused: boolean
  /** What is heard of it: the truth, the truth twice, that nothing is known, or nothing at all. */
  readonly heard: 'truth' | 'twice' | 'unknown' | 'nothing'
}

interface Booking {
  readonly orderId: string
  readonly paymentKey: string
  readonly refundId: string | null
  readonly amount: number
  readonly paid: boolean
}

export class PlainProvider {
  readonly charges = new Map<string, Booking>()
  readonly refunds = new Map<string, Booking>()
  /** Calls that are on their way, whatever was heard of them. */
  readonly #onTheirWay: { readonly call: PaymentCall; readonly refused: boolean }[] = []

  /** News of what is booked, as a webhook brings them. */
  news(key: string): PaymentCallResult | undefined {
    const [charge, refund] = [this.charges.get(key), this.refunds.get(key)]
    const booking = charge ?? refund
    if (booking === undefined) return undefined
    return resultOf(charge === undefined ? 'REFUND' : 'CHARGE', key, booking, 0)
  }

  /** One that was on its way for long arrives. */
  arrive(now: number): void {
    const late = this.#onTheirWay.shift()
    if (late !== undefined) this.#book(late.call, late.refused, now)
  }

  /** What the log is told of a call that is made now. */
  take(call: PaymentCall, { done, refused, heard }: Luck, now: number): PaymentCallResult[] {
    const { kind, idempotencyKey: key, orderId, refundId, attempt } = call
    if (done === 'now') this.#book(call, refused, now)
    if (done === 'later') this.#onTheirWay.push({ call, refused })
    if (heard === 'nothing') return []
    const about = kind === 'REFUND' ? 'REFUND' : 'CHARGE'
    const booking = (about === 'REFUND' ? this.refunds : this.charges).get(key)
    const nothing = { ...unknown, kind: about, orderId, idempotencyKey: key, attempt, refundId } as const
    if (heard === 'unknown') return [nothing]
    if (booking !== undefined) {
      const truth = resultOf(about, key, booking, attempt)
      return heard === 'twice' ? [truth, truth] : [truth]
    }
    if (kind === 'LOOKUP') return [{ ...nothing, status: 'NOT_FOUND' }]
    return isLate(call, now) ? [{ ...nothing, status: 'FAILED', code: 'DEADLINE_PASSED' }] : [nothing]
  }

  /** Once per key, and no charge after its deadline. */
  #book(call: PaymentCall, refused: boolean, now: number): void {
    const { kind, idempotencyKey: key, orderId, paymentKey, refundId, amount } = call
    if (kind === 'CHARGE' && !isLate(call, now) && !this.charges.has(key)) {
      const name = `pay-${this.charges.size}`
      this.charges.set(key, { orderId, paymentKey: name, refundId: null, amount, paid: !refused })
    }
    if (kind === 'REFUND' && !this.refunds.has(key)) {
      const booking = { orderId, paymentKey: paymentKey ?? '', refundId, amount, paid: !refused }
      this.refunds.set(key, booking)
    }
  }

  /** Money that was taken for an order, and not paid back. */
  charged(orderId: string): Booking[] {
    return [...this.charges.values()].filter((one) => one.orderId === orderId && one.paid)
  }

  /** What was paid back of a payment. */
  back(paymentKey: string): number {
    const own = [...this.refunds.values()].filter((one) => one.paymentKey === paymentKey && one.paid)
    return own.reduce((sum, { amount }) => sum + amount, 0)
  }
}

function isLate({ deadline }: PaymentCall, now: number): boolean {
  return deadline !== null && now >= deadline
}

const unknown = {
  status: 'UNKNOWN',
  paymentKey: null,
  amount: null,
  code: null,
  retryAfterMs: null,
  eventId: null,
} as const

function resultOf(
  kind: 'CHARGE' | 'REFUND',
  idempotencyKey: string,
  { orderId, paymentKey, refundId, amount, paid }: Booking,
  attempt: number,
): PaymentCallResult {
  const status = paid ? 'SUCCEEDED' : 'FAILED'
  const told = { kind, orderId, idempotencyKey, refundId, paymentKey, amount, status, attempt } as const
  return { ...told, code: paid ? null : 'DECLINED', retryAfterMs: null, eventId: null }
}
