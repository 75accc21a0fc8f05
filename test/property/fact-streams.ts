/** A played history as the sentinel sees it: each topic's facts in order, read in any interleaving. */
import {
  type CouponFact,
  type CouponRows,
  judgeCoupon,
  type Place,
  type Violation,
} from '../../processors/index.ts'
import { topics } from '../../schemas/index.ts'
import { couponRows } from '../support/coupon-rows.ts'
import type { Played } from './coupon-played.ts'

export interface PlacedFact {
  readonly fact: CouponFact
  readonly place: Place
}

/** One partition of one topic, in its order. */
export type FactStream = readonly PlacedFact[]

export function streamsOf({ inputs, verdicts, campaigns, quotas }: Played): FactStream[] {
  const facts: PlacedFact[] = [
    ...campaigns.map(({ value, place }): PlacedFact => ({ fact: { kind: 'CAMPAIGN', value }, place })),
    ...quotas.map(({ value, place }): PlacedFact => ({ fact: { kind: 'QUOTA', value }, place })),
    ...inputs.flatMap((input): PlacedFact[] => {
      if (input.kind !== 'request') return []
      const { value, partition, offset } = input
      const topic = topics.couponIssueRequested.name
      return [{ fact: { kind: 'REQUEST', value }, place: { topic, partition, offset, lineage: undefined } }]
    }),
    ...verdicts.flatMap(({ issued, rejected, place }): PlacedFact[] => {
      if (issued !== undefined) return [{ fact: { kind: 'ISSUED', value: issued }, place }]
      return rejected === undefined ? [] : [{ fact: { kind: 'REJECTED', value: rejected }, place }]
    }),
  ]
  const byPartition = Map.groupBy(facts, ({ place }) => `${place.topic}-${place.partition}`)
  return [...byPartition.values()].map((stream) => stream.toSorted((a, b) => a.place.offset - b.place.offset))
}

/** @param choices which of the streams that still have facts is read next, round and round; one after the other unless told */
export function interleaved(streams: readonly FactStream[], choices: readonly number[] = [0]): PlacedFact[] {
  const left = streams.map((stream) => ({ stream, next: 0 }))
  const read: PlacedFact[] = []
  for (let turn = 0; ; turn++) {
    const open = left.filter(({ stream, next }) => next < stream.length)
    const chosen = open[(choices[turn % choices.length] ?? 0) % Math.max(1, open.length)]
    if (chosen === undefined) return read
    read.push(chosen.stream[chosen.next++] as PlacedFact)
  }
}

/** What the rules find, all users and requests watched; each partition has rows of its own. */
export function judged(streams: readonly FactStream[], choices?: readonly number[]): Violation[] {
  const rows = new Map<number, CouponRows>()
  return interleaved(streams, choices).flatMap(({ fact, place }) => {
    const own = rows.get(place.partition) ?? couponRows()
    rows.set(place.partition, own)
    return judgeCoupon(fact, place, own, { watchOneIn: 1 })
  })
}
