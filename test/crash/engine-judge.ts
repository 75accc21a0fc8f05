/** Opens what the last process left and holds it to the oracle, and to itself (I24). */
import type { RequestState } from '../../schemas/index.ts'
import { couponIssuance, requestStore, WALLET, walletStore } from '../../topologies/index.ts'
import { type Decoded, Engine } from '../support/engine.ts'
import type { Ask, CouponLoad } from './coupon-load.ts'
import {
  expectedVerdicts,
  firstDifference,
  judgeCoupon,
  type LoggedRequest,
  type PlainCampaign,
  type PlainIssued,
  type PlainRejected,
} from './coupon-oracle.ts'

/** An acknowledged request, and where it lies. */
export interface Ack {
  readonly ask: Ask
  readonly partition: number
  readonly offset: number
}

export interface Judged {
  /** None is a pass. */
  readonly complaints: readonly string[]
  /** How many requests came out how, by the oracle. */
  readonly outcomes: ReadonlyMap<string, number>
}

export async function judgeEngine(
  directory: string,
  campaigns: readonly PlainCampaign[],
  acks: readonly Ack[],
  load: CouponLoad,
): Promise<Judged> {
  const engine = await Engine.open(directory)
  try {
    await engine.drain()
    const requests = (await engine.records('coupon.issue.requested')) as readonly LoggedRequest[]
    const complaints = [
      ...judgeAcknowledged(acks, requests),
      ...(await judgeVerdicts(engine, campaigns, requests)),
      ...judgeStores(engine, campaigns, requests, load),
      ...(await judgeWallets(engine)),
      ...(await judgeJournals(engine)),
    ]
    return { complaints, outcomes: countOutcomes(campaigns, requests) }
  } finally {
    await engine.close()
  }
}

function countOutcomes(
  campaigns: readonly PlainCampaign[],
  requests: readonly LoggedRequest[],
): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [couponId, some] of Map.groupBy(requests, ({ value }) => value.couponId)) {
    const campaign = campaigns.find((one) => one.couponId === couponId)
    for (const { says } of expectedVerdicts(campaign, some).verdicts) {
      const outcome = says.split(' ')[0] as string
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
    }
  }
  return counts
}

/** Nothing acknowledged is lost: each lies where its answer said, as it was sent. */
function judgeAcknowledged(acks: readonly Ack[], requests: readonly LoggedRequest[]): string[] {
  const byPlace = new Map(requests.map(({ partition, offset, value }) => [`${partition}/${offset}`, value]))
  return acks.flatMap(({ ask, partition, offset }) => {
    const found = byPlace.get(`${partition}/${offset}`)
    const same =
      found?.requestId === ask.requestId && found.userId === ask.userId && found.couponId === ask.couponId
    return same ? [] : [`${ask.requestId} was acknowledged at ${partition}/${offset} and is not there`]
  })
}

async function judgeVerdicts(
  engine: Engine,
  campaigns: readonly PlainCampaign[],
  requests: readonly LoggedRequest[],
): Promise<string[]> {
  const issued = byCoupon(await engine.records('coupon.issued'))
  const rejected = byCoupon(await engine.records('coupon.issue.rejected'))
  const asked = Map.groupBy(requests, ({ value }) => value.couponId)
  return [...new Set([...asked.keys(), ...issued.keys(), ...rejected.keys()])].flatMap((couponId) =>
    judgeCoupon({
      campaign: campaigns.find((campaign) => campaign.couponId === couponId),
      requests: asked.get(couponId) ?? [],
      issued: (issued.get(couponId) ?? []) as PlainIssued[],
      rejected: (rejected.get(couponId) ?? []) as PlainRejected[],
    }),
  )
}

/** The verdict that can be read is the one that the oracle gives, and the one that was read before. */
function judgeStores(
  engine: Engine,
  campaigns: readonly PlainCampaign[],
  requests: readonly LoggedRequest[],
  load: CouponLoad,
): string[] {
  const queries = engine.streams.queries(couponIssuance.name, requestStore)
  return [...Map.groupBy(requests, ({ value }) => value.couponId)].flatMap(([couponId, some]) => {
    const campaign = campaigns.find((one) => one.couponId === couponId)
    const { standing } = expectedVerdicts(campaign, some)
    const asks = [...standing.values()].map(({ requestId, userId }) => ({ couponId, requestId, userId }))
    const stored = asks.map(({ requestId }) => queries.get([couponId, requestId], couponId).value ?? null)
    const expected = [...standing.values()].map(
      ({ requestId, userId, says, offset }) => `${requestId} of ${userId}: ${says} at ${offset}`,
    )
    const found = asks.map(({ requestId }, i) => storedText(requestId, stored[i] ?? null))
    return [...firstDifference(`${couponId}: stored`, expected, found), ...load.read(asks, stored)]
  })
}

function storedText(requestId: string, state: RequestState | null): string {
  if (state === null) return `${requestId}: nothing`
  const says = state.reason ?? `ISSUED #${state.sequence}`
  return `${requestId} of ${state.userId}: ${says} at ${state.sourceOffset}`
}

/** What was issued is in the wallets of its owners, and nothing else is. */
async function judgeWallets(engine: Engine): Promise<string[]> {
  const issued = (await engine.records('coupon.issued')) as readonly { readonly value: PlainIssued }[]
  const expected = new Set(issued.map(({ value }) => `${value.userId} ${value.userCouponId}`))
  const queries = engine.streams.queries(WALLET, walletStore)
  const found = await queries.pageAll({ limit: 100_000 })
  return firstDifference(
    'wallets',
    [...expected].toSorted(),
    found.map(([[userId, userCouponId]]) => `${userId} ${userCouponId}`).toSorted(),
  )
}

/** I24: the inputs, decided again batch by batch, give the same outputs and the same rows. */
export async function judgeJournals(engine: Engine, tasks = engine.tasks): Promise<string[]> {
  const complaints: string[] = []
  for (const task of tasks) {
    const name = `${task.topology} ${task.subTopology}_${task.partition}`
    try {
      const { result, again, live } = await engine.redecide(task)
      if (result.firstDifference !== undefined)
        complaints.push(`${name}: batch ${result.firstDifference.sequence} comes out differently (I24)`)
      complaints.push(...firstDifference(`${name}: rows decided again (I24)`, again, live))
    } catch (error) {
      // The journal does not fit the inputs.
      if (!(error instanceof RangeError)) throw error
      complaints.push(`${name}: ${error.message} (I24)`)
    }
  }
  return complaints
}

function byCoupon(records: readonly Decoded[]): Map<string, unknown[]> {
  const groups = new Map<string, unknown[]>()
  for (const { key, value } of records) groups.set(key, [...(groups.get(key) ?? []), value])
  return groups
}
