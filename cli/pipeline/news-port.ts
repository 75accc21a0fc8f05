/** What users are told, as the API needs it, over the stores of the notifier. */
import type { NewsPlace, NewsPort } from '../../api/index.ts'
import { KEPT_NEWS } from '../../processors/index.ts'
import type { UserNewsHead } from '../../schemas/index.ts'
import { NOTIFIER, userNewsHeadStore, userNewsStore } from '../../topologies/index.ts'
import type { PortParts } from './port.ts'
import { queriesOf } from './queries.ts'
import { RowWaits } from './row-waits.ts'

export function newsPort({ streams, clock }: PortParts): NewsPort {
  const heads = queriesOf(streams, NOTIFIER, userNewsHeadStore)
  const rows = queriesOf(streams, NOTIFIER, userNewsStore)
  const waits = new RowWaits({ topology: NOTIFIER, store: userNewsHeadStore.name, streams, clock })
  return {
    async userNews(userId, after) {
      const { value: head } = heads.get(userId)
      if (head === undefined) return []
      const told = toldOf(head, after)
      if (told === head.last) return []
      const { value } = await rows.page(userId, {
        prefix: [userId],
        after: [userId, told],
        limit: KEPT_NEWS,
      })
      return value.map(([[, sequence], news]) => ({ place: { begun: head.begun, sequence }, news }))
    },
    userNewsUntil: (userId, after, wait) =>
      waits.until(() => {
        const { value: head } = heads.get(userId)
        return head === undefined || toldOf(head, after) === head.last ? userId : undefined
      }, wait),
  }
}

/** Up to which of its numbers the user was told: none, where the place is not one of them. */
function toldOf({ begun, last }: UserNewsHead, after: NewsPlace | undefined): number {
  return after !== undefined && after.begun === begun && after.sequence <= last ? after.sequence : 0
}
