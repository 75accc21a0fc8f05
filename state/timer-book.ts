/**
 * The timers of one task: a store of its own, whose index is the due time, and in memory the nearest of them.
 *
 * Millions of timers may be set, so per clock only those before a horizon are held: all of them, so that the first one
 * held is the first one due. Whoever empties the queue loads the next stretch. Invariants:
 *
 * 1. A timer is in its clock's queue exactly when its due key lies before the queue's horizon.
 * 2. A queue holds at most `2 × held` timers; what is more moves the horizon back.
 */
import { afterPrefix, int64At, int64Bytes, terminated, utf8Bytes, utf8Text } from './bytes.ts'
import { OrderedMap } from './ordered-map.ts'
import { scanVisible } from './scan.ts'
import { serdes } from './serde.ts'
import type { IndexSpec } from './stores.ts'
import type { Table } from './table.ts'
import type { TableSpec } from './table-spec.ts'
import type { DueTimer, TimerClock, TimerHandle } from './timers.ts'

/** The store in which timers lie; no other may have its name. */
export const timerStoreName = 'timers'
/** Timers loaded at a time, per clock, unless told. */
export const defaultHeldTimers = 4_096

const timerName = /^[\x21-\x7e]{1,250}$/
const tags = { stream: 's', wall: 'w' } as const

const due: IndexSpec<string, number> = {
  group: (key) => key.charAt(0),
  // An index puts the highest score first, and the first timer due is the earliest.
  score: (_key, at) => -at,
}

/** Key: clock (`s` or `w`), name, zero byte, key. Value: when it is due. */
export const timerTableSpec: TableSpec = {
  kind: 'timers',
  name: timerStoreName,
  key: { name: 'timer', encode: (key) => key as string, decode: (bytes) => bytes },
  value: serdes.int64,
  version: 1,
  indexes: { due: due as IndexSpec<unknown, unknown> },
}

/** The timers of one clock that are due before `horizon`. A due key is the due time, then the timer's key. */
interface Queue {
  readonly due: OrderedMap<string>
  /** Due key; `undefined`: all timers are held. */
  horizon: string | undefined
}

/** No timer is due before this key. */
const nothingLoaded = int64Bytes(0)

export class TimerBook {
  readonly #table: Table
  readonly #limit: number
  readonly #queues: Record<TimerClock, Queue> = { stream: emptyQueue(), wall: emptyQueue() }
  /** Timer key → due key, of all queues. */
  readonly #dueKeys = new Map<string, string>()
  /** Grows with every change of a queue. */
  #changes = 0

  /** Holds `held` timers per clock, for a while twice as many. */
  constructor(table: Table, held: number) {
    this.#table = table
    this.#limit = held
  }

  handle(clock: TimerClock, name: string): TimerHandle {
    if (!timerName.test(name))
      throw new RangeError(`A timer's name must match ${timerName.source}, not ${name}`)
    const prefix = `${tags[clock]}${name}\x00`
    return {
      schedule: (key, at) => {
        if (!Number.isSafeInteger(at) || at < 0) throw new RangeError(`Timer ${name}: no such time: ${at}`)
        const timer = prefix + utf8Bytes(key)
        this.#table.put(timer, at)
        this.#sync(timer, at)
      },
      cancel: (key) => {
        const timer = prefix + utf8Bytes(key)
        this.#table.delete(timer)
        this.#sync(timer, undefined)
      },
      dueAt: (key) => this.#table.get(prefix + utf8Bytes(key)) as number | undefined,
    }
  }

  nextAt(clock: TimerClock): number {
    const { due, horizon } = this.#queues[clock]
    const next = due.firstKey() ?? horizon
    return next === undefined ? Infinity : atOf(next)
  }

  needsLoad(clock: TimerClock, now: number): boolean {
    const { due, horizon } = this.#queues[clock]
    return horizon !== undefined && due.size === 0 && atOf(horizon) <= now
  }

  /** Holds the next stretch of timers after the horizon. */
  async load(clock: TimerClock): Promise<void> {
    const group = terminated(tags[clock])
    for (;;) {
      const queue = this.#queues[clock]
      if (queue.horizon === undefined || queue.due.size >= this.#limit) return
      const changes = this.#changes
      const rows = await scanVisible(this.#table, {
        store: timerStoreName,
        index: 'due',
        from: group + queue.horizon,
        to: afterPrefix(group),
        limit: this.#limit,
        reverse: false,
      })
      // Timers were set, moved or dropped while reading: what was read may be wrong.
      if (changes !== this.#changes) continue
      for (const { key, value } of rows) {
        this.#hold(queue, key, dueKey(value as number, key))
        // Firing deletes the row, and the index then wants to know the committed one.
        if (this.#table.dirty(key) === undefined) this.#table.cache.set(key, value, 0)
      }
      const last = rows.length < this.#limit ? undefined : rows.at(-1)
      queue.horizon = last === undefined ? undefined : `${dueKey(last.value as number, last.key)}\x00`
    }
  }

  /** The first timer due at `now`, taken out of the store; only those of the queue (`needsLoad`). */
  pop(clock: TimerClock, now: number): DueTimer | undefined {
    const first = this.#queues[clock].due.firstKey()
    if (first === undefined) return undefined
    const at = atOf(first)
    if (at > now) return undefined
    const timer = first.slice(8)
    this.#table.delete(timer)
    this.#sync(timer, undefined)
    const end = timer.indexOf('\x00')
    return { clock, name: timer.slice(1, end), key: utf8Text(timer.slice(end + 1)), at }
  }

  /** This timer was changed in the table: by a rollback or a restore. */
  resync(timer: string): void {
    this.#sync(timer, this.#table.get(timer) as number | undefined)
  }

  /** Forgets what is held; it is loaded again from what is stored. */
  discard(): void {
    this.#changes++
    this.#dueKeys.clear()
    Object.assign(this.#queues, { stream: emptyQueue(), wall: emptyQueue() })
  }

  #sync(timer: string, at: number | undefined): void {
    this.#changes++
    const queue = this.#queues[timer.startsWith(tags.stream) ? 'stream' : 'wall']
    const before = this.#dueKeys.get(timer)
    if (before !== undefined) {
      queue.due.delete(before)
      this.#dueKeys.delete(timer)
    }
    if (at === undefined) return
    const key = dueKey(at, timer)
    if (queue.horizon !== undefined && key >= queue.horizon) return
    this.#hold(queue, timer, key)
    if (queue.due.size > 2 * this.#limit) this.#shrink(queue)
  }

  #hold(queue: Queue, timer: string, key: string): void {
    queue.due.set(key, timer)
    this.#dueKeys.set(timer, key)
  }

  #shrink(queue: Queue): void {
    while (queue.due.size > this.#limit) {
      const last = queue.due.lastKey() as string
      this.#dueKeys.delete(queue.due.get(last) as string)
      queue.due.delete(last)
      queue.horizon = last
    }
  }
}

function emptyQueue(): Queue {
  return { due: new OrderedMap(), horizon: nothingLoaded }
}

function dueKey(at: number, timer: string): string {
  return int64Bytes(at) + timer
}

function atOf(key: string): number {
  return int64At(key)
}
