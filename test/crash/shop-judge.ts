/** What must be true of all that the shop ever said, by plain counting. Answers are complaints. */
import { firstDifference } from './coupon-oracle.ts'
import type { PlainBoard } from './board-oracle.ts'
import type { Ticket } from './shop-load.ts'

/** The last word on a request, as GET told it. */
export interface SaidVerdict {
  readonly requestId: string
  readonly status: string
  readonly sequence?: number
  readonly userCouponId?: string
  readonly reason?: string
  readonly existingUserCouponId?: string
}

export interface SaidBoard {
  readonly revision: number
  readonly start: number
  readonly end: number
  readonly final: boolean
  readonly entries: readonly { readonly rank: number; readonly productId: string; readonly score: number }[]
}

/** One coupon per user of a campaign with a quota. */
export function judgeVerdicts(
  quota: number,
  tickets: ReadonlyMap<string, Ticket>,
  verdicts: readonly SaidVerdict[],
): string[] {
  const issued = verdicts.filter(({ status }) => status === 'ISSUED')
  const undecided = verdicts.filter(({ status }) => status !== 'ISSUED' && status !== 'REJECTED')
  const sequences = issued.map(({ sequence = 0 }) => sequence).toSorted((a, b) => a - b)
  const dense = Array.from({ length: issued.length }, (_, i) => i + 1)
  const users = issued.map(({ requestId }) => tickets.get(requestId)?.userId ?? 'nobody').toSorted()
  const twice = users.filter((user, i) => user === users[i + 1])
  return [
    ...(issued.length > quota ? [`${issued.length} issued of ${quota} (I1)`] : []),
    ...twice.map((user) => `${user} got two (I2)`),
    ...undecided.map(({ requestId, status }) => `${requestId} is ${status} (I3)`),
    ...firstDifference('sequences (I6)', dense.map(String), sequences.map(String)),
    ...judgeOrder(quota, issued.length, tickets, verdicts),
    ...judgeReasons(issued, tickets, verdicts),
  ]
}

/** I5 over requests whose place in the queue is known: sent once, and answered. */
function judgeOrder(
  quota: number,
  issuedCount: number,
  tickets: ReadonlyMap<string, Ticket>,
  verdicts: readonly SaidVerdict[],
): string[] {
  const placed = verdicts.flatMap((verdict) => {
    const ticket = tickets.get(verdict.requestId)
    return ticket?.first === true ? [{ ...verdict, offset: ticket.offset }] : []
  })
  const issued = placed.filter(({ status }) => status === 'ISSUED').toSorted((a, b) => a.offset - b.offset)
  const byNumber = issued.toSorted((a, b) => (a.sequence ?? 0) - (b.sequence ?? 0))
  const last = issued.at(-1)?.offset ?? -1
  const tooSoon = placed.filter(({ reason, offset }) => reason === 'SOLD_OUT' && offset < last)
  return [
    ...firstDifference(
      'issued in the order of the queue (I5)',
      issued.map((each) => each.requestId),
      byNumber.map((each) => each.requestId),
    ),
    ...tooSoon.map(({ requestId }) => `${requestId} was SOLD_OUT before the last was issued (I5)`),
    ...(issuedCount < quota && placed.some(({ reason }) => reason === 'SOLD_OUT')
      ? [`sold out with ${issuedCount} of ${quota} issued`]
      : []),
  ]
}

/** DUPLICATE names the coupon that the same user has. */
function judgeReasons(
  issued: readonly SaidVerdict[],
  tickets: ReadonlyMap<string, Ticket>,
  verdicts: readonly SaidVerdict[],
): string[] {
  const owners = new Map(issued.map((each) => [each.userCouponId, tickets.get(each.requestId)?.userId]))
  return verdicts.flatMap(({ requestId, status, reason, existingUserCouponId }) => {
    if (status !== 'REJECTED' || reason === 'SOLD_OUT') return []
    const userId = tickets.get(requestId)?.userId
    if (reason === 'DUPLICATE' && owners.get(existingUserCouponId) === userId) return []
    return [`${requestId} of ${userId} is ${reason} for ${existingUserCouponId}`]
  })
}

export function judgeBoard(expected: PlainBoard, said: SaidBoard): string[] {
  const name = `${expected.window} of ${new Date(expected.start).toISOString()} by ${expected.metric}`
  const found = said.entries.map(({ rank, productId, score }) => `${rank} ${productId} ${score}`)
  const differing = [
    ...(said.revision === expected.revision
      ? []
      : [`${name}: revision ${said.revision}, expected ${expected.revision}`]),
    ...(said.start === expected.start && said.end === expected.end ? [] : [`${name}: another window`]),
  ]
  return [...differing, ...firstDifference(name, expected.entries, found)]
}
