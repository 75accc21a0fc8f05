/**
 * Asks for mails: one task has a user's facts, profile and suppressed address.
 *
 * Invariants:
 * 1. A mail is asked for once at most for as long as it is known (I22); what happened longer ago than `maxAgeMs`, which is
 *    less, is not asked for at all.
 * 2. What a mail is sent to stays sealed: nothing here opens it (I25).
 */
import type { MailMark, MailRequested, MailSuppressed, UserProfile } from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { type Fault, idFault, keyFault } from '../ids.ts'
import { mailSubject } from './mails.ts'

export type MailMessage =
  | { readonly kind: 'MAIL'; readonly mail: MailRequested }
  | { readonly kind: 'PROFILE'; readonly profile: UserProfile | null }
  | { readonly kind: 'SUPPRESSED'; readonly suppressed: MailSuppressed | null }

export interface MailRules {
  /** A fact that is older is no news: no mail. Milliseconds. */
  readonly maxAgeMs: number
  /** How long it is known that a mail was asked for; longer than `maxAgeMs`. Milliseconds. */
  readonly keepMs: number
}

/** What the requester uses; `topologies/mailer.ts` gives it. */
export interface MailContext {
  readonly stores: {
    readonly mails: KeyValueStore<string, MailMark>
    readonly addresses: KeyValueStore<string, UserProfile>
    readonly suppressions: KeyValueStore<string, MailSuppressed>
  }
  readonly emit: { readonly requested: (subject: string, mail: MailRequested) => void }
  /** Forget that a mail was asked for. */
  readonly timers: { readonly mail: TimerHandle }
  readonly wallTime: number
  deadLetter(reason: string, message: string): void
  dropped(reason: string): void
}

export interface MailRequester {
  readonly process: (record: StreamRecord<string, MailMessage>, context: MailContext) => void
  readonly forget: (mailId: string, context: Pick<MailContext, 'stores'>) => void
}

export function mailRequester(rules: MailRules): MailRequester {
  return {
    process(record, context) {
      const fault = faultOf(record)
      if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
      const { key: userId, value } = record
      const { addresses, suppressions } = context.stores
      if (value.kind === 'MAIL') request(rules, record.timestamp, value.mail, context)
      else if (value.kind === 'PROFILE') keep(addresses, userId, value.profile)
      else keep(suppressions, userId, value.suppressed)
    },
    forget: (mailId, { stores }) => stores.mails.delete(mailId),
  }
}

function faultOf({ key, value }: StreamRecord<string, MailMessage>): Fault | undefined {
  if (value.kind === 'MAIL')
    return keyFault(key, 'userId', value.mail.userId) ?? idFault('subject', mailSubject(value.mail))
  const stored = value.kind === 'PROFILE' ? value.profile : value.suppressed
  return stored === null ? idFault('userId', key) : keyFault(key, 'userId', stored.userId)
}

function keep<V>(store: KeyValueStore<string, V>, userId: string, value: V | null): void {
  if (value === null) store.delete(userId)
  else store.put(userId, value)
}

function request(rules: MailRules, timestamp: number, mail: MailRequested, context: MailContext): void {
  const { stores, emit, timers, wallTime } = context
  if (wallTime - timestamp >= rules.maxAgeMs) return context.dropped('MailTooLate')
  const profile = stores.addresses.get(mail.userId)
  const email = profile?.email ?? null
  // An order is answered for in any case; who has no address is not told of a coupon.
  if (email === null && mail.userCouponId !== null) return context.dropped('NoAddress')
  if (stores.mails.get(mail.mailId) !== undefined) return
  stores.mails.put(mail.mailId, { requestedAt: wallTime })
  timers.mail.schedule(mail.mailId, wallTime + rules.keepMs)
  const suppressed = email !== null && stores.suppressions.get(mail.userId)?.email.equals(email) === true
  emit.requested(mailSubject(mail), { ...mail, email, locale: profile?.locale ?? null, suppressed })
}
