/**
 * What concerns a user, as it is told to them: facts about coupons, points and orders, repartitioned to their user where
 * they lie under another key, numbered and kept for a while.
 */
import {
  earnedNews,
  issuedNews,
  newsKeeper,
  type NewsMessage,
  type NewsRules,
  rejectedNews,
  statusNews,
  usedNews,
} from '../processors/index.ts'
import {
  stateSerde,
  type Topic,
  topics,
  type UserNews,
  type UserNewsHead,
  userNewsHeadSchema,
  userNewsSchema,
} from '../schemas/index.ts'
import { keys, keyValueStore } from '../state/index.ts'
import { processor, shape, type Topology, topology, type TopologyBuilder } from '../streams/index.ts'

export const NOTIFIER = 'notifier'

/** The last news of each user, by (userId, 1..n). */
export const userNewsStore = keyValueStore<UserNews, [userId: string, sequence: number]>({
  name: 'user-news',
  key: keys.tuple(keys.string, keys.int64),
  value: stateSerde(userNewsSchema),
  version: userNewsSchema.version,
})

/** Where the numbers of a user's news are, by userId. */
export const userNewsHeadStore = keyValueStore<UserNewsHead>({
  name: 'user-news-heads',
  value: stateSerde(userNewsHeadSchema),
  version: userNewsHeadSchema.version,
})

const DAY_MS = 86_400_000
/** A record that says nothing, or about nobody, is a fault of whoever sent it. */
const source = { onNullKey: 'dead-letter', onNullValue: 'dead-letter' } as const

/** Thirty days unless told. Throws a `RangeError` for a duration that cannot be. */
export function notifier({ keepMs = 30 * DAY_MS }: Partial<NewsRules> = {}): Topology {
  if (!Number.isSafeInteger(keepMs) || keepMs < 1) throw new RangeError(`keepMs ${keepMs} is no duration`)
  const keeper = keeperOf({ keepMs })
  return topology(NOTIFIER, (t) => {
    const issued = byUser(t, topics.couponIssued, 'issued-by-user', ({ issuedAt }) => issuedAt)
    const rejected = byUser(t, topics.couponIssueRejected, 'rejected-by-user', ({ rejectedAt }) => rejectedAt)
    const statuses = byUser(t, topics.orderStatus, 'statuses-by-user', ({ at }) => at)
    const used = t.stream(topics.couponUsed, { ...source, eventTime: ({ usedAt }) => usedAt })
    const earned = t.stream(topics.pointEarned, { ...source, eventTime: ({ earnedAt }) => earnedAt })
    issued
      .mapValues(issuedNews, { name: 'issued' })
      .merge(
        rejected.mapValues(rejectedNews, { name: 'rejected' }),
        statuses.mapValues(statusNews, { name: 'statuses' }),
        used.mapValues(usedNews, { name: 'used' }),
        earned.mapValues(earnedNews, { name: 'earned' }),
      )
      .process(keeper)
  })
}

function byUser<V extends { readonly userId: string }>(
  t: TopologyBuilder,
  topic: Topic<V>,
  name: string,
  eventTime: (fact: V) => number,
) {
  return t
    .stream(topic, { ...source, eventTime })
    .selectKey(({ userId }) => userId, { name: `${name}-key` })
    .repartition({ name, key: topic.key, value: topic.value })
}

function keeperOf(rules: NewsRules) {
  const { process, forget } = newsKeeper(rules)
  return processor({
    name: 'news-keeper',
    input: shape<string, NewsMessage>(),
    stores: { news: userNewsStore, heads: userNewsHeadStore },
    timers: { news: 'wall' },
    process,
    onTimer: { news: forget },
  })
}
