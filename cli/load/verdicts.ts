/** After a rush: every verdict, and whether they add up. */
import type { RushPlan } from './plan.ts'
import { type RushResult, type RushTarget, type Verdict, verdictOf } from './rush.ts'

/** Questions on their way at the same time. */
const CONCURRENCY = 64

export interface Check {
  readonly name: string
  readonly ok: boolean
  /** What was found. */
  readonly detail: string
}

/** Asks for the verdicts that are not known yet. */
export async function collectVerdicts(
  target: RushTarget,
  result: RushResult,
  signal: AbortSignal,
  onProgress: (known: number) => void,
): Promise<void> {
  const { tickets, verdicts } = result
  let next = 0
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))

  async function worker(): Promise<void> {
    while (next < tickets.length) {
      signal.throwIfAborted()
      const index = next++
      const ticket = tickets[index]
      if (ticket === undefined || verdicts.has(index)) continue
      const verdict = await verdictOf(target, index, ticket)
      if (verdict !== undefined) verdicts.set(index, verdict)
      onProgress(verdicts.size)
    }
  }
}

/** Number of requests by verdict: `ISSUED`, or the reason of the refusal. */
export function countVerdicts(verdicts: Iterable<Verdict>): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, reason } of verdicts) {
    const name = status === 'ISSUED' ? status : (reason ?? status)
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

/** Holds for a coupon that was new and open, with one per user. */
export function checkRush(plan: RushPlan, quota: number, result: RushResult): readonly Check[] {
  const { tickets, verdicts } = result
  const acceptedUsers = new Set<number>()
  const issuedUsers: number[] = []
  const sequences: number[] = []
  let accepted = 0
  tickets.forEach((ticket, index) => {
    if (ticket === undefined) return
    accepted++
    acceptedUsers.add(plan.user[index] as number)
    const verdict = verdicts.get(index)
    if (verdict?.status !== 'ISSUED') return
    issuedUsers.push(plan.user[index] as number)
    sequences.push(verdict.sequence ?? 0)
  })
  const expected = Math.min(quota, acceptedUsers.size)
  const twice = issuedUsers.length - new Set(issuedUsers).size
  return [
    check('every request was taken', accepted === plan.requests, `${accepted} of ${plan.requests}`),
    check('every request was decided', verdicts.size === accepted, `${verdicts.size} of ${accepted}`),
    check(
      'issued as many as the quota allows',
      issuedUsers.length === expected,
      `${issuedUsers.length} of ${expected}`,
    ),
    check('sequence is dense', isDense(sequences), `1 to ${sequences.length}`),
    check('no user twice', twice === 0, `${twice} users`),
  ]
}

export function check(name: string, ok: boolean, detail: string): Check {
  return { name, ok, detail }
}

/** Each of 1 to n once, in any order. */
export function isDense(sequences: readonly number[]): boolean {
  return sequences.toSorted((a, b) => a - b).every((sequence, index) => sequence === index + 1)
}
