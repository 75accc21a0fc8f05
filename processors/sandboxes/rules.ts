/**
 * What a sandbox does with what it is asked for: a pure function of the request, so that a replay does the same. A rule
 * may be any such function; `seededPayments` and `seededDeliveries` make some that look like chance, and those of
 * `test-users.ts` do what a user's id says.
 */

/** Something that a sandbox is asked for; what comes again without need is not asked about. */
export interface PaymentRequest {
  readonly kind: 'PAYMENT' | 'REFUND'
  readonly orderId: string
  /** Whose order it is; empty for refunds. */
  readonly userId: string
  /** Epoch of a payment; of a refund how often it failed before. */
  readonly attempt: number
  /** Of a refund; empty for payments. */
  readonly refundId: string
  readonly amount: number
}

export interface PaymentOutcome {
  readonly approve: boolean
  /** Minor units that are charged where it is not what was asked for. */
  readonly charged?: number
  /** Until the answer, milliseconds of wall time. */
  readonly delayMs: number
  /** How often the answer is sent: 0 = lost, 2 = twice. */
  readonly answers: 0 | 1 | 2
}

export type PaymentRule = (request: PaymentRequest) => PaymentOutcome

export interface DeliveryOutcome {
  /** `REFUSED`: never starts. `LOST`: fails after its start. */
  readonly ends: 'DELIVERED' | 'REFUSED' | 'LOST'
  /** Until it starts, milliseconds of wall time. Until then it can be called off. */
  readonly startMs: number
  /** From start to end, milliseconds of wall time. */
  readonly travelMs: number
  /** How often each of its news is sent, the answer to the first cancel among them: 0 = lost, 2 = twice. */
  readonly answers: 0 | 1 | 2
}

export type DeliveryRule = (request: {
  readonly orderId: string
  readonly customerId: string
  readonly attempt: number
}) => DeliveryOutcome

/** How many of 1,000 requests meet each fate, and how long answers take. */
export interface Chances {
  readonly seed: number
  readonly decline: number
  readonly lose: number
  readonly twice: number
  /** Delays are 0 to this, milliseconds. */
  readonly maxDelayMs: number
}

export const approveAll: PaymentRule = () => ({ approve: true, delayMs: 0, answers: 1 })

export const deliverAll: DeliveryRule = () => ({
  ends: 'DELIVERED',
  startMs: 1_000,
  travelMs: 60_000,
  answers: 1,
})

/** Throws a `RangeError` for shares that are not 0 to 1,000. */
export function seededPayments(chances: Chances): PaymentRule {
  checkChances(chances)
  const { seed, decline, maxDelayMs } = chances
  return ({ kind, orderId, attempt, refundId }) => {
    const what = `${seed}|${kind}|${orderId}|${attempt}|${refundId}`
    return {
      approve: draw(`${what}|verdict`, 1_000) >= decline,
      delayMs: draw(`${what}|delay`, maxDelayMs + 1),
      answers: answersOf(chances, what),
    }
  }
}

/** Half of those that are declined never start, the others are lost on the way. Throws as `seededPayments` does. */
export function seededDeliveries(chances: Chances): DeliveryRule {
  checkChances(chances)
  const { seed, decline, maxDelayMs } = chances
  return ({ orderId, attempt }) => {
    const what = `${seed}|DELIVERY|${orderId}|${attempt}`
    const fate = draw(`${what}|verdict`, 1_000)
    return {
      ends: fate >= decline ? 'DELIVERED' : fate % 2 === 0 ? 'REFUSED' : 'LOST',
      startMs: draw(`${what}|start`, maxDelayMs + 1),
      travelMs: draw(`${what}|travel`, maxDelayMs + 1),
      answers: answersOf(chances, what),
    }
  }
}

function answersOf({ lose, twice }: Chances, what: string): 0 | 1 | 2 {
  const fate = draw(`${what}|answers`, 1_000)
  if (fate < lose) return 0
  return fate < lose + twice ? 2 : 1
}

function checkChances({ decline, lose, twice, maxDelayMs }: Chances): void {
  const shares = { decline, lose, twice, 'lose and twice': lose + twice }
  for (const [name, share] of Object.entries(shares)) {
    if (!(share >= 0 && share <= 1_000)) throw new RangeError(`${name} is ${share}, not 0 to 1,000`)
  }
  if (!Number.isSafeInteger(maxDelayMs) || maxDelayMs < 0) {
    throw new RangeError(`maxDelayMs ${maxDelayMs} is no duration`)
  }
}

/** A number below `limit` that depends on the text alone: FNV-1a, and the last mixing of MurmurHash3. */
function draw(text: string, limit: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % limit
}
