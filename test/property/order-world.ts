/** One order among services that refuse, lose, repeat and reorder; what it said, and what stands at the end. */
import type { OrderOutput, OrderOutputName, OrderOutputValues } from '../../processors/orders/outputs.ts'
import type { OrderMessage } from '../../processors/index.ts'
import type { OrderCreated, OrderItem, OrderRepair, OrderStatus } from '../../schemas/index.ts'
import { type Host, START } from './order-hosts.ts'
import { Services } from './order-services.ts'

export const PAY_WITHIN_MS = 600_000

export interface Given {
  readonly items: readonly OrderItem[]
  readonly pointsToUse: number
  /** Null: no coupon. */
  readonly discount: number | null
  readonly shipped: boolean
  readonly completeOn: 'started' | 'delivered'
}

export type Event =
  /** A command reaches its service, once more if it did before. */
  | { readonly kind: 'deliver'; readonly which: number; readonly yes: boolean }
  /** An answer reaches the order, once more if it did before. */
  | { readonly kind: 'answer'; readonly which: number }
  /** All that was sent and not delivered is, and answered. */
  | { readonly kind: 'flow'; readonly yes: boolean }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'pay'; readonly key: string; readonly amount: number }
  | { readonly kind: 'return'; readonly id: string; readonly lineNo: number; readonly quantity: number }
  | { readonly kind: 'cancel' | 'again' | 'arrive' }
  | { readonly kind: 'repair'; readonly action: OrderRepair['action'] }

const TERMINAL: readonly string[] = ['COMPLETED', 'FAILED', 'CANCELLED']

export class OrderWorld {
  readonly given: Given
  readonly services: Services
  readonly outputs: OrderOutput[] = []
  /** What did not hold when it should have, in words. */
  readonly complaints: string[] = []
  readonly #host: Host
  readonly #created: OrderCreated
  readonly #commands: { readonly output: OrderOutput; delivered: boolean }[] = []
  readonly #answers: { readonly message: OrderMessage; taken: boolean }[] = []
  /** An operator said how it is; what stands proves nothing any more. */
  byHand = false
  strays = 0

