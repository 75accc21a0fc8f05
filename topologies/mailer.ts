/**
 * Mails that a customer is to get: facts about orders and coupons, repartitioned to their user, whose profile and
 * suppressed address lie in the same task.
 */
import {
  completedMail,
  couponMail,
  failedMail,
  givesMoneyBack,
  type MailMessage,
  mailRequester,
  type MailRules,
  refundMail,
} from '../processors/index.ts'
import {
  type MailMark,
  mailMarkSchema,
  type MailRequested,
  type MailSuppressed,
  mailSuppressedSchema,
  stateSerde,
  topics,
  type UserProfile,
  userProfileSchema,
} from '../schemas/index.ts'
import { keyValueStore } from '../state/index.ts'
import { processor, shape, type Stream, type Topology, topology } from '../streams/index.ts'

/** Mails that were asked for, by mailId. */
export const mailStore = keyValueStore<MailMark>({
  name: 'mails',
  value: stateSerde(mailMarkSchema),
  version: mailMarkSchema.version,
  lookups: 'mostly-absent',
})

/** Profiles by userId, sealed. */
export const mailAddressStore = keyValueStore<UserProfile>({
  name: 'mail-addresses',
  value: stateSerde(userProfileSchema),
  version: userProfileSchema.version,
})

/** Addresses that mails came back from, by userId, sealed. */
export const mailSuppressionStore = keyValueStore<MailSuppressed>({
  name: 'mail-suppressions',
  value: stateSerde(mailSuppressedSchema),
  version: mailSuppressedSchema.version,
})

export interface MailerOptions extends Partial<MailRules> {
  /** ISO 4217 code of all amounts. */
  readonly currency: string
}

const DAY_MS = 86_400_000
/** A record that says nothing, or about nobody, is a fault of whoever sent it. */
const source = { onNullKey: 'dead-letter', onNullValue: 'dead-letter' } as const
const table = { onNullKey: 'dead-letter', onNullValue: 'pass' } as const

/** Throws a `RangeError` for durations that cannot be; facts of two days, known for thirty, unless told. */
export function mailer({ currency, maxAgeMs = 2 * DAY_MS, keepMs = 30 * DAY_MS }: MailerOptions): Topology {
  if (!(maxAgeMs >= 1 && keepMs > maxAgeMs))
    throw new RangeError(`mails of ${maxAgeMs} ms, known for ${keepMs} ms, would be sent twice`)
  const requester = requesterOf({ maxAgeMs, keepMs })
  return topology('mailer', (t) => {
    const completed = t
      .stream(topics.orderCompleted, { ...source, eventTime: ({ completedAt }) => completedAt })
      .mapValues((order) => completedMail(order, currency), { name: 'completed' })
    const failed = t.stream(topics.orderFailed, source).mapValues(failedMail, { name: 'failed' })
    const cancelled = t
      .stream(topics.orderCancelled, { ...source, eventTime: ({ at }) => at })
      .filter(givesMoneyBack, { name: 'cancelled-with-money' })
      .mapValues((order) => refundMail(order, currency), { name: 'cancelled' })
    const returned = t
      .stream(topics.orderReturned, { ...source, eventTime: ({ at }) => at })
      .filter(givesMoneyBack, { name: 'returned-with-money' })
      .mapValues((order) => refundMail(order, currency), { name: 'returned' })
    const issued = t.stream(topics.couponIssued, source).mapValues(couponMail, { name: 'issued' })
    const profiles = t
      .stream(topics.userProfile, table)
      .mapValues((profile): MailMessage => ({ kind: 'PROFILE', profile }), { name: 'profiles' })
    const suppressed = t
      .stream(topics.mailSuppressed, table)
      .mapValues((one): MailMessage => ({ kind: 'SUPPRESSED', suppressed: one }), { name: 'suppressed' })
    profiles
      .merge(
        suppressed,
        byUser(completed, 'completed'),
        byUser(failed, 'failed'),
        byUser(cancelled, 'cancelled'),
        byUser(returned, 'returned'),
        byUser(issued, 'issued'),
      )
      .process(requester)
      .requested.to(topics.mailRequested)
  })
}

function byUser(mails: Stream<string, MailRequested>, fact: string): Stream<string, MailMessage> {
  const { key, value } = topics.mailRequested
  return mails
    .selectKey(({ userId }) => userId, { name: `${fact}-user` })
    .repartition({ name: `${fact}-mails-by-user`, key, value })
    .mapValues((mail): MailMessage => ({ kind: 'MAIL', mail }), { name: `${fact}-of-user` })
}

function requesterOf(rules: MailRules) {
  const { process, forget } = mailRequester(rules)
  return processor({
    name: 'mail-requester',
    input: shape<string, MailMessage>(),
    stores: { mails: mailStore, addresses: mailAddressStore, suppressions: mailSuppressionStore },
    outputs: { requested: shape<string, MailRequested>() },
    timers: { mail: 'wall' },
    process,
    onTimer: { mail: forget },
  })
}
