/**
 * Rounds up a number of cells in each row so that every member's total is within its bounds, with the greatest gain.
 *
 * Not its job: what rows, members and gains mean (`quotas.ts`, which also shows that there is a solution).
 *
 * A flow of least cost, by shortest paths. Each rounded-up cell is a unit that sits on a member. First every row rounds up
 * its dearest cells, whatever the bounds: nothing gains more, but some members have too many units, others too few. Then
 * units move from member to member, each within its row, over paths of least loss, until all totals fit. The node `slack`
 * stands behind the members: what a member may have more or less of within its bounds goes to it or comes from it.
 *
 * Invariant: after the first step and after every move, no other placing of the units with the same totals gains more
 * (the cost of every possible step, seen through the potentials, is 0 or more).
 *
 * Cost: each round is one search over rows × members, then moves as many units as have a path of that loss. There are
 * few rounds, since there are few kinds of gains.
 */

/** Units a member may have. */
export interface Bounds {
  readonly lowest: number
  readonly highest: number
}

export interface UnitRow {
  /** Cells to round up. */
  readonly units: number
  /** What rounding up each member's cell is worth, a whole number; undefined where it must not be rounded up. */
  readonly gains: readonly (number | undefined)[]
}

const NONE = -1
/** Steps of this part of a circle spread evenly, however many they are. */
const GOLDEN = 0.618

export class Rounding {
  readonly #rows: readonly UnitRow[]
  readonly #bounds: readonly Bounds[]
  /** Index of the node behind the members; the members are 0 to `#slack` - 1. */
  readonly #slack: number
  /** 1 for each rounded-up cell, by row and member. */
  readonly #units: readonly Uint8Array[]
  /** Units each member passes to its total, within its bounds. */
  readonly #passed: number[]
  /** Units each node has too many, or below 0 too few. The sum is 0. */
  readonly #surplus: number[]
  /** Makes the cost of every step 0 or more, as Dijkstra's search needs (Johnson). */
  readonly #potential: number[]

