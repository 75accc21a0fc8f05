/** What a load of orders came to: the numbers as data, and as tables. */
import { count, type Output, table } from '../../output.ts'
import { describeChecks } from '../report.ts'
import type { Check } from '../verdicts.ts'
import { moneyBack, type ShopFacts } from './facts.ts'
import { judgeOrders, untold } from './judge.ts'
import { type LoggedFacts, paymentsOf, refundsOf } from './log-checks.ts'
import { type Kind, kinds } from './mix.ts'
import type { PlacedOrder } from './run.ts'
import type { Session } from './session.ts'

export interface OrdersReport {
  readonly orders: number
  readonly seconds: number
  /** Orders of each kind by their final state, or by why the door refused them. */
  readonly outcomes: Readonly<Partial<Record<Kind, Readonly<Record<string, number>>>>>
  /** Minor units; what was paid and went back only where the log can be read. */
  readonly money: {
    readonly sold: number
    readonly returned: number
    readonly paid?: number
    readonly refunded?: number
  }
  readonly stock: {
    readonly received: number
    readonly available: number
    readonly reserved: number
    readonly sold: number
  }
  readonly checks: readonly Check[]
  /** Invariants that were not checked: there was no log to read. */
  readonly unchecked: readonly string[]
}

const ENDS = ['COMPLETED', 'FAILED', 'CANCELLED', 'NEEDS_ATTENTION']
const MINOR_UNITS = 100

export function ordersReport(
  { placed, seconds }: Pick<Session, 'placed' | 'seconds'>,
  facts: ShopFacts,
): OrdersReport {
  const { log } = facts
  const completed = facts.orders.filter(({ state }) => state === 'COMPLETED')
  return {
    orders: placed.length,
    seconds,
    outcomes: outcomesOf(placed, facts),
    money: {
      sold: sum(completed, ({ amounts }) => amounts.final),
      returned: sum(completed, moneyBack),
      ...(log !== undefined && movedMoney({ ...facts, log })),
    },
    stock: {
      received: sum(facts.products, ({ received }) => received),
      available: sum(facts.products, ({ available }) => available),
      reserved: sum(facts.products, ({ reserved }) => reserved),
      sold: sum(facts.products, ({ sold }) => sold),
    },
    checks: judgeOrders(facts),
    unchecked: untold(facts),
  }
}

function movedMoney(facts: LoggedFacts) {
  const amount = (fact: { readonly amount: number }): number => fact.amount
  return { paid: sum(paymentsOf(facts), amount), refunded: sum(refundsOf(facts), amount) }
}

function outcomesOf(placed: readonly PlacedOrder[], { orders }: ShopFacts): OrdersReport['outcomes'] {
  const states = new Map(orders.map(({ orderId, state }) => [orderId, state]))
  const outcomes: Partial<Record<Kind, Record<string, number>>> = {}
  for (const { planned, orderId, refused } of placed) {
    const ended = orderId === undefined ? refused : states.get(orderId)
    const ofKind = (outcomes[planned.kind] ??= {})
    ofKind[ended ?? 'UNKNOWN'] = (ofKind[ended ?? 'UNKNOWN'] ?? 0) + 1
  }
  return outcomes
}

function sum<T>(facts: readonly T[], numberOf: (fact: T) => number): number {
  return facts.reduce((total, fact) => total + numberOf(fact), 0)
}

/** For people: final states, money and stock, checks. */
export function describeOrders(report: OrdersReport, output: Output): string {
  const { orders, seconds, checks, unchecked } = report
  const pace = Math.round(orders / Math.max(seconds, 0.001))
  return [
    output.paint('bold', `${count(orders)} orders in ${seconds.toFixed(1)} s, ${count(pace)}/s`),
    '',
    describeOutcomes(report),
    '',
    describeTotals(report),
    '',
    describeChecks(checks, output),
    ...unchecked.map((name) => `  -    ${name}: only the log tells`),
  ].join('\n')
}

/** A row per kind, a column per final state. */
export function describeOutcomes({ outcomes }: OrdersReport): string {
  const all = Object.values(outcomes).flatMap((ofKind) => Object.keys(ofKind))
  const columns = [
    ...ENDS.filter((end) => all.includes(end)),
    ...new Set(all.filter((end) => !ENDS.includes(end))),
  ]
  const shown = kinds.filter((kind) => outcomes[kind] !== undefined)
  const rows = shown.map((kind) => {
    const counts = columns.map((column) => outcomes[kind]?.[column] ?? 0)
    return [kind, sum(counts, (each) => each), ...counts]
  })
  const totals = Array.from({ length: columns.length + 1 }, (_, column) => {
    return sum(rows, (row) => Number(row[column + 1]))
  })
  return table(['kind', 'orders', ...columns], [...rows, ['all', ...totals]])
}

export function describeTotals({ money, stock }: OrdersReport): string {
  const { sold, returned, paid, refunded } = money
  const kept = money2(sold - returned)
  const moved =
    paid === undefined || refunded === undefined
      ? `  money: ${money2(sold)} sold - ${money2(returned)} returned = ${kept}`
      : `  money: ${money2(paid)} paid - ${money2(refunded)} refunded = ${money2(paid - refunded)}; sold less returned ${kept}`
  const { received, available, reserved, sold: units } = stock
  return [
    moved,
    `  stock: ${count(available)} available + ${count(reserved)} reserved + ${count(units)} sold = ${count(received)} received`,
  ].join('\n')
}

function money2(minorUnits: number): string {
  return (minorUnits / MINOR_UNITS).toLocaleString('en', {
    minimumFractionDigits: 2,
    maximumFractionDigits: 2,
  })
}
