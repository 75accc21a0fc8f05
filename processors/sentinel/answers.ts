/**
 * I3: every request gets exactly one verdict. Pure; one row per partition, whatever the number of requests.
 *
 * Requests, coupons issued and rejections are three topics, read in any interleaving, but each of them in order: the
 * issuer decides the requests of a partition by their offsets. So each is a stream of ascending request offsets, and up
 * to any offset X that all three have passed, the requests must be the verdicts: as many, with the same sum of offsets.
 * Each stream's count and sum are taken down at marks on the way (every `MARK_EVERY` offsets, fewer when many are open),
 * and a mark that all have passed is compared with the one before. A stream that lags, or is idle, only delays that:
 * nothing is judged before it has passed.
 *
 * Two verdicts on one request are next to each other in their stream (`SECOND`), or are found at the next mark. The same event
 * again (equal eventId) is no second verdict.
 */
import type { AnswerMark, AnswerWatch, StreamWatch } from '../../schemas/index.ts'
import type { Place } from './facts.ts'
import type { Violation } from './invariants.ts'

/** Request offsets between two marks. */
export const MARK_EVERY = 32
/** Marks that are open at a time; beyond, every second one goes. */
export const MAX_MARKS = 16
const MODULUS = 2 ** 32
const NOT_THERE = -1

export const answerStreams = ['REQUEST', 'ISSUED', 'REJECTED'] as const
export type AnswerStream = (typeof answerStreams)[number]

const fresh: StreamWatch = Object.freeze({
  read: -1,
  first: -1,
  through: -1,
  count: 0,
  sum: 0,
  eventId: '',
})
export const noAnswers: AnswerWatch = Object.freeze({
  streams: [fresh, fresh, fresh],
  marks: [],
  settled: -1,
  count: 0,
  sum: 0,
})

/** One record of a stream; `of` is the offset of the request that it is, or answers. */
export interface Answer {
  readonly stream: AnswerStream
  readonly of: number
  readonly place: Place
}

/**
 * - `COUNTED`: it went on.
 * - `SECOND`: another verdict on the request before.
 * - `BEHIND`: a verdict on a request that its stream has passed: said again by a replay, as far as is known.
 * - `KNOWN`: read already, or the same event again.
 */
export type Progress = 'COUNTED' | 'SECOND' | 'BEHIND' | 'KNOWN'

export function progressOf({ streams }: AnswerWatch, { stream, of, place }: Answer): Progress {
  const { read, through, eventId } = streams[answerStreams.indexOf(stream)] as StreamWatch
  if (place.offset <= read) return 'KNOWN'
  if (of > through) return 'COUNTED'
  if (of < through) return 'BEHIND'
  return place.lineage?.eventId === eventId ? 'KNOWN' : 'SECOND'
}

/** The row after a record, and what it proves. */
export function watchAnswer(watch: AnswerWatch, answer: Answer): { watch: AnswerWatch; found: Violation[] } {
  const { stream, of, place } = answer
  const index = answerStreams.indexOf(stream)
  const before = watch.streams[index] as StreamWatch
  const progress = progressOf(watch, answer)
  if (place.offset <= before.read) return { watch, found: [] }
  const read = place.offset
  if (progress !== 'COUNTED') {
    const streams = watch.streams.with(index, { ...before, read })
    return { watch: { ...watch, streams }, found: [] }
  }
  const marks = marked(watch, index, of)
  const first = before.read === -1 ? (read === 0 ? 0 : of) : before.first
  const after: StreamWatch = {
    read,
    first,
    through: of,
    count: before.count + 1,
    sum: (before.sum + of) % MODULUS,
    eventId: place.lineage?.eventId ?? '',
  }
  return settled({ ...watch, marks, streams: watch.streams.with(index, after) }, place)
}

/** Requests read that have no verdict yet, as far as that was read. */
export function unanswered({ streams, count, settled: at }: AnswerWatch): number {
  return at < 0 ? 0 : Math.max(0, openCount(streams.map((stream) => stream.count)) - count)
}

/** The marks as they are once the stream `index` stands at `of`: it has passed those up to there with what it has. */
function marked({ marks, streams }: AnswerWatch, index: number, of: number): readonly AnswerMark[] {
  const { through, count, sum } = streams[index] as StreamWatch
  const at = Math.floor(of / MARK_EVERY) * MARK_EVERY
  const crosses = at > through
  if (!crosses && marks.every(({ offset }) => offset > of || offset <= through)) return marks
  const passed = marks.map((mark) => {
    if (mark.offset > of || mark.offset <= through) return mark
    return { ...mark, counts: mark.counts.with(index, count), sums: mark.sums.with(index, sum) }
  })
  // A stream that has passed the place cannot say any more what it had there.
  const isNew = crosses && streams.every((stream, other) => other === index || stream.through < at)
  if (!isNew || passed.some(({ offset }) => offset === at)) return passed
  const counts = [NOT_THERE, NOT_THERE, NOT_THERE].with(index, count)
  const sums = [NOT_THERE, NOT_THERE, NOT_THERE].with(index, sum)
  const all = [...passed, { offset: at, counts, sums }].toSorted((a, b) => a.offset - b.offset)
  return all.length <= MAX_MARKS ? all : all.filter((_, place) => place % 2 === 0)
}

/** Compares the last mark that all streams have passed. */
function settled(watch: AnswerWatch, place: Place): { watch: AnswerWatch; found: Violation[] } {
  const mark = watch.marks.findLast(({ counts }) => !counts.includes(NOT_THERE))
  if (mark === undefined) return { watch, found: [] }
  const marks = watch.marks.filter(({ offset }) => offset > mark.offset)
  // Before the first record that is still there of one of them, verdicts or requests may be gone.
  const complete = Math.max(...watch.streams.map(({ first }) => first))
  if (mark.offset < complete) return { watch: { ...watch, marks }, found: [] }
  const count = openCount(mark.counts)
  const sum = modulo(openCount(mark.sums))
  const found: Violation[] = []
  if (watch.settled >= 0 && (count !== watch.count || sum !== watch.sum)) {
    const range = `requests ${watch.settled} to ${mark.offset - 1}`
    found.push(violation(place, `${range}: ${missing(count - watch.count)}`))
  }
  return { watch: { ...watch, marks, settled: mark.offset, count, sum }, found }
}

function missing(difference: number): string {
  if (difference > 0) return `${difference} without a verdict`
  if (difference < 0) return `${-difference} verdicts too many`
  return 'as many verdicts as requests, but not on the same ones'
}

function openCount(counts: readonly number[]): number {
  const [requests = 0, issued = 0, rejected = 0] = counts
  return requests - issued - rejected
}

function modulo(sum: number): number {
  return ((sum % MODULUS) + MODULUS) % MODULUS
}

function violation({ partition }: Place, detail: string): Violation {
  return { invariant: 'I3', subject: `coupon.issue.requested-${partition}`, couponId: null, detail }
}
