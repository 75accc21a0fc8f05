/**
 * Holds what is on the cluster to the oracle of coupons: requests, verdicts and wallets as Kafka's own Java consumer
 * reads them, committed records only. Answers are complaints; none is a pass.
 */
import { WALLET, wallet, walletStore } from '../../../topologies/index.ts'
import { type AnyTopic, changelogTopic } from '../../../streams/index.ts'
import {
  type CouponHistory,
  expectedVerdicts,
  firstDifference,
  judgeCoupon,
  type LoggedRequest,
  type PlainCampaign,
  type PlainIssued,
  type PlainRejected,
  type Verdict,
} from '../../crash/coupon-oracle.ts'
import type { Ask } from '../../crash/coupon-load.ts'
import { topicNamed } from '../../support/engine-shop.ts'
import { type OracleRecord, readCommitted } from '../../support/kafka/oracle.ts'

/** A request whose append was acknowledged, and where it lies. */
export interface Accepted {
  readonly ask: Ask
  readonly partition: number
  readonly offset: number
}

export interface Evidence {
  readonly bootstrap: string
  readonly application: string
  readonly campaigns: readonly PlainCampaign[]
  readonly accepted: readonly Accepted[]
  /** Whose serdes read what is there; else those of this program. */
  readonly topics?: ((name: string) => AnyTopic) | undefined
  /**
   * What a request's bytes mean in this program's own schema; nothing for bytes that mean nothing, which must not be
   * decided. Absent: they are as they are.
   */
  readonly meaning?: ((value: Buffer) => Buffer | undefined) | undefined
}

export interface Judged {
  readonly complaints: readonly string[]
  /** How many requests came out how, by the oracle. */
  readonly outcomes: ReadonlyMap<string, number>
  /** Verdicts that were said before. */
  readonly repeated: number
}

export interface JudgeOptions {
  /** A verdict may have been said more often than it was asked for, as at least once allows; else it may not. */
  readonly repeats?: boolean
}

export async function judgeCoupons(
  evidence: Evidence,
  { repeats = false }: JudgeOptions = {},
): Promise<Judged> {
  const { campaigns, accepted, meaning } = evidence
  const requests = await decoded<LoggedRequest['value']>(evidence, 'coupon.issue.requested', meaning)
  const issued = await decoded<PlainIssued>(evidence, 'coupon.issued')
  const rejected = await decoded<PlainRejected>(evidence, 'coupon.issue.rejected')
  const askedOf = Map.groupBy(requests, ({ value }) => value.couponId)
  const issuedOf = Map.groupBy(issued, ({ value }) => value.couponId)
  const rejectedOf = Map.groupBy(rejected, ({ value }) => value.couponId)
  const outcomes = new Map<string, number>()
  const verdicts = [...new Set([...askedOf.keys(), ...issuedOf.keys(), ...rejectedOf.keys()])].flatMap(
    (couponId) => {
      const campaign = campaigns.find((one) => one.couponId === couponId)
      const some = askedOf.get(couponId) ?? []
      count(outcomes, campaign, some)
      const history = {
        campaign,
        requests: some,
        issued: valuesOf(issuedOf.get(couponId)),
        rejected: valuesOf(rejectedOf.get(couponId)),
      }
      return repeats ? judgeRepeated(history) : judgeCoupon(history)
    },
  )
  const complaints = [
    ...judgeAccepted(accepted, requests),
    ...verdicts,
    ...(await judgeWallets(evidence, valuesOf(issued), repeats)),
  ]
  const said = [...issued, ...rejected].map(({ value }) => verdictKey(value))
  return { complaints, outcomes, repeated: said.length - new Set(said).size }
}

/** One request is one place in the log. */
function verdictKey({ couponId, sourceOffset }: PlainIssued | PlainRejected): string {
  return `${couponId} ${sourceOffset}`
}

/** As `judgeCoupon`, but for how often a verdict was said. */
function judgeRepeated({ campaign, requests, issued, rejected }: CouponHistory): string[] {
  const { verdicts } = expectedVerdicts(campaign, requests)
  const [expectedIssues, expectedRefusals] = [true, false].map((isIssue) => {
    return verdicts.filter(({ says }) => says.startsWith('ISSUED') === isIssue).map(verdictText)
  }) as [string[], string[]]
  const issues = issued.map(({ requestId, userId, sequence, sourceOffset, issuedAt }) => {
    return verdictText({ requestId, userId, says: `ISSUED #${sequence}`, offset: sourceOffset, at: issuedAt })
  })
  const refusals = rejected.map(({ requestId, userId, reason, sourceOffset, rejectedAt }) => {
    return verdictText({ requestId, userId, says: reason, offset: sourceOffset, at: rejectedAt })
  })
  return [
    ...firstDifference('issued', once(expectedIssues), once(issues)),
    ...firstDifference('rejected', once(expectedRefusals), once(refusals)),
  ]
}

