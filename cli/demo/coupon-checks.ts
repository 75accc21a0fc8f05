/** Judges a rush by what the log holds: not what the clients were told, but what was decided. */
import type { Topics } from '../../schemas/index.ts'
import type { Log } from '../../streams/index.ts'
import { type Check, check, isDense } from '../load/verdicts.ts'

const PAGE_RECORDS = 1_000

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

/** Every value of a topic, from its first record to the end it has now. */
async function readTopic<V>(
  log: Log,
  topic: { readonly name: string; readonly value: { deserialize(bytes: Buffer): V } },
): Promise<V[]> {
  const values: V[] = []
  for (let partition = 0; partition < log.partitions(topic.name); partition++) {
    const { start, end } = await log.bounds({ topic: topic.name, partition })
    let wake: (() => void) | undefined
    const reader = log.openReader({ topic: topic.name, partition }, start, () => wake?.())
    try {
      // The end may lie behind the last record: a log has marks of its own.
      while (reader.position < end) {
        const readable = new Promise<void>((resolve) => (wake = resolve))
        const records = reader.take(PAGE_RECORDS)
        for (const { value } of records) if (value !== null) values.push(topic.value.deserialize(value))
        if (reader.fault !== undefined) throw reader.fault
        if (records.length === 0 && reader.position < end) await readable
      }
    } finally {
      reader.close()
    }
  }
  return values
}
