/** The profiles that ship, each with its shop's whole flow: doubled, out of order, and restarted at every step. */
import { describe, onTestFinished, test } from 'vitest'
import { openEmbeddedLog } from '../../transports/embedded/index.ts'
import { BoundShop } from '../support/bound-shop.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { openAddress, SHOP_FLOWS } from '../support/shop-flows/index.ts'

describe.each(SHOP_FLOWS.map((flow) => [flow.shop, flow] as const))('shop %s', (name, flow) => {
  test.each([
    ['steady', false],
    ['restarted between its steps', true],
  ])("%s: every message counts once, and is answered in the shop's own words", async (_, restarts) => {
    const application = `shop-${name}`
    const directory = await scratchDirectory(application)
    const log = await openEmbeddedLog({ directory, application })
    onTestFinished(() => log.close())
    const { profile, topologies } = flow
    const shop = await BoundShop.open({
      log,
      application,
      profiles: [profile],
      topologies: topologies(),
      openAddress,
    })
    onTestFinished(() => shop.close())
    await flow.run(shop, async () => {
      if (restarts) await shop.restart()
    })
  })
})