  constructor(rows: readonly UnitRow[], bounds: readonly Bounds[]) {
    this.#rows = rows
    this.#bounds = bounds
    this.#slack = bounds.length
    this.#units = rows.map(() => new Uint8Array(bounds.length))
    const held = this.#roundUpDearest()
    this.#passed = bounds.map(({ lowest, highest }, member) =>
      Math.min(Math.max(held[member] as number, lowest), highest),
    )
    const surplus = held.map((units, member) => units - (this.#passed[member] as number))
    this.#surplus = [...surplus, -surplus.reduce((sum, units) => sum + units, 0)]
    this.#potential = this.#surplus.map(() => 0)
  }

  /** 1 for each rounded-up cell, by row and member. */
  solve(): readonly Uint8Array[] {
    while (this.#surplus.some((units) => units > 0)) {
      this.#measure()
      const closed = new Uint8Array(this.#surplus.length)
      for (let node = 0; node < this.#surplus.length; node++) {
        while ((this.#surplus[node] as number) > 0 && this.#push(node, closed)) {
          this.#surplus[node] = (this.#surplus[node] as number) - 1
        }
      }
    }
    return this.#units
  }

  /**
   * Among cells of the same gain, those of the members with the most room; then each row begins at another member, or
   * the same members would be together in row after row, and after one left, balance would move more than its tasks.
   * Answers the units of each member.
   */
  #roundUpDearest(): number[] {
    const held = this.#bounds.map(() => 0)
    const members = held.length
    this.#rows.forEach(({ units, gains }, row) => {
      const start = Math.floor(row * GOLDEN * members) % members
      const cells = gains.flatMap((gain, member) => {
        const room = (this.#bounds[member] as Bounds).highest - (held[member] as number)
        const turn = (member - start + members) % members
        return gain === undefined ? [] : [{ member, gain, room, turn }]
      })
      cells.sort((a, b) => b.gain - a.gain || b.room - a.room || a.turn - b.turn)
      for (const { member } of cells.slice(0, units)) {
        this.#set(row, member, 1)
        held[member] = (held[member] as number) + 1
      }
    })
    return held
  }

  /**
   * Dijkstra's search from all nodes with too many units to the nearest with too few. Afterwards the potentials make
   * exactly the steps of cheapest paths cost 0.
   */
  #measure(): void {
    const { length } = this.#surplus
    const distance = this.#surplus.map((units) => (units > 0 ? 0 : Infinity))
    const settled = new Uint8Array(length)
    for (;;) {
      const node = nearest(distance, settled)
      if (node === NONE) throw new RangeError('No way to round meets the bounds')
      const reached = distance[node] as number
      if ((this.#surplus[node] as number) < 0) {
        for (let one = 0; one < length; one++) {
          this.#potential[one] = (this.#potential[one] as number) + Math.min(distance[one] as number, reached)
        }
        return
      }
      settled[node] = 1
      this.#eachStep(node, settled, (to, _row, cost) => {
        if (reached + cost < (distance[to] as number)) distance[to] = reached + cost
        return false
      })
    }
  }

  /** Moves one unit from `node` to a node with too few over steps that cost 0; marks the nodes that lead nowhere. */
  #push(node: number, closed: Uint8Array): boolean {
    if ((this.#surplus[node] as number) < 0) {
      this.#surplus[node] = (this.#surplus[node] as number) + 1
      return true
    }
    closed[node] = 1
    const moved = this.#eachStep(node, closed, (to, row, cost) => {
      if (cost > 0 || !this.#push(to, closed)) return false
      this.#take(node, to, row)
      return true
    })
    if (moved) closed[node] = 0
    return moved
  }

  /** Calls `visit` for the steps that a unit on `node` can take to nodes that are not closed, until it says true. */
  #eachStep(
    node: number,
    closed: Uint8Array,
    visit: (to: number, row: number, cost: number) => boolean,
  ): boolean {
    const here = this.#potential[node] as number
    const cost = (to: number, loss: number) => loss + here - (this.#potential[to] as number)
    if (node === this.#slack) {
      for (let to = 0; to < this.#slack; to++) {
        const spare = (this.#passed[to] as number) > (this.#bounds[to] as Bounds).lowest
        if (spare && closed[to] === 0 && visit(to, NONE, cost(to, 0))) return true
      }
      return false
    }
    const room = (this.#passed[node] as number) < (this.#bounds[node] as Bounds).highest
    if (room && closed[this.#slack] === 0 && visit(this.#slack, NONE, cost(this.#slack, 0))) return true
    for (let row = 0; row < this.#rows.length; row++) {
      const units = this.#units[row] as Uint8Array
      if (units[node] === 0) continue
      const { gains } = this.#rows[row] as UnitRow
      const lost = gains[node] as number
      for (let to = 0; to < this.#slack; to++) {
        const gain = gains[to]
        if (units[to] === 1 || gain === undefined || closed[to] === 1) continue
        if (visit(to, row, cost(to, lost - gain))) return true
      }
    }
    return false
  }

  #take(from: number, to: number, row: number): void {
    if (to === this.#slack) this.#passed[from] = (this.#passed[from] as number) + 1
    else if (from === this.#slack) this.#passed[to] = (this.#passed[to] as number) - 1
    else {
      this.#set(row, from, 0)
      this.#set(row, to, 1)
    }
  }

  #set(row: number, member: number, unit: 0 | 1): void {
    ;(this.#units[row] as Uint8Array)[member] = unit
  }
}

function nearest(distance: readonly number[], settled: Uint8Array): number {
  let least = Infinity
  let found = NONE
  for (let node = 0; node < distance.length; node++) {
    if (settled[node] === 1 || (distance[node] as number) >= least) continue
    least = distance[node] as number
    found = node
  }
  return found
}
