/** Who orders what, when, and what becomes of it: made up front from the seed. */
import { SeededRandom } from '../random.ts'
import type { SeedPlan } from '../seeding.ts'
import { type Kind, kindAt, type Mix } from './mix.ts'

export interface OrdersOptions {
  readonly orders: number
  /** Mean arrivals per second. */
  readonly ratePerSecond: number
  readonly seed: number
  readonly mix: Mix
}

/** When an order is called off: right after it was taken, while it waits for money, for the courier, or at its end. */
export type CancelMoment = 'at once' | 'unpaid' | 'unsent' | 'completed'

export interface PlannedOrder {
  readonly kind: Kind
  /** Milliseconds after the start. */
  readonly dueMs: number
  readonly userId: string
  readonly items: readonly { readonly productId: string; readonly quantity: number }[]
  readonly pointsToUse: number
  /** A coupon of this campaign is asked for by this user. */
  readonly coupon?: { readonly couponId: string; readonly userId: string }
  /** Comes as a producer's event, with this long to pay: the door's own advice is passed by. */
  readonly event?: { readonly payMs: number }
  readonly cancel?: CancelMoment
  /** Comes back in two parts: a unit of the first line, then the rest of it. */
  readonly returns: boolean
}

const MS_PER_SECOND = 1000
const MOST_LINES = 3
const MOST_UNITS = 3
const MOST_POINTS = 50
const LONG_MS = 30 * 60 * MS_PER_SECOND
/** Less than what a test user of the sandbox pays late by. */
const SHORT_MS = 2 * MS_PER_SECOND
const MOMENTS: readonly CancelMoment[] = ['at once', 'unpaid', 'unsent', 'completed']

export function planOrders(
  shop: SeedPlan,
  { orders, ratePerSecond, seed, mix }: OrdersOptions,
): PlannedOrder[] {
  const random = new SeededRandom(seed)
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)] as T
  let dueMs = 0
  return Array.from({ length: orders }, () => {
    dueMs += random.exponential(MS_PER_SECOND / ratePerSecond)
    const kind = kindAt(mix, random.next())
    const user = pick(shop.userIds)
    const lines = 1 + random.below(MOST_LINES)
    const items = Array.from({ length: lines }, () => ({
      productId: pick(shop.goods).productId,
      quantity: 1 + random.below(MOST_UNITS),
    }))
    const usual = { kind, dueMs, userId: user, items, pointsToUse: 0, returns: false }
    return { ...usual, ...changesOf(kind, user, items, { random, pick, shop }) }
  })
}

interface Chance {
  readonly random: SeededRandom
  readonly pick: <T>(from: readonly T[]) => T
  readonly shop: SeedPlan
}

type Changes = Partial<Omit<PlannedOrder, 'kind' | 'dueMs'>>

/** What makes an order of a kind another one than a good one. */
function changesOf(kind: Kind, user: string, items: PlannedOrder['items'], chance: Chance): Changes {
  const { random, pick, shop } = chance
  const some = 1 + random.below(MOST_POINTS)
  const { couponId } = pick(shop.campaigns)
  switch (kind) {
    case 'good':
      return {}
    case 'points':
      return { pointsToUse: some }
    case 'coupon':
      return { coupon: { couponId, userId: user }, pointsToUse: random.below(2) * some }
    case 'twice':
      return { userId: `${user}+twice` }
    case 'return':
      return { returns: true, pointsToUse: random.below(2) * some }
    case 'cancel':
      return cancelled(user, pick(MOMENTS), some)
    case 'no-stock': {
      const tooMany = { productId: pick(shop.goods).productId, quantity: shop.units + 1 }
      // What there is of the other lines is reserved, and must come back; half of them do not get past the door.
      return { items: [...items, tooMany], ...(random.below(2) === 0 && { event: { payMs: LONG_MS } }) }
    }
    case 'no-points':
      return { userId: `${user}+poor`, pointsToUse: some, event: { payMs: LONG_MS } }
    case 'wrong-coupon': {
      const other = `${user}+other`
      return { coupon: { couponId, userId: other }, pointsToUse: some, event: { payMs: LONG_MS } }
    }
    case 'declined':
      return { userId: `${user}+declined` }
    case 'unheard':
    case 'late':
      return { userId: `${user}+${kind}`, event: { payMs: SHORT_MS } }
    case 'wrong-amount':
      return { userId: `${user}+wrong`, cancel: 'unpaid' }
    case 'no-delivery':
      return { userId: `${user}+refused` }
  }
}

function cancelled(user: string, cancel: CancelMoment, points: number): Changes {
  switch (cancel) {
    case 'at once':
      return { cancel, pointsToUse: points }
    case 'unpaid':
      return { cancel, userId: `${user}+unheard` }
    case 'unsent':
      return { cancel, userId: `${user}+slow` }
    case 'completed':
      return { cancel }
  }
}
