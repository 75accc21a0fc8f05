/**
 * The coupon rules once more, as plainly as they can be said: lists that are searched from the start, no rows, no
 * counters, none of the code under test. Slow, and that does not matter.
 */
import type { Campaign, CouponIssued, CouponIssueRejected, RejectReason } from '../../schemas/index.ts'
import type { Input } from './coupon-played.ts'

type Command = Extract<Input, { kind: 'command' }>
type Request = Extract<Input, { kind: 'request' }>
export type ModelVerdict = CouponIssued | CouponIssueRejected

export class CouponModel {
  /** The verdict on each request, in the order they came. */
  readonly said: { readonly request: Request; readonly verdict: ModelVerdict; readonly conflict: boolean }[] =
    []
  readonly campaigns = new Map<string, Campaign>()

  constructor(inputs: readonly Input[]) {
    for (const input of inputs) {
      if (input.kind === 'command') this.#command(input)
      else this.#request(input)
    }
  }

  #issues(couponId: string): CouponIssued[] {
    const all = this.said.map(({ verdict }) => verdict)
    const issued = all.filter(
      (each): each is CouponIssued => 'sequence' in each && each.couponId === couponId,
    )
    return issued.filter((each, i) => issued.findIndex((first) => first.sequence === each.sequence) === i)
  }

  #request(request: Request): void {
    const { couponId, requestId, userId, bodyHash } = request.value
    const first = this.said.find(
      ({ request: { value }, conflict }) =>
        value.couponId === couponId && value.requestId === requestId && !conflict,
    )
    if (first === undefined) {
      this.said.push({ request, verdict: this.#verdict(request), conflict: false })
    } else if (
      first.request.value.bodyHash !== bodyHash &&
      first.request.value.bodyHash !== null &&
      bodyHash !== null
    ) {
      this.said.push({ request, verdict: rejection(request, 'IDEMPOTENCY_CONFLICT'), conflict: true })
    } else if (first.request.value.userId !== userId) {
      this.said.push({ request, verdict: rejection(request, 'REQUEST_ID_CONFLICT'), conflict: true })
    } else {
      this.said.push({ request, verdict: first.verdict, conflict: false })
    }
  }

  #verdict(request: Request): ModelVerdict {
    const { at, offset } = request
    const { couponId, requestId, userId } = request.value
    const campaign = this.campaigns.get(couponId)
    if (campaign === undefined) return rejection(request, 'UNKNOWN_COUPON')
    if (campaign.status === 'DRAFT' || at < campaign.opensAt) return rejection(request, 'NOT_OPEN', campaign)
    if (campaign.status === 'CLOSED' || at >= campaign.closesAt) return rejection(request, 'CLOSED', campaign)
    if (campaign.status === 'PAUSED') return rejection(request, 'PAUSED', campaign)
    const listed = campaign.eligibility?.userIds
    if (listed !== undefined && !listed.includes(userId)) return rejection(request, 'NOT_ELIGIBLE', campaign)
    const issues = this.#issues(couponId)
    const own = issues.filter((each) => each.userId === userId)
    if (own.length >= campaign.perUserLimit)
      return rejection(request, 'DUPLICATE', campaign, own.at(-1)?.userCouponId)
    if (issues.length >= campaign.quota) return rejection(request, 'SOLD_OUT', campaign)
    return {
      requestId,
      couponId,
      userCouponId: `${couponId}-${issues.length + 1}`,
      userId,
      sequence: issues.length + 1,
      shard: 0,
      sourceOffset: offset,
      issuedAt: at,
      expiresAt: campaign.validForMs === null ? null : at + campaign.validForMs,
      campaignRevision: campaign.revision,
      discount: null,
    }
  }

  #command({ value }: Command): void {
    const old = this.campaigns.get(value.couponId)
    if (old?.status === 'CLOSED') return
    if (value.operation !== 'PUT') {
      if (old === undefined || (old.status === 'DRAFT' && value.operation !== 'CLOSE')) return
      const status = { PAUSE: 'PAUSED', RESUME: 'ACTIVE', CLOSE: 'CLOSED' } as const
      this.#become(old, { ...old, status: status[value.operation as 'PAUSE'] })
      return
    }
    const possible =
      value.quota >= 0 && value.perUserLimit >= 1 && value.opensAt < value.closesAt && value.shards === 1
    const opens = value.status === 'ACTIVE'
    const fresh = old === undefined || old.status === 'DRAFT'
    if (!possible || !(opens || value.status === 'DRAFT' || (!fresh && value.status === old.status))) return
    const status = fresh ? value.status : old.status
    const next: Campaign = { ...value, status, revision: old?.revision ?? 0 }
    const same = old !== undefined && JSON.stringify(next) === JSON.stringify(old)
    if (!same && value.revision !== 0 && value.revision !== (old?.revision ?? 0)) return
    if (value.quota < this.#issues(value.couponId).length) return
    this.#become(old, next)
  }

  #become(old: Campaign | undefined, next: Campaign): void {
    if (old !== undefined && JSON.stringify(next) === JSON.stringify(old)) return
    this.campaigns.set(next.couponId, { ...next, revision: (old?.revision ?? 0) + 1 })
  }
}

function rejection(
  request: Request,
  reason: RejectReason,
  { revision = 0 }: Partial<Campaign> = {},
  existing: string | null = null,
): CouponIssueRejected {
  const { requestId, couponId, userId } = request.value
  const { offset: sourceOffset, at: rejectedAt } = request
  return {
    requestId,
    couponId,
    userId,
    reason,
    existingUserCouponId: existing,
    sourceOffset,
    rejectedAt,
    campaignRevision: revision,
  }
}
