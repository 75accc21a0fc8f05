/**
 * How many tasks of each sub-topology each member gets.
 *
 * Not its job: which tasks these are (`assignor.ts`), the search itself (`rounding.ts`).
 *
 * **Balance.** Of n tasks, a member's share is n × its capacity ÷ the capacity of all members.
 * 1. Of each sub-topology a member gets its share, rounded down or up.
 * 2. Of all tasks together a member gets its share, rounded down or up.
 * With equal capacities: counts differ by at most 1 between members, per sub-topology and in total.
 *
 * **Both can always be had together.** See the tasks as a flow from each sub-topology, through its cells (one per
 * member), to the members. The shares themselves are such a flow: each sub-topology sends all its tasks, each cell
 * carries between its share rounded down and up, each member receives between its total rounded down and up. All
 * these bounds are whole numbers, and a flow within whole bounds exists in whole numbers too; that one is a balance.
 *
 * **Fewest moves.** Only which cells are rounded up is free. Rounding one up lets its member keep one more task exactly
 * when it owns more than the share rounded down; so keeping most is a flow of most gain, and no balance moves fewer
 * owned tasks. Among those it is one that moves the fewest with state, and then one that has the most room for unowned
 * tasks where their state is. Balance comes first: when a member leaves, a task of another member moves too where both
 * rules cannot be met otherwise; with one sub-topology that never happens.
 */
import { type Bounds, Rounding, type UnitRow } from './rounding.ts'

/** One sub-topology; lists are in the order of the members. */
export interface QuotaRow {
  readonly tasks: number
  readonly stateful: boolean
  /** Tasks each member owns. */
  readonly owned: readonly number[]
  /** Unowned tasks that each member is the best warm place for. */
  readonly wanted: readonly number[]
}

/** Counts by row and member. `capacities`: one whole number above 0 per member, at least one. */
export function quotas(rows: readonly QuotaRow[], capacities: readonly number[]): number[][] {
  const capacity = capacities.reduce((sum, one) => sum + one, 0)
  const tasks = rows.reduce((sum, row) => sum + row.tasks, 0)
  const floors = rows.map((row) => capacities.map((one) => Math.floor((row.tasks * one) / capacity)))
  const unitRows = rows.map((row, index): UnitRow => {
    const floor = floors[index] as number[]
    const gains = capacities.map((one, member) =>
      (row.tasks * one) % capacity === 0 ? undefined : gainOf(row, member, floor[member] as number, tasks),
    )
    return { units: row.tasks - floor.reduce((sum, count) => sum + count, 0), gains }
  })
  const bounds = capacities.map((one, member): Bounds => {
    const certain = floors.reduce((sum, floor) => sum + (floor[member] as number), 0)
    const share = (tasks * one) / capacity
    return { lowest: Math.floor(share) - certain, highest: Math.ceil(share) - certain }
  })
  const rounded = new Rounding(unitRows, bounds).solve()
  return floors.map((floor, row) => floor.map((count, member) => count + (rounded[row]?.[member] as number)))
}

/**
 * What rounding up a member's cell is worth. At most `tasks` cells are rounded up, so one of a greater worth outweighs
 * all those of a lesser.
 */
function gainOf(row: QuotaRow, member: number, floor: number, tasks: number): number {
  const owned = row.owned[member] as number
  const outweighsWarm = tasks + 1
  const outweighsState = outweighsWarm * outweighsWarm
  if (owned > floor) return row.stateful ? outweighsState + outweighsWarm : outweighsState
  return owned + (row.wanted[member] as number) > floor ? 1 : 0
}
