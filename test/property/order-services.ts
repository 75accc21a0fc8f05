/**
 * The services of an order as a plain model: what each command makes of stock, points, coupon, money and parcel, by the
 * rules that receivers keep (once per epoch, undo before do, the same answer again). It shares no code with the kit.
 */
import type { OrderOutput } from '../../processors/orders/outputs.ts'
import type { OrderMessage } from '../../processors/index.ts'

/** One thing that can be done and undone. */
class Deed {
  epoch = -1
  undone = -1
  stands = false
  #said = false

  /** Undefined: it was undone. */
  do(epoch: number, yes: boolean): boolean | undefined {
    if (epoch <= this.undone || epoch < this.epoch) return undefined
    if (epoch === this.epoch) return this.#said
    this.epoch = epoch
    this.#said = this.stands || yes
    this.stands = this.#said
    return this.#said
  }

  /** False: it does nothing any more. */
  undo(epoch: number): boolean {
    if (epoch <= this.undone || epoch < this.epoch) return false
    this.undone = epoch
    this.stands = false
    return true
  }
}

export class Services {
  readonly stock = new Map<string, Deed>()
  /** Units per line of what is held or sold. */
  readonly units = new Map<number, number>()
  readonly points = new Deed()
  pointsSpent = 0
  readonly coupon = new Deed()
  /** By paymentKey. */
  readonly paid = new Map<string, number>()
  readonly refunds = new Map<string, { readonly paymentKey: string; readonly amount: number }>()
  readonly discount: number
  parcel: 'NONE' | 'STARTED' | 'DELIVERED' | 'FAILED' | 'STOPPED' = 'NONE'
  readonly #payments = new Map<number, OrderMessage>()
  readonly #parts = new Set<string>()

  constructor(discount: number) {
    this.discount = discount
  }

