/**
 * What must hold of every history, whatever the issuer's rules are: read off inputs and outputs alone. Each check throws
 * what it found.
 */
import type { WatchedInvariant } from '../../processors/index.ts'
import { type Input, placeOf, type Played, type Verdict } from './coupon-played.ts'
import { judged, streamsOf } from './fact-streams.ts'

type Request = Extract<Input, { kind: 'request' }>

interface Decided {
  readonly request: Request
  readonly verdict: Verdict
}

/** The sentinel's rules, over the facts in the order of their topics; and what the end of a history allows to say besides. */
export const invariants: Readonly<Record<string, (played: Played) => void>> = {
  'I1 issued(coupon) ≤ quota at every offset': holds('I1'),
  'I2 at most perUserLimit issues per (coupon, user)': holds('I2'),
  'I3 every accepted request gets exactly one decision': (played) => {
    holds('I3')(played)
    const { inputs, verdicts } = played
    const requests = inputs.filter((input) => input.kind === 'request').map(placeOf)
    const causes = verdicts.map(({ cause }) => cause)
    if (requests.toSorted().join() !== causes.toSorted().join())
      throw broken('not one each', { requests, causes })
  },
  'I4 same requestId, same decision, byte for byte': (played) => {
    holds('I4')(played)
    const first = new Map<string, Decided>()
    for (const decided of decisions(played)) {
      const { request, verdict } = decided
      const { couponId, requestId, userId, bodyHash } = request.value
      const known = first.get(`${couponId}/${requestId}`)
      if (known === undefined) {
        first.set(`${couponId}/${requestId}`, decided)
        continue
      }
      const before = known.request.value
      const sameBody = before.bodyHash === null || bodyHash === null || before.bodyHash === bodyHash
      const same = verdict.bytes.equals(known.verdict.bytes) && verdict.timestamp === known.verdict.timestamp
      if (before.userId === userId && sameBody && !same) throw broken('another verdict', { known, decided })
      if ((before.userId !== userId || !sameBody) && !isConflict(verdict))
        throw broken('no conflict', { known, decided })
    }
  },
  'I5 between two raises nobody earlier is SOLD_OUT while a later one is issued': holds('I5'),
  'I6 sequence numbers are dense 1..n per shard': holds('I6'),
  'I7 none outside [opensAt, closesAt) by the append time': holds('I7'),
  "I8 the shards' quotas add up to the campaign's": holds('I8'),
  'I9 an edit never lowers the quota below what is issued': holds('I9'),
  'I15 a revision strictly grows': holds('I15'),
  'a revision grows by one with every campaign state, and with every report of a quota': (played) => {
    const next = new Map<string, number>()
    const grow = (key: string, revision: number) => {
      if (revision !== (next.get(key) ?? 1)) throw broken('revision', { key, revision })
      next.set(key, revision + 1)
    }
    for (const { value } of played.campaigns) grow(`campaign ${value.couponId}`, value.revision)
    for (const { value } of played.quotas) grow(`quota ${value.couponId}`, value.revision)
  },
}

function decisions({ inputs, verdicts }: Played): Decided[] {
  const byCause = new Map(verdicts.map((verdict) => [verdict.cause, verdict]))
  return inputs.flatMap((request) => {
    const verdict = request.kind === 'request' ? byCause.get(placeOf(request)) : undefined
    return request.kind === 'request' && verdict !== undefined ? [{ request, verdict }] : []
  })
}

/** By the rules that the sentinel runs. */
function holds(invariant: WatchedInvariant): (played: Played) => void {
  return (played) => {
    const found = judged(streamsOf(played)).filter((each) => each.invariant === invariant)
    if (found.length > 0) throw broken(invariant, found)
  }
}

function isConflict({ rejected }: Verdict): boolean {
  return rejected?.reason === 'REQUEST_ID_CONFLICT' || rejected?.reason === 'IDEMPOTENCY_CONFLICT'
}

function broken(what: string, found: unknown): Error {
  return new Error(`${what}: ${JSON.stringify(found)}`)
}
