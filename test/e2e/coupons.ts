/** Coupons as a client of a shop makes and asks for them. */
import { eventually } from '../support/kafka/eventually.ts'
import { getJson, sendJson } from './command.ts'

const DAY_MS = 86_400_000

interface Listening {
  readonly url: string
}

export async function openCoupon({ url }: Listening, couponId: string, quota: number): Promise<void> {
  const now = Date.now()
  await sendJson('PUT', `${url}/v1/coupons/${couponId}`, {
    quota,
    opensAt: now - 1_000,
    closesAt: now + DAY_MS,
    discount: { kind: 'PERCENT', value: 10 },
  })
}

/** The coupons of a user, as soon as there is one. */
export function walletOf({ url }: Listening, userId: string): Promise<readonly object[]> {
  return eventually(async () => {
    const { items } = await getJson(`${url}/v1/users/${userId}/coupons`)
    const coupons = items as readonly object[]
    return coupons.length > 0 && coupons
  })
}

/** Asks and waits for the verdict. */
export async function ask({ url }: Listening, couponId: string, userId: string, requestId: string) {
  const path = `${url}/v1/coupons/${couponId}/requests`
  const { ticket } = await sendJson('POST', path, { userId, requestId })
  const { partition, offset } = ticket as { partition: number; offset: number }
  return getJson(`${path}/${requestId}?ticket=${partition}.${offset}&wait=10s`)
}