function verdictText({ requestId, userId, says, offset, at }: Verdict): string {
  return `${requestId} of ${userId}: ${says}, asked at ${offset} (${at})`
}

/** The first of each, in order. */
function once(texts: readonly string[]): string[] {
  return [...new Set(texts)]
}

function meant(records: readonly OracleRecord[], meaning: Evidence['meaning']): readonly OracleRecord[] {
  if (meaning === undefined) return records
  return records.flatMap((record) => {
    const value = record.value === null ? undefined : meaning(record.value)
    return value === undefined ? [] : [{ ...record, value }]
  })
}

interface Decoded<V> extends LoggedRequest {
  readonly value: LoggedRequest['value'] & V
}

async function decoded<V>(
  { bootstrap, topics = topicNamed }: Evidence,
  topic: string,
  meaning?: Evidence['meaning'],
): Promise<Decoded<V>[]> {
  const { value: serde } = topics(topic)
  const records = meant(await readCommitted(bootstrap, topic), meaning)
  return records.map(({ partition, offset, timestamp, value }) => {
    if (value === null) throw new Error(`${topic}-${partition} has no value at ${offset}`)
    return {
      partition,
      offset,
      appendTime: timestamp,
      value: serde.deserialize(value) as Decoded<V>['value'],
    }
  })
}

function valuesOf<V>(records: readonly Decoded<V>[] = []): V[] {
  return records.map(({ value }) => value)
}

function count(
  outcomes: Map<string, number>,
  campaign: PlainCampaign | undefined,
  requests: readonly LoggedRequest[],
): void {
  for (const { says } of expectedVerdicts(campaign, requests).verdicts) {
    const outcome = says.split(' ')[0] as string
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
}

/** Nothing accepted is lost: each lies where its answer said, as it was sent. */
function judgeAccepted(accepted: readonly Accepted[], requests: readonly LoggedRequest[]): string[] {
  const byPlace = new Map(requests.map(({ partition, offset, value }) => [`${partition}/${offset}`, value]))
  return accepted.flatMap(({ ask, partition, offset }) => {
    const found = byPlace.get(`${partition}/${offset}`)
    const same =
      found?.requestId === ask.requestId && found.userId === ask.userId && found.couponId === ask.couponId
    return same ? [] : [`${ask.requestId} was accepted at ${partition}/${offset} and is not there`]
  })
}

/**
 * Every issued coupon goes to its owner's partition once per time it was said, and the wallets, as the changelog has
 * them, are what was issued.
 */
async function judgeWallets(
  { bootstrap, application, topics }: Evidence,
  issued: readonly PlainIssued[],
  repeats: boolean,
): Promise<string[]> {
  const [repartition] = wallet().internalTopics
  if (repartition === undefined) throw new Error('the wallets have no topic of their own')
  const { value: serde } = topics?.(repartition.name) ?? repartition
  const moved = (await readCommitted(bootstrap, repartition.name)).map(({ value }) => {
    return value === null ? 'nothing' : coupon(serde.deserialize(value) as PlainIssued)
  })
  const task = { topology: WALLET, subTopology: 1, partition: 0 }
  const changes = await readCommitted(bootstrap, changelogTopic(application, task, walletStore.name))
  const wallets = new Set<string>()
  for (const { key, value } of changes) {
    const owned = walletStore.key.decode(String(key?.toString('latin1'))).join(' ')
    if (value === null) wallets.delete(owned)
    else wallets.add(owned)
  }
  const said = issued.map(coupon).toSorted()
  const all = repeats ? once : (texts: string[]): string[] => texts
  return [
    ...firstDifference('issued, by user', all(said), all(moved.toSorted())),
    ...firstDifference('wallets', once(said), [...wallets].toSorted()),
  ]
}

function coupon({ userId, userCouponId }: PlainIssued): string {
  return `${userId} ${userCouponId}`
}
