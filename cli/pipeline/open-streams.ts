/** The engine of a shop. */
import { type BreakerPolicy, Streams } from '../../streams/index.ts'
import type { Closing } from '../closing.ts'
import type { ShopBase } from './shop-base.ts'
import { shopTopicSpecs, topicSpecs } from './topic-specs.ts'
import { sandboxesOf } from './topologies.ts'

/** The engine, joined and not running yet. */
export async function openStreams(base: ShopBase, closing: Closing): Promise<Streams> {
  const { config, topologies, shopLog, telemetry, clock } = base
  const { log } = shopLog
  const { application } = config
  if (config.orders.enabled) sayWhatIsPlayed(base)
  // Events of every kind are taken here, also for topologies that run elsewhere.
  await log.ensureTopics(shopTopicSpecs(config, topologies.all, { changelogs: false }))
  const streams = new Streams({
    application,
    topologies: topologies.here,
    log,
    topicSpec: topicSpecs(config),
    clock,
    hooks: telemetry.engine,
    breaker: breakerOf(base),
    ...shopLog.engine,
  })
  closing.add('topologies', () => streams.close())
  await streams.open()
  if (!shopLog.isShared) await streams.ready()
  return streams
}

/** Never on without a word. */
function sayWhatIsPlayed({ config, telemetry }: ShopBase): void {
  const { payments, deliveries } = sandboxesOf(config)
  const played = [payments && 'every payment is approved', deliveries && 'every parcel is delivered']
  const said = played.filter((one) => one !== false).join(', ')
  if (said !== '') telemetry.logger.warn(`orders.sandboxes is on: ${said}`)
}

/** Never off without a word. */
function breakerOf({ config: { deadLetters }, telemetry }: ShopBase): BreakerPolicy | 'off' {
  const { breaker, ...policy } = deadLetters
  if (breaker === 'on') return policy
  telemetry.logger.warn('deadLetters.breaker is off: no flood of dead letters pauses a task')
  return 'off'
}