  constructor(host: Host, given: Given) {
    this.#host = host
    this.given = given
    this.services = new Services(given.discount ?? 0)
    this.#created = {
      orderId: 'o1',
      userId: 'ann',
      items: given.items,
      userCouponId: given.discount === null ? null : 'c1',
      pointsToUse: given.pointsToUse,
      currency: 'GBP',
      payBy: START + PAY_WITHIN_MS,
      shipTo: given.shipped ? Buffer.from('sealed') : null,
      bodyHash: null,
    }
  }

  async play(events: readonly Event[]): Promise<void> {
    await this.#take({ kind: 'CREATED', value: this.#created })
    for (const event of events) await this.#play(event)
  }

  /** Everything arrives, time passes, an operator tries again what is stuck. */
  async settle(): Promise<void> {
    for (let round = 0; round < 60; round++) {
      await this.#flow(true)
      if (this.#answers.some(({ taken }) => !taken) || this.#commands.some(({ delivered }) => !delivered))
        continue
      if (this.open.length > 0) {
        await this.#take(this.#repair('RETRY'))
      } else if (TERMINAL.includes(this.status?.state ?? '') && this.#host.now > this.#created.payBy) {
        return
      } else {
        await this.#say(this.services.parcel === 'STARTED' ? this.services.courier('o1', true) : undefined)
        await this.#pass(PAY_WITHIN_MS / 4)
      }
    }
    this.complaints.push(`I14: it neither ends nor asks for attention: ${JSON.stringify(this.status)}`)
  }

  get statuses(): OrderStatus[] {
    return this.facts('orderStatus')
  }

  get status(): OrderStatus | undefined {
    return this.statuses.at(-1)
  }

  facts<N extends OrderOutputName>(topic: N): OrderOutputValues[N][] {
    return this.outputs.filter((one) => one.topic === topic).map(({ value }) => value as OrderOutputValues[N])
  }

  /** Incidents that are not resolved and that time does not end. */
  get open(): string[] {
    const last = new Map<string, string>()
    for (const { invariant, subject, status } of this.facts('opsIncident')) {
      if (invariant === 'ORDER_NEEDS_ATTENTION') last.set(subject, status)
    }
    return [...last].filter(([, status]) => status === 'OPEN').map(([subject]) => subject)
  }

  async #play(event: Event): Promise<void> {
    switch (event.kind) {
      case 'deliver':
        return this.#deliver(back(this.#commands, event.which), event.yes)
      case 'answer':
        return this.#hear(back(this.#answers, event.which))
      case 'flow':
        return this.#flow(event.yes)
      case 'wait':
        return this.#pass(event.ms)
      case 'again':
        return this.#take({ kind: 'CREATED', value: this.#created })
      case 'cancel':
        return this.#take({ kind: 'CANCEL', value: { orderId: 'o1', reason: '', actor: '' } })
      case 'pay':
        this.strays++
        return this.#say(this.services.pay('o1', `${event.key}${this.strays}`, event.amount))
      case 'arrive':
        return this.#say(this.services.parcel === 'STARTED' ? this.services.courier('o1', true) : undefined)
      case 'return': {
        const items = [{ lineNo: event.lineNo, quantity: event.quantity }]
        const value = { orderId: 'o1', returnId: event.id, items, reason: '', actor: '' }
        return this.#take({ kind: 'RETURN', value })
      }
      case 'repair':
        this.byHand ||= this.open.length > 0 && (event.action === 'RESUME' || event.action === 'RESOLVE')
        return this.#take(this.#repair(event.action))
    }
  }

  #repair(action: OrderRepair['action']): OrderMessage {
    return { kind: 'REPAIR', value: { orderId: 'o1', action, reason: '', actor: '' } }
  }

  async #flow(yes: boolean): Promise<void> {
    for (const sent of this.#commands.slice()) if (!sent.delivered) await this.#deliver(sent, yes)
    for (const given of this.#answers.slice()) if (!given.taken) await this.#hear(given)
  }

  async #deliver(sent: { readonly output: OrderOutput; delivered: boolean } | undefined, yes: boolean) {
    if (sent === undefined) return
    sent.delivered = true
    for (const message of this.services.hear(sent.output, yes)) this.#answers.push({ message, taken: false })
    for (const key of this.services.paid.keys()) {
      if (this.services.moneyKept(key) < 0) this.complaints.push(`I20: more of ${key} went back than came`)
    }
  }

  async #hear(given: { readonly message: OrderMessage; taken: boolean } | undefined): Promise<void> {
    if (given === undefined) return
    given.taken = true
    await this.#take(given.message)
  }

  async #say(message: OrderMessage | undefined): Promise<void> {
    if (message !== undefined) this.#answers.push({ message, taken: false })
  }

  async #pass(ms: number): Promise<void> {
    this.#sent(await this.#host.wait(ms))
  }

  async #take(message: OrderMessage): Promise<void> {
    this.#sent(await this.#host.send(message))
  }

  #sent(outputs: readonly OrderOutput[]): void {
    for (const output of outputs) {
      this.outputs.push(output)
      if (output.topic.endsWith('Requested')) this.#commands.push({ output, delivered: false })
      if (output.topic === 'orderConfirmed') this.#checkSale(output.value)
    }
  }

  /** I17, when it is said. */
  #checkSale({ finalAmount }: OrderOutputValues['orderConfirmed']): void {
    if (this.byHand) return
    const { units } = this.services
    for (const { lineNo, quantity } of this.given.items) {
      if (units.get(lineNo) !== quantity) this.complaints.push(`I17: line ${lineNo} is not held`)
    }
    const ownKept = Math.max(
      0,
      ...[...this.services.paid.values()].filter((amount) => amount === finalAmount),
    )
    if (ownKept !== finalAmount) this.complaints.push(`I17: ${finalAmount} was not paid`)
  }
}

/** The n-th from the end, round and round. */
function back<T>(list: readonly T[], n: number): T | undefined {
  return list.at(-1 - (n % Math.max(1, list.length)))
}
