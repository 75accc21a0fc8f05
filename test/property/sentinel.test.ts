/** The sentinel's rules: silent on everything that is right, however it is read; and each faulty issuer is found. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Violation, WatchedInvariant } from '../../processors/index.ts'
import type { Campaign, CouponIssued, CouponIssueRejected } from '../../schemas/index.ts'
import { command, requested } from '../unit/coupons/given.ts'
import { histories, START, type Step } from './coupon-history.ts'
import { type Faults, playOnProcessors } from './coupon-played.ts'
import { type FactStream, judged, type PlacedFact, streamsOf } from './fact-streams.ts'

/** Which stream goes on next, turn by turn: in heaps of one stream, and mixed. */
const interleavings = fc.array(fc.nat(4), { minLength: 1, maxLength: 60 })

describe('right histories raise no alarm', () => {
  test('whichever topic is read first', () => {
    fc.assert(
      fc.property(histories, interleavings, (history, choices) => {
        expect(judged(streamsOf(playOnProcessors(history)), choices)).toEqual([])
      }),
      { numRuns: 2_000 },
    )
  })

  test('when facts are read again, by a sentinel that lost its place', () => {
    fc.assert(
      fc.property(histories, interleavings, fc.nat(30), (history, choices, back) => {
        const streams = streamsOf(playOnProcessors(history)).map((stream) => [
          ...stream,
          ...stream.slice(-back),
        ])
        expect(judged(streams, choices)).toEqual([])
      }),
      { numRuns: 1_000 },
    )
  })

  test('when a replay of the issuer says its verdicts again', () => {
    fc.assert(
      fc.property(histories, interleavings, fc.nat(60), (history, choices, back) => {
        expect(judged(streamsOf(playOnProcessors(history)).map(saidAgain(back)), choices)).toEqual([])
      }),
      { numRuns: 1_000 },
    )
  })

  test('when the beginning is gone, and compacted topics have their last words only', () => {
    fc.assert(
      fc.property(
        histories,
        interleavings,
        fc.array(fc.nat(40), { minLength: 5 }),
        (history, choices, gone) => {
          const left = streamsOf(playOnProcessors(history)).map((stream, i) => retained(stream, gone[i] ?? 0))
          expect(judged(left, choices)).toEqual([])
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

/** The last verdicts once more: the same events at new offsets. */
function saidAgain(back: number): (stream: FactStream) => FactStream {
  return (stream) => {
    const verdicts = stream.filter(({ fact: { kind } }) => kind === 'ISSUED' || kind === 'REJECTED')
    const again = verdicts.slice(-back).map(({ fact, place }, i): PlacedFact => {
      return { fact, place: { ...place, offset: stream.length + i } }
    })
    return [...stream, ...again]
  }
}

/** Without the first `gone`; of campaigns and reports, some that were followed by another. */
function retained(stream: FactStream, gone: number): FactStream {
  return stream.filter(({ fact }, i) => {
    if (fact.kind !== 'CAMPAIGN' && fact.kind !== 'QUOTA') return i >= gone
    const { couponId } = fact.value
    const isLast = !stream.slice(i + 1).some((later) => later.fact.value.couponId === couponId)
    return isLast || (i * 7 + gone) % 3 === 0
  })
}

// --- faulty issuers

const DAY = 86_400_000

/** A long day of two coupons: issues, duplicates, repeats, a raise after it was sold out, an edit that is refused. */
const busyDay: readonly Step[] = (() => {
  const steps: Step[] = []
  const put = (changes: Partial<Campaign>): void => {
    const window = { opensAt: START, closesAt: START + DAY }
    steps.push({ kind: 'command', value: command({ couponId: 'spring', ...window, ...changes }) })
  }
  const ask = (n: number, changes: Partial<ReturnType<typeof requested>> = {}): void => {
    const value = requested({ couponId: 'spring', userId: `u${n % 70}`, requestId: `r${n}`, ...changes })
    steps.push({ kind: 'request', value })
  }
  put({ quota: 40 })
  put({ couponId: 'summer', quota: 1_000, perUserLimit: 1_000 })
  for (let n = 0; n < 120; n++) {
    ask(n)
    if (n % 5 === 0) ask(n)
    if (n % 3 === 0) ask(1_000 + n, { couponId: 'summer' })
    if (n % 20 === 0) steps.push({ kind: 'wait', ms: 5 })
  }
  put({ quota: 60 })
  put({ quota: 3 })
  for (let n = 0; n < 120; n++) {
    ask(200 + n)
    if (n % 4 === 0) ask(n)
    if (n % 3 === 0) ask(2_000 + n, { couponId: 'summer' })
  }
  put({ quota: 59 + 2, closesAt: START + 2 * DAY })
  for (let n = 0; n < 80; n++) {
    ask(400 + n)
    if (n % 3 === 0) ask(3_000 + n, { couponId: 'summer' })
  }
  return steps
})()

type Stores = Parameters<NonNullable<Faults['stores']>>[0]
type Emits = Parameters<NonNullable<Faults['emit']>>[0]

const campaignsAs = (change: (campaign: Campaign, read: number) => Campaign): Faults => {
  let read = 0
  return {
    stores: (stores) => ({
      ...stores,
      campaigns: {
        ...stores.campaigns,
        get: (key) => {
          const campaign = stores.campaigns.get(key)
          return campaign === undefined ? undefined : change(campaign, ++read)
        },
      },
    }),
  }
}
const countsAs = (change: (issued: number, read: number) => number): Faults => {
  let read = 0
  return {
    stores: (stores) => ({
      ...stores,
      counters: {
        ...stores.counters,
        get: (key) => {
          const counters = stores.counters.get(key)
          return counters === undefined ? undefined : { ...counters, issued: change(counters.issued, ++read) }
        },
      },
    }),
  }
}
const forgets = (store: 'claims' | 'requests'): Faults => ({
  stores: (stores): Stores => ({ ...stores, [store]: { ...stores[store], get: () => undefined } }),
})
const says = (change: (emit: Emits) => Partial<Emits>): Faults => ({
  emit: (emit) => ({ ...emit, ...change(emit) }),
})
/** Another `issued` from the n-th on. */
const fromIssue = (
  n: number,
  say: (emit: Emits, key: string, issued: CouponIssued, at: number) => void,
): Faults => {
  let count = 0
  return says((emit) => ({
    issued: (key, issued, at) => (++count < n ? emit.issued(key, issued, at) : say(emit, key, issued, at)),
  }))
}
/** Another one in place of the n-th `issued`. */
const atIssue = (n: number, say: (emit: Emits, key: string, issued: CouponIssued, at: number) => void) => {
  let count = 0
  return says((emit) => ({
    issued: (key, issued, at) => (++count === n ? say(emit, key, issued, at) : emit.issued(key, issued, at)),
  }))
}
const atRejection = (
  n: number,
  say: (emit: Emits, key: string, rejected: CouponIssueRejected, at: number) => void,
): Faults => {
  let count = 0
  return says((emit) => ({
    rejected: (key, rejected, at) =>
      ++count === n ? say(emit, key, rejected, at) : emit.rejected(key, rejected, at),
  }))
}

/** What each gets wrong, and what it must be found by. A fault with a memory is made anew for each history. */
const faultyIssuers: readonly [string, WatchedInvariant, () => Faults][] = [
  [
    'overshoots the quota',
    'I1',
    () => campaignsAs((campaign) => ({ ...campaign, quota: campaign.quota + 5 })),
  ],
  [
    'reports more than the quota',
    'I1',
    () =>
      says((emit) => ({ quota: (key, report) => emit.quota(key, { ...report, issued: report.quota + 1 }) })),
  ],
  ['forgets what users have', 'I2', () => forgets('claims')],
  [
    'gives two verdicts on one request',
    'I3',
    () =>
      fromIssue(30, (emit, key, issued, at) => (emit.issued(key, issued, at), emit.issued(key, issued, at))),
  ],
  [
    'issues and rejects the same request',
    'I3',
    () =>
      atRejection(20, (emit, key, rejected, at) => {
        emit.rejected(key, rejected, at)
        emit.rejected(key, { ...rejected, reason: 'CLOSED' }, at)
      }),
  ],
  ['leaves a request without a verdict', 'I3', () => atRejection(10, () => undefined)],
  ['loses a coupon that it issued', 'I3', () => atIssue(90, () => undefined)],
  ['forgets its verdicts and decides again', 'I4', () => forgets('requests')],
  [
    'says a verdict again with another time',
    'I4',
    () => {
      let said = 0
      return says((emit) => ({
        issued: (key, issued, at) => emit.issued(key, { ...issued, expiresAt: ++said }, at),
      }))
    },
  ],
  [
    'is sold out for a moment',
    'I5',
    () => campaignsAs((campaign, read) => (read >= 20 && read < 25 ? { ...campaign, quota: 0 } : campaign)),
  ],
  [
    'skips a number',
    'I6',
    () => fromIssue(25, (emit, key, issued, at) => emit.issued(key, shifted(issued, 1), at)),
  ],
  [
    'gives a number twice',
    'I6',
    () => fromIssue(25, (emit, key, issued, at) => emit.issued(key, shifted(issued, -1), at)),
  ],
  [
    'counts from the start again',
    'I6',
    () => countsAs((issued, read) => (read > 150 ? Math.max(0, issued - 30) : issued)),
  ],
  [
    'does not look at the window',
    'I7',
    () => campaignsAs((campaign) => ({ ...campaign, opensAt: 0, closesAt: START + 9 * DAY })),
  ],
  [
    'goes by another clock than the log',
    'I7',
    () =>
      fromIssue(10, (emit, key, issued, at) =>
        emit.issued(key, { ...issued, issuedAt: issued.issuedAt + 1 }, at),
      ),
  ],
  [
    'gives a shard more than the campaign has',
    'I8',
    () =>
      says((emit) => ({ quota: (key, report) => emit.quota(key, { ...report, quota: report.quota + 1 }) })),
  ],
  [
    'lowers the quota of a shard without a command',
    'I8',
    () =>
      says((emit) => ({
        quota: (key, report) =>
          emit.quota(key, report.revision === 3 ? { ...report, quota: report.quota - 1 } : report),
      })),
  ],
  [
    'lets an edit go below what is issued',
    'I9',
    () =>
      says((emit) => ({
        campaign: (key, campaign) =>
          emit.campaign(key, campaign.revision === 2 ? { ...campaign, quota: 3 } : campaign),
      })),
  ],
  [
    'tells two states under one revision',
    'I15',
    () => says((emit) => ({ campaign: (key, campaign) => emit.campaign(key, { ...campaign, revision: 1 }) })),
  ],
  [
    'does not number its reports',
    'I15',
    () => says((emit) => ({ quota: (key, report) => emit.quota(key, { ...report, revision: 1 }) })),
  ],
]

function shifted(issued: CouponIssued, by: number): CouponIssued {
  return { ...issued, sequence: issued.sequence + by }
}

describe('a faulty issuer is found, whichever topic is read first, that', () => {
  test.each(faultyIssuers)('%s: %s', (_, invariant, faults) => {
    const day = windowed(invariant, busyDay)
    fc.assert(
      fc.property(interleavings, (choices) => {
        const found = judged(streamsOf(playOnProcessors(day, faults())), choices)
        expect(invariantsOf(found)).toContain(invariant)
      }),
      { numRuns: 100 },
    )
  })

  test('none: the same day without a fault, its beginning gone, its verdicts said again', () => {
    fc.assert(
      fc.property(
        interleavings,
        fc.array(fc.nat(250), { minLength: 5 }),
        fc.nat(50),
        (choices, gone, back) => {
          const all = streamsOf(playOnProcessors(busyDay)).map(saidAgain(back))
          const streams = all.map((stream, i) => retained(stream, gone[i] ?? 0))
          expect(judged(streams, choices)).toEqual([])
        },
      ),
      { numRuns: 300 },
    )
  })

  test('none: the same day without a fault', () => {
    fc.assert(
      fc.property(interleavings, (choices) => {
        expect(judged(streamsOf(playOnProcessors(busyDay)), choices)).toEqual([])
      }),
      { numRuns: 200 },
    )
  })
})

/** For I7 the campaign closes while people still ask. */
function windowed(invariant: WatchedInvariant, day: readonly Step[]): readonly Step[] {
  if (invariant !== 'I7') return day
  return day.map((step) => {
    if (step.kind !== 'command') return step
    return { kind: 'command', value: { ...step.value, closesAt: START + 60 } }
  })
}

describe('a forged verdict is found:', () => {
  const forgeries: readonly [string, WatchedInvariant, (issued: PlacedFact) => PlacedFact][] = [
    [
      'one that no request caused',
      'I3',
      ({ fact, place }) => ({ fact, place: { ...place, lineage: { eventId: 'forged' } } }),
    ],
    [
      'one on a request that has its verdict',
      'I6',
      ({ fact, place }) => ({ fact, place: { ...place, lineage: { ...place.lineage!, eventId: 'forged' } } }),
    ],
  ]
  test.each(forgeries)('%s', (_, invariant, forge) => {
    const streams = streamsOf(playOnProcessors(busyDay)).map((stream) => {
      const last = stream.at(-1) as PlacedFact
      if (last.fact.kind !== 'ISSUED') return stream
      const forged = forge(last)
      return [...stream, { ...forged, place: { ...forged.place, offset: stream.length } }]
    })
    expect(invariantsOf(judged(streams))).toContain(invariant)
  })
})

function invariantsOf(found: readonly Violation[]): Set<string> {
  return new Set(found.map(({ invariant }) => invariant))
}
