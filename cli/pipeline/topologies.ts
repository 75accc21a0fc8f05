/** The topologies of the shop, by configuration. */
import type { Config } from '../../config/index.ts'
import type { Topology } from '../../streams/index.ts'
import {
  bestSellers,
  type BestSellers,
  catalog,
  couponIssuance,
  couponWallet,
} from '../../topologies/index.ts'

export interface ShopTopologies {
  readonly all: readonly Topology[]
  /** Its stores depend on the configuration; those of the others do not. */
  readonly ranking: BestSellers
}

export function shopTopologies({ ranking: { closing, graceMs, retentionMs }, shop }: Config): ShopTopologies {
  const ranking = bestSellers({ closing, graceMs, retentionMs, timeZone: shop.timeZone })
  return { all: [couponIssuance, couponWallet, catalog, ranking], ranking }
}
