/**
 * Keeps what is told to users: one task has all of a user's news, and numbers it as it comes.
 *
 * Invariants:
 * 1. A user's numbers are dense, 1..n, from `begun` on. What was forgotten as a whole begins again at 1, with another
 *    `begun`: no number of before is taken for one of now.
 * 2. Kept are the last `KEPT_NEWS`, until `keepMs` after the last of them.
 */
import type { UserNews, UserNewsHead } from '../../schemas/index.ts'
import type { KeyValueStore, TimerHandle } from '../../state/index.ts'
import type { StreamRecord } from '../../streams/index.ts'
import { keyFault } from '../ids.ts'
import type { NewsMessage } from './news.ts'

/** Of a user. */
export const KEPT_NEWS = 200

export interface NewsRules {
  /** After a user's last news all of it is forgotten, and what happened longer ago is no news. Milliseconds. */
  readonly keepMs: number
}

/** What the keeper uses; `topologies/notifier.ts` gives it. */
export interface NewsContext {
  readonly stores: {
    readonly news: KeyValueStore<[userId: string, sequence: number], UserNews>
    readonly heads: KeyValueStore<string, UserNewsHead>
  }
  /** By userId: look whether all of it is to be forgotten. */
  readonly timers: { readonly news: TimerHandle }
  readonly wallTime: number
  deadLetter(reason: string, message: string): void
  dropped(reason: string): void
}

export interface NewsKeeper {
  readonly process: (record: StreamRecord<string, NewsMessage>, context: NewsContext) => void
  readonly forget: (userId: string, context: Pick<NewsContext, 'stores' | 'timers' | 'wallTime'>) => void
}

export function newsKeeper({ keepMs }: NewsRules): NewsKeeper {
  return {
    process({ key: userId, value, timestamp }, context) {
      const fault = keyFault(userId, 'userId', value.userId)
      if (fault !== undefined) return context.deadLetter(fault.reason, fault.message)
      if (context.wallTime - timestamp >= keepMs) return context.dropped('NewsTooOld')
      const { last } = tell(userId, value.news, context)
      if (last === 1) context.timers.news.schedule(userId, context.wallTime + keepMs)
    },
    forget(userId, { stores: { news, heads }, timers, wallTime }) {
      const head = heads.get(userId)
      if (head === undefined) return
      const until = head.changedAt + keepMs
      // One timer for all of a user's news: moving it with each would cost as much as the news.
      if (until > wallTime) return timers.news.schedule(userId, until)
      for (let sequence = head.first; sequence <= head.last; sequence += 1) news.delete([userId, sequence])
      heads.delete(userId)
    },
  }
}

function tell(userId: string, told: UserNews, { stores, wallTime }: NewsContext): UserNewsHead {
  const { news, heads } = stores
  const before = heads.get(userId) ?? { begun: wallTime, first: 1, last: 0 }
  const last = before.last + 1
  let { first } = before
  for (; last - first >= KEPT_NEWS; first += 1) news.delete([userId, first])
  const head = { begun: before.begun, first, last, changedAt: wallTime }
  news.put([userId, last], told)
  heads.put(userId, head)
  return head
}
