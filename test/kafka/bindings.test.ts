/** The profiles that ship, each with its shop's whole flow, on brokers where the shop's own topics are there already. */
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { bindingTopicSpecs, loadProfiles } from '../../cli/pipeline/bindings.ts'
import { topics } from '../../schemas/index.ts'
import { TaskDatabases } from '../../state/index.ts'
import type { TopicSpec } from '../../streams/index.ts'
import { type KafkaLog, openKafkaLog } from '../../transports/kafka/index.ts'
import { BoundShop, boundConfig } from '../support/bound-shop.ts'
import { oneBroker } from '../support/kafka/own-cluster.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { openAddress, SHOP_FLOWS } from '../support/shop-flows/index.ts'

async function openLog(bootstrap: string, application: string): Promise<KafkaLog> {
  const log = await openKafkaLog({
    application,
    connection: { brokers: bootstrap.split(','), clientId: application },
    slot: 'a',
    version: '0.0.0',
    leaves: true,
  })
  onTestFinished(() => log.close())
  return log
}

/** The shop's own topics, as it has made them: kept for an hour, which no configuration of ours says. */
async function theirTopics(profile: string): Promise<readonly TopicSpec[]> {
  const config = boundConfig([profile])
  const specs = bindingTopicSpecs(config, await loadProfiles(config, topics))
  return specs
    .filter(({ external }) => external)
    .map((spec) => ({ ...spec, external: undefined, retentionMs: 3_600_000 }))
}

// A broker for each: what one shop has is nothing to another.
describe.each(SHOP_FLOWS.map((flow) => [flow.shop, flow] as const))('shop %s', (name, flow) => {
  const { profile } = flow
  const cluster = oneBroker()
  const application = `shop-${name}`

  async function open(): Promise<BoundShop> {
    const log = await openLog(cluster().bootstrap, application)
    const directory = join(await scratchDirectory(application), 'state')
    const stateDirectory = new TaskDatabases({ directory, application })
    const parts = { log, application, openAddress, stateDirectory }
    return BoundShop.open({ ...parts, profiles: [profile], topologies: flow.topologies() })
  }

  test('whose topics are not there is not started: nobody else makes them', async () => {
    await expect(open()).rejects.toThrow(/it belongs to others, who have to make it/)
  })

  test("every message counts once, and is answered in the shop's own words", async () => {
    const theirs = await openLog(cluster().bootstrap, 'theirs')
    const made = await theirTopics(profile)
    await theirs.ensureTopics(made)
    const shop = await open()
    onTestFinished(() => shop.close())
    await flow.run(shop, () => Promise.resolve())
    // They are as the shop has made them.
    expect(new Set((await theirs.planTopics(made)).map(({ action }) => action))).toEqual(new Set(['ok']))
  })
})
