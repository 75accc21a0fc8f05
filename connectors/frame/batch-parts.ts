/** A batch as its target is given it, and how far the task is after a part of it. Pure. */
import type { Position } from '../../streams/index.ts'
import type { Batch, Incoming } from './connector.ts'
import type { Taken } from './inputs.ts'

export function batchOf(
  records: readonly Incoming[],
  taken: readonly Taken[],
  end: readonly Position[],
): Batch {
  const topics = new Set(taken.map(({ record }) => record.topic))
  return { records, next: end.filter(({ topic }) => topics.has(topic)) }
}

/** Index after the next `count` records that were to be delivered, from `begin` on. */
export function afterRecords(taken: readonly Taken[], begin: number, count: number): number {
  let left = count
  let at = begin
  for (; at < taken.length && left > 0; at++) if (taken[at]?.incoming !== undefined) left--
  return at
}

/** Positions of all inputs after the first `to` of what was taken. */
export function movedOn(
  end: readonly Position[],
  before: readonly Position[],
  taken: readonly Taken[],
  to: number,
): Position[] {
  return end.map(({ topic, partition, offset }) => {
    const last = taken.slice(0, to).findLast(({ record }) => record.topic === topic)
    if (last !== undefined) return { topic, partition, offset: last.record.offset + 1 }
    const first = taken.find(({ record }) => record.topic === topic)
    const known = before.find((one) => one.topic === topic)
    return known ?? { topic, partition, offset: first?.record.offset ?? offset }
  })
}
