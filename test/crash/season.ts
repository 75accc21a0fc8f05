/** A few campaigns in a data directory of their own, and everybody who will ask for their coupons. */
import type { EmbeddedLogOptions } from '../../transports/embedded/index.ts'
import { seededRandom } from '../support/random.ts'
import { campaignRecord, CouponLoad } from './coupon-load.ts'
import type { PlainCampaign } from './coupon-oracle.ts'
import { judgeEngine, type Judged } from './engine-judge.ts'
import { EngineRun } from './engine-run.ts'
import type { HarnessOptions } from './harness.ts'

const KIBIBYTE = 1024

export interface SeasonOptions {
  readonly directory: string
  readonly seed: number
  /** Different users that ask. */
  readonly users: number
  /** The store's write buffer is tiny unless told, so that files are switched and merged all the time. */
  readonly log?: Partial<EmbeddedLogOptions>
}

export interface Season {
  readonly run: EngineRun
  readonly load: CouponLoad
  readonly harness: HarnessOptions
  /** Opens what is there now, when no process has it open. */
  judge(): Promise<Judged>
}

export async function openSeason({ directory, seed, users, log }: SeasonOptions): Promise<Season> {
  const random = seededRandom(seed)
  const campaigns: readonly PlainCampaign[] = [
    { couponId: 'hot', quota: Math.ceil(users * 0.4), perUserLimit: 1 },
    { couponId: 'pairs', quota: users, perUserLimit: 2 },
    { couponId: 'plenty', quota: 1_000_000, perUserLimit: 1 },
  ]
  const load = new CouponLoad({ campaigns, users }, random)
  const harness: HarnessOptions = { log: { writeBufferBytes: 64 * KIBIBYTE, ...log, directory } }
  const run = new EngineRun(harness, load, random)
  await run.open(campaigns.map((campaign) => campaignRecord(campaign, Date.now())))
  const judge = async (): Promise<Judged> => {
    const judged = await judgeEngine(directory, campaigns, run.acks, load)
    return { ...judged, complaints: [...run.complaints, ...judged.complaints] }
  }
  return { run, load, harness, judge }
}
