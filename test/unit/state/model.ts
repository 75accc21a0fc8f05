/**
 * What a task's state should answer, written as plainly as can be: whole copies of plain maps, sorted when asked.
 * It shares no code with the stores.
 */
export interface Row {
  readonly n: number
  readonly group: string
}

export type Clock = 'stream' | 'wall'

export interface WindowRow {
  readonly window: string
  readonly start: number
  readonly key: string
  readonly value: number
}

export interface Timer {
  readonly clock: Clock
  readonly name: string
  readonly key: string
  readonly at: number
}

export class World {
  rows = new Map<string, Row>()
  windows = new Map<string, WindowRow>()
  timers = new Map<string, Timer>()

  copy(): World {
    const copy = new World()
    copy.rows = new Map(this.rows)
    copy.windows = new Map(this.windows)
    copy.timers = new Map(this.timers)
    return copy
  }

  scan(from: string | undefined, to: string | undefined, limit: number, reverse: boolean): [string, Row][] {
    const rows = [...this.rows]
      .filter(
        ([key]) => (from === undefined || order(key, from) >= 0) && (to === undefined || order(key, to) < 0),
      )
      .toSorted(([a], [b]) => order(a, b))
    return (reverse ? rows.toReversed() : rows).slice(0, limit)
  }

  /** Rows with an odd `n` are not in the index. */
  top(group: string, limit: number): { key: string; value: Row; score: number }[] {
    return [...this.rows]
      .filter(([, row]) => row.group === group && row.n % 2 === 0)
      .map(([key, value]) => ({ key, value, score: value.n }))
      .toSorted((a, b) => b.score - a.score || order(a.key, b.key))
      .slice(0, limit)
  }

  windowRows(window: string, start: number, limit = Infinity): WindowRow[] {
    return [...this.windows.values()]
      .filter((row) => row.window === window && row.start === start)
      .toSorted((a, b) => order(a.key, b.key))
      .slice(0, limit)
  }

  windowTop(window: string, start: number, limit: number): WindowRow[] {
    return this.windowRows(window, start)
      .toSorted((a, b) => b.value - a.value || order(a.key, b.key))
      .slice(0, limit)
  }

  oldestWindow(window: string): number | undefined {
    const starts = [...this.windows.values()].filter((row) => row.window === window).map((row) => row.start)
    return starts.length === 0 ? undefined : Math.min(...starts)
  }

  nextTimer(clock: Clock): Timer | undefined {
    return [...this.timers.values()]
      .filter((timer) => timer.clock === clock)
      .toSorted((a, b) => a.at - b.at || order(a.name, b.name) || order(a.key, b.key))[0]
  }
}

export function windowId(window: string, start: number, key: string): string {
  return JSON.stringify([window, start, key])
}

export function timerId(clock: Clock, name: string, key: string): string {
  return JSON.stringify([clock, name, key])
}

/** Text in the order of its UTF-8 bytes. */
export function order(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
