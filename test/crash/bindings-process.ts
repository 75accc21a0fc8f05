/**
 * A shop with topics of its own, in a process that the test kills: its customers ask for coupons as fast as the log takes
 * it; a line on its input ends that, and it says `drained` once bindings and topologies are through.
 */
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { topics } from '../../schemas/index.ts'
import { couponIssuance } from '../../topologies/index.ts'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { BoundShop, type TheirMessage } from '../support/bound-shop.ts'
import { tell } from '../support/connector-process.ts'
import { APPLICATION } from '../support/engine-shop.ts'
import { command } from '../unit/coupons/given.ts'

export interface BindingsProcessOptions {
  readonly directory: string
  readonly profile: string
  /** Names its customers. */
  readonly life: number
  readonly quota: number
}

/** Messages in one append; the first of them does not fit. */
const CALL = 10
/** Between two appends, milliseconds. */
const PACE_MS = 10
const HOUR_MS = 3_600_000

const { directory, profile, life, quota } = JSON.parse(process.argv[2] as string) as BindingsProcessOptions
process.stdin.on('end', () => process.exit(0))
const log = await openEmbeddedLog({ directory, application: APPLICATION })
const shop = await BoundShop.open({
  log,
  profiles: [profile],
  topologies: [couponIssuance],
  application: APPLICATION,
  // Said before the commit: a kill may come between the two.
  hooks: { onDelivered: () => tell('delivered') },
})
if (life === 0) {
  const now = Date.now()
  const terms = { couponId: 'spring', quota, opensAt: now - HOUR_MS, closesAt: now + HOUR_MS }
  await shop.say(topics.couponCampaignRequested, command(terms))
  await shop.ours(topics.couponCampaign, 1)
}
tell('opened')

let ended = false
process.stdin.once('data', () => (ended = true))
for (let call = 0; !ended; call++) {
  const messages = Array.from({ length: CALL }, (_, at): TheirMessage => {
    const userId = `u${life}-${call}-${at}`
    return { key: 'spring', value: at === 0 ? { couponId: 'spring' } : { couponId: 'spring', userId } }
  })
  await shop.send('coupon-issue', ...messages)
  await delay(PACE_MS)
}
await shop.settled()
tell('drained')
await once(process.stdin, 'data')
await shop.close()
await log.close()
process.exit(0)
