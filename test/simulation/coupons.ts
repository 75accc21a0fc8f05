/** Coupons in the simulator: people who ask, some again and some under another's name, against a plain model. */
import type { SimulatedApp, SimulatedLoad, SimulatedOutcome } from '../../testing/index.ts'
import { changelogTopic } from '../../streams/index.ts'
import { couponIssuance, WALLET, wallet, walletStore } from '../../topologies/index.ts'
import { type Ask, campaignRecord, CouponLoad, requestRecord } from '../crash/coupon-load.ts'
import {
  firstDifference,
  judgeCoupon,
  type LoggedRequest,
  type PlainIssued,
  type PlainRejected,
} from '../crash/coupon-oracle.ts'
import { decoded, everlasting, outside } from './shop-records.ts'

const couponWallet = wallet()

const APPLICATION = 'simulated'
const PARTITIONS = 2
const USERS = 12
const ASKS = 50
const MOST_AT_ONCE = 4
const CAMPAIGNS = [
  { couponId: 'hot', quota: 5, perUserLimit: 1 },
  { couponId: 'pairs', quota: USERS, perUserLimit: 2 },
  { couponId: 'plenty', quota: 1_000_000, perUserLimit: 1 },
]

export const coupons = (): SimulatedApp => ({
  topologies: [couponIssuance, couponWallet],
  topicSpec: everlasting(PARTITIONS),

  load(random, now): SimulatedLoad {
    const load = new CouponLoad({ campaigns: CAMPAIGNS, users: USERS }, random)
    let left = ASKS
    return {
      first: CAMPAIGNS.map((campaign) => outside(campaignRecord(campaign, now))),
      next() {
        if (left <= 0) return undefined
        const asks: Ask[] = Array.from({ length: 1 + random.below(MOST_AT_ONCE) }, () => load.next())
        left -= asks.length
        load.answered(asks)
        return asks.map((ask) => outside(requestRecord(ask)))
      },
    }
  },

  judge: (outcome) => [...judgeVerdicts(outcome), ...judgeWallets(outcome)],
})

/** I1 to I6: one verdict for each request, in the order of the log, as the model gives it. */
function judgeVerdicts(outcome: SimulatedOutcome): string[] {
  const requests = decoded<LoggedRequest['value']>(outcome, 'coupon.issue.requested').map(
    ({ record, value }) => {
      const { partition, offset, timestamp } = record
      return { partition, offset, appendTime: timestamp, value }
    },
  )
  const issued = decoded<PlainIssued>(outcome, 'coupon.issued').map(({ value }) => value)
  const rejected = decoded<PlainRejected>(outcome, 'coupon.issue.rejected').map(({ value }) => value)
  const names = new Set(
    [...requests.map(({ value }) => value), ...issued, ...rejected].map(({ couponId }) => couponId),
  )
  return [...names].flatMap((couponId) =>
    judgeCoupon({
      campaign: CAMPAIGNS.find((one) => one.couponId === couponId),
      requests: requests.filter(({ value }) => value.couponId === couponId),
      issued: issued.filter((one) => one.couponId === couponId),
      rejected: rejected.filter((one) => one.couponId === couponId),
    }),
  )
}

/** Every issued coupon is moved to its owner once per time it was said, and the wallets are what was issued. */
function judgeWallets(outcome: SimulatedOutcome): string[] {
  const said = decoded<PlainIssued>(outcome, 'coupon.issued').map(({ value }) => coupon(value))
  const [repartition] = couponWallet.internalTopics
  const moved = outcome.records(repartition?.name ?? '').map(({ value }) => {
    return value === null ? 'nothing' : coupon(repartition?.value.deserialize(value) as PlainIssued)
  })
  const task = { topology: WALLET, subTopology: 1, partition: 0 }
  const wallets = new Set<string>()
  for (const { key, value } of outcome.records(changelogTopic(APPLICATION, task, walletStore.name))) {
    const owned = walletStore.key.decode(String(key?.toString('latin1'))).join(' ')
    if (value === null) wallets.delete(owned)
    else wallets.add(owned)
  }
  return [
    ...firstDifference('issued, by user', said.toSorted(), moved.toSorted()),
    ...firstDifference('wallets', [...new Set(said)].toSorted(), [...wallets].toSorted()),
  ]
}

function coupon({ userId, userCouponId }: PlainIssued): string {
  return `${userId} ${userCouponId}`
}
