/** What the flows of the five shops have in common. */
import { expect } from 'vitest'
import { type Campaign, type CouponIssued, topics } from '../../../schemas/index.ts'
import type { Topology } from '../../../streams/index.ts'
import { command } from '../../unit/coupons/given.ts'
import type { BoundShop } from '../bound-shop.ts'

/** A shop's whole flow. `disturb` is called between its steps: a test may restart everything there. */
export interface ShopFlow {
  readonly shop: string
  readonly profile: string
  readonly topologies: () => readonly Topology[]
  run(shop: BoundShop, disturb: () => Promise<void>): Promise<void>
}

const HOUR_MS = 3_600_000

/** Each message twice, in an order that depends on the seed only. */
export function twiceInDisorder<T>(messages: readonly T[], seed: number): T[] {
  const all = [...messages, ...messages]
  let state = seed
  for (let i = all.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    const j = (state >>> 8) % (i + 1)
    ;[all[i], all[j]] = [all[j] as T, all[i] as T]
  }
  return all
}

/** A campaign that is open, of coupons that take 1000 off. */
export async function openCoupon(
  shop: BoundShop,
  couponId: string,
  changes: Partial<Campaign> = {},
): Promise<void> {
  const now = Date.now()
  const discount = { kind: 'AMOUNT', value: 1000, minOrderAmount: null, maxDiscount: null } as const
  const terms = { couponId, discount, opensAt: now - HOUR_MS, closesAt: now + HOUR_MS, ...changes }
  await shop.say(topics.couponCampaignRequested, command(terms))
  await shop.ours(topics.couponCampaign, 1, (campaign) => campaign.couponId === couponId)
}

/** The user's coupon, issued. */
export async function issue(shop: BoundShop, couponId: string, userId: string): Promise<CouponIssued> {
  await shop.say(topics.couponIssueRequested, {
    requestId: `user-${userId}`,
    couponId,
    userId,
    shard: 0,
    acceptedAt: Date.now(),
    bodyHash: null,
  })
  const [issued] = await shop.ours(topics.couponIssued, 1, (one) => one.userId === userId)
  return issued as CouponIssued
}

export async function stockUp(shop: BoundShop, received: Readonly<Record<string, number>>): Promise<void> {
  for (const [productId, quantity] of Object.entries(received)) {
    await shop.say(topics.stockAdjustRequested, {
      adjustId: `goods of ${productId}`,
      productId,
      quantity,
      reason: '',
    })
  }
}

/** Each order's last state, once all of them are as told. */
export async function ordersAre(shop: BoundShop, states: Readonly<Record<string, string>>): Promise<void> {
  for (const [orderId, state] of Object.entries(states)) {
    await shop.ours(topics.orderStatus, 1, (status) => status.orderId === orderId && status.state === state)
  }
}

/** Units that count in the boards, by product. */
export async function unitsSold(shop: BoundShop): Promise<Record<string, number>> {
  const sold: Record<string, number> = {}
  for (const { productId, quantity } of await shop.ours(topics.rankingSalesDelta, 0)) {
    sold[productId] = (sold[productId] ?? 0) + quantity
  }
  return sold
}

export function sameMembers(found: readonly unknown[], expected: readonly unknown[]): void {
  const text = (all: readonly unknown[]): string[] => all.map((one) => JSON.stringify(one)).toSorted()
  expect(text(found)).toEqual(text(expected))
}
