/** A wallet as a plain list of coupons and of what orders asked. Nothing is shared with the rules that it judges. */
import type { WalletMessage } from '../../processors/index.ts'
import type { UserCouponStatus } from '../../schemas/index.ts'

interface ModelCoupon {
  status: UserCouponStatus
  readonly expiresAt: number | null
  revoked: boolean
}

interface Asked {
  readonly couponId: string
  readonly epoch: number
  readonly at: number
  readonly until: number
}

interface ModelOrder {
  readonly answers: Map<number, string>
  undoneUpTo: number
  /** The coupon that it uses. */
  uses: string | undefined
  waits: Asked | undefined
}

/** Every coupon takes so much off. */
const OFF = 500

export class WalletModel {
  readonly coupons = new Map<string, ModelCoupon>()
  /** Of each order, in turn: answers to its uses, and to its undos. */
  readonly said = new Map<string, string[]>()
  readonly restored = new Map<string, string[]>()
  readonly #orders = new Map<string, ModelOrder>()
  readonly #waitMs: number

  constructor(waitMs: number) {
    this.#waitMs = waitMs
  }

  tick(now: number): void {
    for (const coupon of this.coupons.values()) {
      if (coupon.status === 'ISSUED' && isOver(coupon, now)) coupon.status = 'EXPIRED'
    }
    for (const [orderId, order] of this.#orders) {
      if (order.waits !== undefined && order.waits.until <= now) {
        this.#say(orderId, order, order.waits.epoch, 'REJECTED UNKNOWN_COUPON')
        order.waits = undefined
      }
    }
  }

  apply({ kind, message }: WalletMessage, at: number): void {
    this.tick(at)
    const { userCouponId } = message
    const coupon = this.coupons.get(userCouponId)
    if (kind === 'ISSUED') {
      if (coupon !== undefined) return
      this.coupons.set(userCouponId, { status: 'ISSUED', expiresAt: message.expiresAt, revoked: false })
      const waiting = [...this.#orders].filter(([, { waits }]) => waits?.couponId === userCouponId)
      waiting.sort(([, a], [, b]) => (a.waits?.at ?? 0) - (b.waits?.at ?? 0))
      for (const [orderId, order] of waiting) this.#decide(orderId, order, order.waits as Asked)
    } else if (kind === 'REVOKE') {
      if (coupon?.status === 'ISSUED') coupon.status = 'REVOKED'
      if (coupon?.status === 'USED') coupon.revoked = true
    } else if (kind === 'USE') this.#use(message.orderId, message.epoch, userCouponId, at)
    else this.#undo(message.orderId, message.epoch, at)
  }

  #order(orderId: string): ModelOrder {
    const unasked: ModelOrder = { answers: new Map(), undoneUpTo: -1, uses: undefined, waits: undefined }
    const order = this.#orders.get(orderId) ?? unasked
    this.#orders.set(orderId, order)
    return order
  }

  #say(orderId: string, order: ModelOrder, epoch: number, answer: string): void {
    if (!answer.startsWith('CANCELLED')) order.answers.set(epoch, answer)
    this.said.set(orderId, [...(this.said.get(orderId) ?? []), answer])
  }

  #use(orderId: string, epoch: number, couponId: string, at: number): void {
    const order = this.#order(orderId)
    const newest = Math.max(-1, ...order.answers.keys(), order.waits?.epoch ?? -1)
    if (epoch <= order.undoneUpTo || epoch < newest) return this.#say(orderId, order, epoch, 'CANCELLED')
    const known =
      order.answers.get(epoch) ?? (order.uses === undefined ? undefined : order.answers.get(newest))
    if (known !== undefined) return this.#say(orderId, order, epoch, known)
    if (order.waits?.epoch === epoch) return
    const asked = { couponId, epoch, at, until: at + this.#waitMs }
    if (this.coupons.has(couponId)) this.#decide(orderId, order, asked)
    else order.waits = asked
  }

  #decide(orderId: string, order: ModelOrder, { couponId, epoch, at }: Asked): void {
    const coupon = this.coupons.get(couponId) as ModelCoupon
    order.waits = undefined
    const over = isOver(coupon, at) ? 'EXPIRED' : coupon.status
    if (coupon.status === 'USED') this.#say(orderId, order, epoch, 'REJECTED ALREADY_USED')
    else if (coupon.status === 'REVOKED') this.#say(orderId, order, epoch, 'REJECTED REVOKED')
    else if (over === 'EXPIRED') this.#say(orderId, order, epoch, 'REJECTED EXPIRED')
    else {
      coupon.status = 'USED'
      order.uses = couponId
      this.#say(orderId, order, epoch, `USED ${OFF}`)
    }
  }

  #undo(orderId: string, epoch: number, at: number): void {
    const order = this.#order(orderId)
    const newest = Math.max(-1, ...order.answers.keys(), order.waits?.epoch ?? -1)
    const counts = epoch > order.undoneUpTo && epoch >= newest
    this.restored.set(orderId, [...(this.restored.get(orderId) ?? []), counts ? 'RESTORED' : 'ALREADY'])
    if (!counts) return
    order.undoneUpTo = epoch
    if (order.waits !== undefined) this.#say(orderId, order, order.waits.epoch, 'CANCELLED')
    order.waits = undefined
    const coupon = this.coupons.get(order.uses ?? '')
    order.uses = undefined
    if (coupon === undefined) return
    coupon.status = coupon.revoked ? 'REVOKED' : isOver(coupon, at) ? 'EXPIRED' : 'ISSUED'
  }
}

function isOver({ expiresAt }: ModelCoupon, now: number): boolean {
  return expiresAt !== null && expiresAt <= now
}
