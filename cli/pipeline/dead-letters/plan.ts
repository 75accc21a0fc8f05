/**
 * Which dead letters of a partition go back, and in which order: one after the other within a key. Pure.
 *
 * The order of a key is that in which its records first came, so that one which became a dead letter again goes before
 * those that came after it, although it lies behind them now.
 */
import type { Position, TopicPartition } from '../../../streams/index.ts'

/** What the plan knows of a dead letter. */
export interface Letter {
  readonly offset: number
  /** Absent: it has no key, and waits for nobody. */
  readonly key: string | undefined
  readonly first: Position | undefined
  /** It is one of those that are meant. */
  readonly wanted: boolean
  /** Absent: it cannot go back. */
  readonly target: TopicPartition | undefined
  /** It was begun, and perhaps sent. */
  readonly doubtful: boolean
}

/** A dead letter that is on its way: sent, and perhaps not processed yet. */
export interface OnItsWay {
  readonly offset: number
  readonly key: string | undefined
  readonly target: Position
}

export interface RedrivePlan {
  /** By key; each goes once the one before it is done. */
  readonly queues: readonly Queue[]
  /** Wanted, and not in a queue: an earlier one of the key is not wanted or cannot go back. */
  readonly held: number
  /** Wanted, and cannot go back. */
  readonly unroutable: number
}

export interface Queue {
  /** Those of the key that must be done before the first. */
  readonly after: readonly OnItsWay[]
  readonly letters: readonly RoutableLetter[]
}

export type RoutableLetter = Letter & { readonly target: TopicPartition }

export interface PlanOptions {
  readonly letters: readonly Letter[]
  readonly onTheirWay: readonly OnItsWay[]
  /** Earlier ones of a key that are not wanted, or cannot go back, hold nobody. */
  readonly ignoreEarlier: boolean
}

export function planRedrive({ letters, onTheirWay, ignoreEarlier }: PlanOptions): RedrivePlan {
  const queues: Queue[] = []
  let held = 0
  let unroutable = 0
  const before = Map.groupBy(onTheirWay, ({ key }) => key)
  for (const [key, unordered] of byKey(letters)) {
    const going: RoutableLetter[] = []
    let blocked = false
    for (const letter of unordered.toSorted(inOrder)) {
      if (!isRoutable(letter)) {
        if (letter.wanted) unroutable++
        blocked ||= !ignoreEarlier
      } else if (!letter.wanted) blocked ||= !ignoreEarlier
      else if (blocked) held++
      else going.push(letter)
    }
    const after = typeof key === 'string' ? (before.get(key) ?? []) : []
    if (going.length > 0) queues.push({ after, letters: going })
  }
  return { queues, held, unroutable }
}

/** The first letters of all queues, then the second ones, and so on: as many as are taken, in queues of their own. */
export function firstOf(queues: readonly Queue[], limit: number): readonly Queue[] {
  const counts = queues.map(() => 0)
  let taken = 0
  for (let depth = 0, more = true; more && taken < limit; depth++) {
    more = false
    for (const [index, { letters }] of queues.entries()) {
      if (letters.length <= depth || taken >= limit) continue
      counts[index] = depth + 1
      taken++
      more = true
    }
  }
  return queues.flatMap(({ after, letters }, index) => {
    const count = counts[index] as number
    return count === 0 ? [] : [{ after, letters: letters.slice(0, count) }]
  })
}

/** Each letter without a key is alone. */
function byKey(letters: readonly Letter[]): ReadonlyMap<string | number, readonly Letter[]> {
  return Map.groupBy(letters, ({ key, offset }) => key ?? offset)
}

/** Where two cannot be compared by where they first were, the one that died first goes first. */
function inOrder(a: Letter, b: Letter): number {
  const [x, y] = [a.first, b.first]
  const comparable = x !== undefined && y !== undefined && x.topic === y.topic && x.partition === y.partition
  return (comparable ? x.offset - y.offset : 0) || a.offset - b.offset
}

function isRoutable(letter: Letter): letter is RoutableLetter {
  return letter.target !== undefined
}
