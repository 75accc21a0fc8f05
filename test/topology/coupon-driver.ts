/** A coupon shop to test with: its topologies on the test driver, and words for what happens in it. */
import type { Campaign, CouponIssueRequested } from '../../schemas/index.ts'
import { topics } from '../../schemas/index.ts'
import { type DriverOptions, TopologyTestDriver } from '../../testing/index.ts'
import {
  campaignStore,
  claimStore,
  commandStore,
  couponIssuance,
  wallet,
  counterStore,
  requestStore,
  walletStore,
} from '../../topologies/index.ts'
import { command, requested } from '../unit/coupons/given.ts'

const couponWallet = wallet()

export const START = Date.UTC(2026, 0, 1)
export const MINUTE = 60_000

/** A topology must not notice a restart, wherever its state comes back from. */
export const modes: [string, Partial<DriverOptions>][] = [
  ['steady', {}],
  ['restarted after every record', { restartAfterEachRecord: true }],
  ['rebuilt from changelogs after every record', { restartAfterEachRecord: true, stateHome: 'task' }],
]

export class CouponShop {
  readonly driver: TopologyTestDriver

  constructor(driver: TopologyTestDriver) {
    this.driver = driver
  }

  static async open(options: Partial<DriverOptions> = {}): Promise<CouponShop> {
    const topologies = [couponIssuance, couponWallet]
    return new CouponShop(await TopologyTestDriver.open({ topologies, now: START, ...options }))
  }

  /** Sends a command; unless told, a PUT of `spring`: 10 coupons, ACTIVE, open for the next hour. */
  async command(changes: Partial<Campaign> = {}): Promise<void> {
    const value = command({ opensAt: START, closesAt: START + 60 * MINUTE, ...changes })
    await this.driver.pipe(topics.couponCampaignRequested, value.couponId, value)
  }

  /** Each user asks once; the requestId is the user's name unless told. */
  async ask(users: string, changes: Partial<CouponIssueRequested> = {}): Promise<void> {
    for (const userId of users.split(' ')) {
      const value = requested({ requestId: userId, userId, ...changes })
      await this.driver.pipe(topics.couponIssueRequested, value.couponId, value)
    }
  }

  /** Verdicts in the order of their topics: `ann #1`, and `ann SOLD_OUT`. */
  get issued(): string[] {
    return this.driver.read(topics.couponIssued).map(({ value }) => `${value?.userId} #${value?.sequence}`)
  }

  get rejected(): string[] {
    return this.driver
      .read(topics.couponIssueRejected)
      .map(({ value }) => `${value?.userId} ${value?.reason}`)
  }

  /** Reports of the quota: `3/10`, with `!` when exhausted. */
  get quota(): string[] {
    return this.driver
      .read(topics.couponQuota)
      .map(({ value }) => `${value?.issued}/${value?.quota}${value?.exhausted === true ? '!' : ''}`)
  }

  /** Outcomes of the commands on a coupon: `APPLIED@1`, `INVALID_QUOTA@1`. */
  outcomes(couponId = 'spring'): string[] {
    const commands = this.driver.store(couponIssuance, commandStore).get(couponId).value
    return (commands?.recent ?? []).map(({ outcome, code, revision }) => `${code ?? outcome}@${revision}`)
  }

  campaign(couponId = 'spring') {
    return this.driver.store(couponIssuance, campaignStore).get(couponId).value
  }

  counters(couponId = 'spring') {
    return this.driver.store(couponIssuance, counterStore).get(couponId).value
  }

  verdict(requestId: string, couponId = 'spring') {
    return this.driver.store(couponIssuance, requestStore).get([couponId, requestId], couponId).value
  }

  claim(userId: string, couponId = 'spring') {
    return this.driver.store(couponIssuance, claimStore).get([couponId, userId], couponId).value
  }

  async wallet(userId: string) {
    const { value } = await this.driver
      .store(couponWallet, walletStore)
      .page(userId, { prefix: [userId], limit: 10 })
    return value.map(([, coupon]) => coupon)
  }
}
