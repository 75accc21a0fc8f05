/**
 * A whole shop that takes orders, in the simulator: customers, a provider and a courier who decline, delay, lose and
 * repeat, and an operator who tries again what is stuck. In the end I10 to I21 hold, by the log and in the changelogs.
 */
import { changelogTopic } from '../../streams/index.ts'
import type { OutsideRecord, SimulatedApp, SimulatedOutcome } from '../../testing/index.ts'
import { type ShopLog, shopLogOf, type ShopRows } from '../support/orders/facts.ts'
import { isSettled, judgeShop } from '../support/orders/judge.ts'
import { OrderLoad } from '../support/orders/load.ts'
import { type OrderShop, orderShop, RATE_BP, shopRowsOf } from '../support/orders/shop.ts'
import { everlasting, outside } from './shop-records.ts'

const APPLICATION = 'simulated'
const PARTITIONS = 2
const ORDERS = 12
/** Clocks jump by minutes. */
const GRACE_MS = 3_600_000
const PAY_WITHIN_MS = 30_000
const SPAN_MS = 15_000

export function orders(): SimulatedApp {
  const shop = orderShop({ seed: 1, patienceMs: 3_000, maxDelayMs: 1_500 })
  return {
    topologies: shop.topologies,
    topicSpec: everlasting(PARTITIONS),

    load(random, now) {
      const load = new OrderLoad({ orders: ORDERS, spanMs: SPAN_MS, payWithinMs: PAY_WITHIN_MS }, random)
      return {
        first: load.first(now).map(outside),
        next(at): OutsideRecord[] | undefined {
          return load.next(at)?.map(outside)
        },
      }
    },

    isDone: (outcome) => isSettled(logOf(outcome)),

    judge(outcome) {
      return judgeShop(logOf(outcome), rowsOf(outcome, shop.places), { rateBp: RATE_BP, graceMs: GRACE_MS })
    },
  }
}

function logOf(outcome: SimulatedOutcome): ShopLog {
  return shopLogOf((topic) => outcome.records(topic))
}

/** As the changelogs have them; that the disks have the same is looked at for every app (I24). */
function rowsOf(outcome: SimulatedOutcome, places: OrderShop['places']): ShopRows {
  return shopRowsOf(places, ({ topology, store }) => {
    const subTopology = topology.subTopologies.findIndex(({ stores }) =>
      stores.some(({ name }) => name === store.name),
    )
    const task = { topology: topology.name, subTopology, partition: 0 }
    const rows = new Map<string, Buffer>()
    for (const { key, value } of outcome.records(changelogTopic(APPLICATION, task, store.name))) {
      if (key === null) continue
      if (value === null) rows.delete(key.toString('latin1'))
      else rows.set(key.toString('latin1'), value)
    }
    return [...rows].map(([key, value]) => [store.key.decode(key), store.value.deserialize(value)])
  })
}
