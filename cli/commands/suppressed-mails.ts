/** Addresses that mails came back from, over the HTTP of a shop that runs. */
import type { SuppressedMail } from '../../api/index.ts'
import type { Context } from '../context.ts'
import type { SuppressedMailFlags } from '../flags.ts'
import { table } from '../output.ts'
import { harmless, withRunningShop } from '../running-shop.ts'

const PATH = '/v1/ops/mail/suppressed'

export function suppressedMails(context: Context, flags: SuppressedMailFlags): Promise<void> {
  const { output } = context
  return withRunningShop(context, flags, async (shop) => {
    const { release } = flags
    if (release !== undefined) {
      const released = await shop.post(`${PATH}/${encodeURIComponent(release)}/release`)
      if (flags.json === true) output.data(JSON.stringify(released))
      else {
        output.say(`Mails go to ${harmless(release)} again.`)
        if (released['known'] === false) output.say('It was not known that one came back from there.')
      }
      return
    }
    const { suppressed } = (await shop.get(`${PATH}?limit=${flags.limit}`)) as {
      suppressed: SuppressedMail[]
    }
    if (flags.json === true) return output.data(JSON.stringify(suppressed, null, 2))
    const rows = suppressed.map(({ userId, reason, mailId, at }) => {
      return [harmless(userId), harmless(reason), mailId, new Date(at).toISOString()]
    })
    output.data(table(['user', 'reason', 'mail', 'since'], rows))
  })
}