  /** What the service that a command is for says to it; `yes` where it may choose. Nothing: it says nothing. */
  hear({ topic, value }: OrderOutput, yes: boolean): OrderMessage[] {
    switch (topic) {
      case 'stockReserveRequested': {
        const { orderId, productId, epoch, lines } = value
        const deed = this.#stockOf(productId)
        const stood = deed.stands
        const said = deed.do(epoch, yes)
        if (deed.stands && !stood) for (const { lineNo, quantity } of lines) this.units.set(lineNo, quantity)
        const status = said === undefined ? 'CANCELLED' : said ? 'RESERVED' : 'REJECTED'
        return [
          { kind: 'STOCK', value: { orderId, productId, status, available: null, reason: null, epoch } },
        ]
      }
      case 'stockRestoreRequested': {
        const { productId, epoch, lines, returnId } = value
        const undid = returnId === null && this.#stockOf(productId).undo(epoch)
        return lines.map(({ lineNo, quantity }) => {
          if (undid) this.units.set(lineNo, 0)
          if (returnId !== null && this.#once(`${returnId}/${lineNo}`)) {
            this.units.set(lineNo, (this.units.get(lineNo) ?? 0) - quantity)
          }
          return restored({ ...value, step: 'STOCK', lineNo })
        })
      }
      case 'pointDeductRequested': {
        const { orderId, userId, epoch, amount } = value
        const stood = this.points.stands
        const said = this.points.do(epoch, yes)
        if (this.points.stands && !stood) this.pointsSpent = amount
        const status = said === undefined ? 'CANCELLED' : said ? 'DEDUCTED' : 'REJECTED'
        return [
          { kind: 'POINTS', value: { orderId, userId, status, balanceAfter: null, reason: null, epoch } },
        ]
      }
      case 'pointRestoreRequested': {
        const { returnId, amount, epoch } = value
        if (returnId === null && this.points.undo(epoch)) this.pointsSpent = 0
        // A part of what was undone meanwhile is nothing.
        if (returnId !== null && this.#once(returnId)) this.pointsSpent -= this.points.stands ? amount : 0
        return [restored({ ...value, step: 'POINTS', productId: null, lineNo: null })]
      }
      case 'couponUseRequested': {
        const { orderId, userCouponId, epoch } = value
        const said = this.coupon.do(epoch, yes)
        const status = said === undefined ? 'CANCELLED' : said ? 'USED' : 'REJECTED'
        const discountAmount = said === true ? this.discount : null
        return [
          { kind: 'COUPON', value: { orderId, userCouponId, status, discountAmount, reason: null, epoch } },
        ]
      }
      case 'couponRestoreRequested':
        this.coupon.undo(value.epoch)
        return [restored({ ...value, step: 'COUPON', productId: null, lineNo: null, returnId: null })]
      case 'paymentRequested': {
        const known = this.#payments.get(value.epoch)
        const answer = known ?? (yes ? this.pay(value.orderId, 'own', value.amount) : declined(value.orderId))
        this.#payments.set(value.epoch, answer)
        return [answer]
      }
      case 'paymentRefundRequested': {
        const { refundId, orderId, paymentKey, amount } = value
        // One that failed is tried anew; one that was paid out is not paid out again.
        if (yes && !this.refunds.has(refundId)) this.refunds.set(refundId, { paymentKey, amount })
        const status = this.refunds.has(refundId) ? 'REFUNDED' : 'FAILED'
        return [{ kind: 'REFUND', value: { refundId, orderId, paymentKey, amount, status, reason: null } }]
      }
      case 'deliveryRequested':
        if (this.parcel === 'NONE') this.parcel = yes ? 'STARTED' : 'FAILED'
        return [this.courier(value.orderId)]
      case 'deliveryCancelRequested': {
        if (this.parcel === 'NONE' || this.parcel === 'FAILED') this.parcel = 'STOPPED'
        const status = this.parcel === 'STOPPED' ? 'CANCELLED' : 'TOO_LATE'
        return [
          {
            kind: 'DELIVERY_CANCEL',
            value: { orderId: value.orderId, deliveryId: null, status, reason: null },
          },
        ]
      }
      default:
        return []
    }
  }

  /** The customer pays, asked or not. */
  pay(orderId: string, paymentKey: string, amount: number): OrderMessage {
    this.paid.set(paymentKey, amount)
    return { kind: 'PAYMENT', value: { orderId, paymentKey, amount, status: 'SUCCESS', failureCode: null } }
  }

  /** Where the parcel is; the goods arrive when `arrive` says so. */
  courier(orderId: string, arrive = false): OrderMessage {
    if (arrive && this.parcel === 'STARTED') this.parcel = 'DELIVERED'
    const status = this.parcel === 'STARTED' || this.parcel === 'DELIVERED' ? this.parcel : 'FAILED'
    return { kind: 'DELIVERY', value: { orderId, deliveryId: 'd', status, reason: null } }
  }

  get unitsHeld(): number {
    return [...this.units.values()].reduce((sum, units) => sum + units, 0)
  }

  moneyKept(paymentKey?: string): number {
    const of = (key: string) => paymentKey === undefined || key === paymentKey
    const paid = [...this.paid].reduce((sum, [key, amount]) => sum + (of(key) ? amount : 0), 0)
    const refunds = [...this.refunds.values()]
    return paid - refunds.reduce((sum, one) => sum + (of(one.paymentKey) ? one.amount : 0), 0)
  }

  #stockOf(productId: string): Deed {
    const deed = this.stock.get(productId) ?? new Deed()
    this.stock.set(productId, deed)
    return deed
  }

  #once(what: string): boolean {
    const first = !this.#parts.has(what)
    this.#parts.add(what)
    return first
  }
}

function declined(orderId: string): OrderMessage {
  const value = { orderId, paymentKey: 'none', amount: 0, status: 'FAILED', failureCode: 'DECLINED' } as const
  return { kind: 'PAYMENT', value }
}

interface Restored {
  readonly orderId: string
  readonly step: 'STOCK' | 'POINTS' | 'COUPON'
  readonly productId: string | null
  readonly lineNo: number | null
  readonly returnId: string | null
  readonly epoch: number
}
function restored({ orderId, step, productId, lineNo, returnId, epoch }: Restored): OrderMessage {
  const value = {
    orderId,
    step,
    lineNo,
    returnId,
    status: 'RESTORED',
    reason: null,
    productId,
    shortfall: 0,
    epoch,
  } as const
  return { kind: 'RESTORE', value }
}
