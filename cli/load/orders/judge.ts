/** I10 to I21 over what a shop says of orders: one check per invariant, which names who breaks it. */
import { type Check, check } from '../verdicts.ts'
import type { ShopFacts } from './facts.ts'
import * as logged from './log-checks.ts'
import * as stated from './state-checks.ts'
import type { Finding } from './state-checks.ts'

interface Invariant {
  /** As PIPELINE names them: `I10` and so on, and what it says. */
  readonly name: string
  readonly byState?: readonly ((facts: ShopFacts) => Finding[])[]
  /** Only where the log can be read. */
  readonly byLog?: readonly ((facts: logged.LoggedFacts) => Finding[])[]
}

const INVARIANTS: readonly Invariant[] = [
  { name: 'I10 coupons are used once, by their owners', byState: [stated.couponsUsedOnce] },
  { name: 'I11 stock adds up', byState: [stated.stockAddsUp] },
  { name: 'I12 done and undone once', byState: [stated.pointsBookedOnce], byLog: [logged.restoredOnce] },
  { name: 'I13 points are the sum of the ledger', byState: [stated.ledgersAddUp] },
  { name: 'I14 every order has ended, once', byState: [stated.allEnded], byLog: [logged.oneTerminalState] },
  { name: 'I15 revisions grow', byLog: [logged.revisionsGrow] },
  {
    name: 'I16 nothing is left of orders that came to nothing',
    byState: [stated.undonePointsZero],
    byLog: [logged.undoneMoneyZero],
  },
  {
    name: 'I17 confirmed orders are paid and reserved',
    byState: [stated.amountsAddUp],
    byLog: [logged.confirmedIsPaid],
  },
  { name: 'I18 none is unpaid past its time', byState: [stated.nonePastPayBy], byLog: [logged.paidInTime] },
  { name: 'I19 stray payments went back', byLog: [logged.strayWentBack] },
  { name: 'I20 refunds are within what was paid', byLog: [logged.refundsWithinPaid] },
  {
    name: 'I21 completed orders earn once',
    byState: [stated.earnedByCompleted],
    byLog: [logged.earnedOnce],
  },
]

/** A check per invariant that the facts can tell. */
export function judgeOrders(facts: ShopFacts): readonly Check[] {
  return INVARIANTS.flatMap(({ name, byState = [], byLog = [] }) => {
    const { log } = facts
    const found = byState.flatMap((broken) => broken(facts))
    if (log === undefined) return byState.length === 0 ? [] : [checkOf(name, found, facts)]
    return [checkOf(name, [...found, ...byLog.flatMap((broken) => broken({ ...facts, log }))], facts)]
  })
}

/** Invariants that only the log tells. */
export function untold({ log }: ShopFacts): readonly string[] {
  if (log !== undefined) return []
  return INVARIANTS.filter(({ byState }) => byState === undefined).map(({ name }) => name)
}

function checkOf(name: string, [first, ...more]: readonly Finding[], { orders }: ShopFacts): Check {
  if (first === undefined) return check(name, true, `${orders.length} orders`)
  return check(name, false, more.length === 0 ? first : `${first}, and ${more.length} more`)
}
