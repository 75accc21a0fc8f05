/** The books of the reference provider: what each idempotency key came to, once. */
export interface Booking {
  readonly idempotencyKey: string
  readonly orderId: string
  /** paymentKey, or deliveryId. */
  readonly name: string
  readonly amount: number
  readonly currency: string
  /** SUCCEEDED, FAILED, PENDING; of shipments ACCEPTED, STARTED, DELIVERED, FAILED, CANCELLED. */
  readonly status: string
  readonly code: string | undefined
  readonly refundId?: string | undefined
  /** REFUND: of which charge. */
  readonly of?: string | undefined
}

export class Ledger {
  readonly charges = new Map<string, Booking>()
  readonly refunds = new Map<string, Booking>()
  readonly shipments = new Map<string, Booking>()
  /** What couriers were told, by orderId. */
  readonly addresses = new Map<string, unknown>()
  #names = 0

  /** Does it unless the key was seen; @returns what the key came to */
  once(book: Map<string, Booking>, key: string, make: (name: string) => Booking): Booking {
    const before = book.get(key)
    if (before !== undefined) return before
    const made = make(`p-${++this.#names}`)
    book.set(key, made)
    return made
  }

  /** What may still be paid back of a payment, minor units. */
  left(paymentKey: string): number {
    const paid = [...this.charges.values()].find(
      ({ name, status }) => name === paymentKey && status === 'SUCCEEDED',
    )
    const back = [...this.refunds.values()].filter(
      ({ of, status }) => of === paymentKey && status === 'SUCCEEDED',
    )
    return (paid?.amount ?? 0) - sum(back)
  }

  /** Money that the provider has of an order's customer, minor units. */
  net(orderId: string): number {
    const own = (book: Map<string, Booking>) =>
      [...book.values()].filter((one) => one.orderId === orderId && one.status === 'SUCCEEDED')
    return sum(own(this.charges)) - sum(own(this.refunds))
  }
}

function sum(bookings: readonly Booking[]): number {
  return bookings.reduce((total, { amount }) => total + amount, 0)
}
