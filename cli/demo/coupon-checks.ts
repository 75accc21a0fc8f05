/** Judges a rush by what the log holds: not what the clients were told, but what was decided. */
import type { Topics } from '../../schemas/index.ts'
import type { Log } from '../../streams/index.ts'
import { type Check, check, isDense } from '../load/verdicts.ts'
import { readTopic } from '../pipeline/read-topic.ts'

export interface RushFacts {
  readonly couponId: string
  readonly requests: number
  readonly quota: number
}

/** Holds once every request is decided. */
export async function checkDecisions(
  log: Log,
  topics: Topics,
  { couponId, requests, quota }: RushFacts,
): Promise<readonly Check[]> {
  const asked = (await readTopic(log, topics.couponIssueRequested)).filter(of(couponId))
  const issued = (await readTopic(log, topics.couponIssued)).filter(of(couponId))
  const rejected = (await readTopic(log, topics.couponIssueRejected)).filter(of(couponId))
  const decisions = new Map<string, number>()
  for (const { requestId } of [...issued, ...rejected])
    decisions.set(requestId, (decisions.get(requestId) ?? 0) + 1)
  const undecided = asked.filter(({ requestId }) => decisions.get(requestId) !== 1)
  const users = new Set(issued.map(({ userId }) => userId))
  const early = rejected.filter(({ reason, sourceOffset }) => {
    return reason === 'SOLD_OUT' && issued.some((one) => one.sourceOffset > sourceOffset)
  })
  return [
    check('every request is in the log', asked.length === requests, `${asked.length} of ${requests}`),
    check(
      'every request decided once',
      undecided.length === 0,
      `${asked.length - undecided.length} of ${asked.length}`,
    ),
    check('issued as many as there were', issued.length === quota, `${issued.length} of ${quota}`),
    check('sequence is dense', isDense(issued.map(({ sequence }) => sequence)), `1 to ${issued.length}`),
    check('no user twice', users.size === issued.length, `${users.size} users`),
    check(
      'first come, first served',
      early.length === 0,
      `${early.length} refused before a later one was served`,
    ),
  ]
}

function of(couponId: string) {
  return (value: { readonly couponId: string }): boolean => value.couponId === couponId
}
