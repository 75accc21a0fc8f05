/**
 * An order's charge at a provider that may be silent, as far as the shop knows it. Pure.
 *
 *     (none) ── request ──► ASKING ── the provider says so ──► SUCCEEDED | FAILED
 *     ASKING ── not found, asked after the deadline ─────────► FAILED
 *     FAILED, or paid and wholly given back ── request of a higher epoch ──► ASKING
 *
 * 1. While it is ASKING, it is asked for: nothing but the provider's word ends it.
 * 2. One charge at a time: a higher epoch waits until what became of the one before, and of what it was asked to give
 *    back, is known.
 * 3. "There is none" counts only where no charge can come any more: the provider makes none after the deadline, and a
 *    lookup that was asked for `graceMs` after it has seen all that were made.
 * 4. The same request again says that the order no longer waits (it turned round): from then on nothing is charged, only
 *    looked up. What was charged all the same is told, and the orchestrator gives it back (I19).
 */
import type { ChargeTerms, GatewayCharge, PaymentCallResult } from '../../schemas/index.ts'
import { asked, beginAsking, notAsked } from './asking.ts'
import { idempotencyKey } from './idempotency.ts'

/** What becomes of a request: `NEW` is asked for, `REPEAT` is told as it is, `WAIT` when it is known. */
export type ChargeHandling = 'NEW' | 'REPEAT' | 'WAIT' | 'OUTDATED'

/** What is left of a payment: something, nothing, or nothing once all that was asked for is paid back. */
export type Remains = 'SOME' | 'NONE' | 'UNKNOWN'

export function requestCharge(
  before: GatewayCharge | undefined,
  remains: Remains,
  orderId: string,
  terms: ChargeTerms,
  now: number,
): { readonly handling: ChargeHandling; readonly charge: GatewayCharge } {
  if (before === undefined) return { handling: 'NEW', charge: newCharge(undefined, orderId, terms, now) }
  const { epoch } = terms
  const known = before.terms.epoch
  if (epoch < known) return { handling: 'OUTDATED', charge: before }
  if (before.state === 'ASKING') return { handling: 'WAIT', charge: askedMeanwhile(before, terms) }
  if (epoch === known) return { handling: 'REPEAT', charge: before }
  if (remains === 'SOME')
    return { handling: 'REPEAT', charge: { ...before, terms: { ...before.terms, epoch } } }
  if (remains === 'UNKNOWN') return { handling: 'WAIT', charge: waitingFor(before, terms) }
  return { handling: 'NEW', charge: newCharge(before, orderId, terms, now) }
}

function askedMeanwhile(before: GatewayCharge, terms: ChargeTerms): GatewayCharge {
  const { epoch } = terms
  if (epoch === before.terms.epoch) return { ...before, lookOnly: true }
  if (before.next === null || epoch > before.next.epoch) return { ...before, next: terms }
  // The one that waits is no longer wanted either.
  if (epoch === before.next.epoch) return { ...before, lookOnly: true, next: null }
  return before
}

/** What was paid is being paid back. The one that waits, asked for again, is no longer wanted. */
function waitingFor(before: GatewayCharge, terms: ChargeTerms): GatewayCharge {
  if (before.next === null || terms.epoch > before.next.epoch) return { ...before, next: terms }
  return terms.epoch === before.next.epoch ? { ...before, next: null } : before
}

/** What is left of the payment serves the request that waited for what becomes of it. */
export function servesNext(before: GatewayCharge): GatewayCharge {
  return { ...before, terms: takenOver(before), next: null }
}

/** Of the terms, after the one before has come to nothing. */
export function newCharge(
  before: GatewayCharge | undefined,
  orderId: string,
  terms: ChargeTerms,
  now: number,
): GatewayCharge {
  return {
    terms,
    idempotencyKey: idempotencyKey('charge', orderId, terms.epoch),
    state: 'ASKING',
    lookOnly: false,
    paymentKey: null,
    failureCode: null,
    asking: beginAsking(before?.asking ?? notAsked, now),
    next: null,
    elsewhere: null,
  }
}

/** The next call: in time it is the charge itself, which is made once however often it is asked for. */
export function chargeCall(
  before: GatewayCharge,
  now: number,
): { readonly kind: 'CHARGE' | 'LOOKUP'; readonly charge: GatewayCharge } {
  const inTime = now < before.terms.deadline && !before.lookOnly
  return { kind: inTime ? 'CHARGE' : 'LOOKUP', charge: { ...before, asking: asked(before.asking, now) } }
}

/** From when on nothing that is not there will come. */
export function settledAt({ terms }: GatewayCharge, graceMs: number): number {
  return terms.deadline + graceMs
}

/** What news make of the charge that they name: it is known now, it is to be asked again, or nothing. */
export type Heard<T> =
  | { readonly kind: 'KNOWN'; readonly row: T }
  | { readonly kind: 'AGAIN'; readonly row: T }
  | { readonly kind: 'IGNORED'; readonly why: 'StaleAnswer' | 'ContradictingAnswer' | 'RepeatedAnswer' }

export function hearOfCharge(
  before: GatewayCharge,
  { status, attempt, paymentKey, code }: PaymentCallResult,
  graceMs: number,
  now: number,
): Heard<GatewayCharge> {
  if (status === 'SUCCEEDED') {
    if (before.state === 'SUCCEEDED') return { kind: 'IGNORED', why: 'RepeatedAnswer' }
    const row = { ...before, state: 'SUCCEEDED', paymentKey, failureCode: null, next: null } as const
    return { kind: 'KNOWN', row: { ...row, terms: takenOver(before) } }
  }
  if (before.state !== 'ASKING') {
    const contradicts = status === 'FAILED' && before.state === 'SUCCEEDED'
    return { kind: 'IGNORED', why: contradicts ? 'ContradictingAnswer' : 'RepeatedAnswer' }
  }
  if (status === 'FAILED') return { kind: 'KNOWN', row: failed(before, paymentKey, code ?? 'DECLINED') }
  if (attempt !== before.asking.attempt) return { kind: 'IGNORED', why: 'StaleAnswer' }
  const settled = settledAt(before, graceMs)
  if (status === 'NOT_FOUND' && before.asking.askedAt >= settled) {
    return { kind: 'KNOWN', row: failed(before, null, 'NOT_CHARGED') }
  }
  // Pending until the deadline is no silence.
  const silentSince = status === 'PENDING' && now < settled ? now : before.asking.silentSince
  return { kind: 'AGAIN', row: { ...before, asking: { ...before.asking, silentSince } } }
}

/** What is paid serves whoever waited for it. */
function takenOver({ terms, next }: GatewayCharge): ChargeTerms {
  return next === null ? terms : { ...terms, epoch: next.epoch, command: next.command }
}

function failed(before: GatewayCharge, paymentKey: string | null, failureCode: string): GatewayCharge {
  return { ...before, state: 'FAILED', paymentKey, failureCode }
}
