/** Sales as a client of a shop reports them, and the board that they make. */
import { eventually } from '../support/kafka/eventually.ts'
import { getJson, sendJson } from './command.ts'

interface Listening {
  readonly url: string
}

export async function sellMug({ url }: Listening, orderId: string): Promise<void> {
  const now = Date.now()
  await sendJson('POST', `${url}/v1/events/order.confirmed`, {
    orderId,
    userId: 'ann',
    finalAmount: 600,
    currency: 'GBP',
    pointsUsed: 0,
    items: [{ lineNo: 1, productId: 'mug', quantity: 1, unitPrice: 600 }],
    paidAt: now,
    confirmedAt: now,
  })
}

/** Today's board, once it has exactly so many mugs. */
export function boardWith({ url }: Listening, mugs: number): Promise<unknown> {
  return eventually(
    async () => {
      const { entries } = await getJson(`${url}/v1/rankings/day?metric=quantity`)
      const [mug] = entries as readonly { readonly quantity: number }[]
      return mug?.quantity === mugs && entries
    },
    { describe: `a board with ${mugs} mugs` },
  )
}
