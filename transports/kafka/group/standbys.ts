/**
 * Where the standbys of tasks with state are.
 *
 * Not its job: where the tasks run (`assignor.ts`).
 *
 * Invariants:
 * 1. A process has a task at most once: one crash or one broken disk takes one copy.
 * 2. A task gets as many standbys as wanted, or as there are other processes.
 * 3. Balance: no standby could go from one member to another so that the fuller of the two becomes less full, measured
 *    by standbys ÷ capacity.
 * 4. Within that, members that have the state come first, the smallest lag first.
 */

/** A copy of a task's state. */
export interface WarmCopy {
  /** Index of the member that has it. */
  readonly member: number
  /** Changelog records missing; `Infinity` when unknown. */
  readonly lag: number
}

export interface StandbyTask {
  /** Index of the member that runs it. */
  readonly active: number
  /** The smallest lag first. */
  readonly warm: readonly WarmCopy[]
}

export interface StandbyMember {
  readonly processId: string
  /** A whole number above 0. */
  readonly capacity: number
}

/** The members that get a standby of each task, as indexes. */
export function placeStandbys(
  tasks: readonly StandbyTask[],
  members: readonly StandbyMember[],
  wanted: number,
): readonly (readonly number[])[] {
  const places = new Places(tasks, members)
  tasks.forEach((_task, task) => places.addWarm(task, wanted))
  tasks.forEach((_task, task) => places.addRoomiest(task, wanted))
  places.balance()
  return places.standbys
}

class Places {
  /** By task. */
  readonly standbys: readonly number[][]
  readonly #tasks: readonly StandbyTask[]
  readonly #members: readonly StandbyMember[]
  /** Tasks of which each member has a standby. */
  readonly #held: readonly Set<number>[]
  readonly #actives: number[]

  constructor(tasks: readonly StandbyTask[], members: readonly StandbyMember[]) {
    this.standbys = tasks.map(() => [])
    this.#tasks = tasks
    this.#members = members
    this.#held = members.map(() => new Set())
    this.#actives = members.map(() => 0)
    for (const { active } of tasks) this.#actives[active] = (this.#actives[active] as number) + 1
  }

  /** Of copies with the same lag, those that make their member less full. */
  addWarm(task: number, wanted: number): void {
    const copies = this.#warmOf(task).toSorted((a, b) =>
      a.lag === b.lag ? this.#roomier(a.member, b.member) : a.lag - b.lag,
    )
    for (const { member } of copies) {
      if ((this.standbys[task] as number[]).length < wanted && this.#fits(task, member))
        this.#add(task, member)
    }
  }

  addRoomiest(task: number, wanted: number): void {
    while ((this.standbys[task] as number[]).length < wanted) {
      const member = this.#roomiest((one) => this.#fits(task, one))
      if (member === undefined) return
      this.#add(task, member)
    }
  }

  /** Ends, since of the two members of a move the fuller becomes less full and the other stays below that. */
  balance(): void {
    const fullestFirst = this.#members.map((_member, index) => index)
    let moved = true
    while (moved) {
      fullestFirst.sort((a, b) => this.#load(b, 0) - this.#load(a, 0) || a - b)
      moved = fullestFirst.map((member) => this.#relieve(member)).includes(true)
    }
  }

  /** Moves what it can from a member to less full ones, the largest lag first; false when it cannot move anything. */
  #relieve(from: number): boolean {
    const roomiest = this.#roomiest(() => true)
    if (roomiest === undefined || !this.#fuller(from, roomiest)) return false
    const lags = new Map([...(this.#held[from] as Set<number>)].map((task) => [task, this.#lag(task, from)]))
    const coldFirst = [...lags.keys()].toSorted((a, b) =>
      lags.get(a) === lags.get(b) ? b - a : (lags.get(b) as number) - (lags.get(a) as number),
    )
    let moved = false
    for (const task of coldFirst) {
      const may = (member: number) => this.#fuller(from, member) && this.#fits(task, member)
      const to = this.#warmOf(task).find(({ member }) => may(member))?.member ?? this.#roomiest(may)
      if (to === undefined) continue
      this.#remove(task, from)
      this.#add(task, to)
      moved = true
    }
    return moved
  }

  #warmOf(task: number): readonly WarmCopy[] {
    return (this.#tasks[task] as StandbyTask).warm
  }

  #lag(task: number, member: number): number {
    return this.#warmOf(task).find((copy) => copy.member === member)?.lag ?? Infinity
  }

  #fits(task: number, member: number): boolean {
    const { processId } = this.#members[member] as StandbyMember
    const { active } = this.#tasks[task] as StandbyTask
    const taken = [active, ...(this.standbys[task] as number[])]
    return !taken.some((other) => (this.#members[other] as StandbyMember).processId === processId)
  }

  /** Still fuller than the other when that one has one more. */
  #fuller(member: number, other: number): boolean {
    return this.#load(member, 0) > this.#load(other, 1)
  }

  /** Which of two is better for one more: the one that is less full with it, then the one that runs fewer tasks. */
  #roomier(a: number, b: number): number {
    const actives = (this.#actives[a] as number) - (this.#actives[b] as number)
    return this.#load(a, 1) - this.#load(b, 1) || actives || a - b
  }

  #roomiest(may: (member: number) => boolean): number | undefined {
    let roomiest: number | undefined
    for (let member = 0; member < this.#members.length; member++) {
      if (roomiest !== undefined && this.#roomier(member, roomiest) >= 0) continue
      if (may(member)) roomiest = member
    }
    return roomiest
  }

  #load(member: number, more: number): number {
    return (
      ((this.#held[member] as Set<number>).size + more) / (this.#members[member] as StandbyMember).capacity
    )
  }

  #add(task: number, member: number): void {
    this.standbys[task]?.push(member)
    this.#held[member]?.add(task)
  }

  #remove(task: number, member: number): void {
    const copies = this.standbys[task] as number[]
    copies.splice(copies.indexOf(member), 1)
    this.#held[member]?.delete(task)
  }
}
