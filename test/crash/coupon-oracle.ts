/**
 * What must have become of coupon requests, decided with plain maps. Shares no code with the engine or the rules.
 *
 * Answers are lists of complaints; an empty list is a pass.
 */

export interface PlainCampaign {
  readonly couponId: string
  readonly quota: number
  readonly perUserLimit: number
}

/** A request as it lies in the log. */
export interface LoggedRequest {
  readonly partition: number
  readonly offset: number
  readonly appendTime: number
  readonly value: { readonly requestId: string; readonly couponId: string; readonly userId: string }
}

export interface PlainIssued {
  readonly requestId: string
  readonly couponId: string
  readonly userId: string
  readonly userCouponId: string
  readonly sequence: number
  readonly sourceOffset: number
  readonly issuedAt: number
}

export interface PlainRejected {
  readonly requestId: string
  readonly couponId: string
  readonly userId: string
  readonly reason: string
  readonly sourceOffset: number
  readonly rejectedAt: number
}

export interface Verdict {
  readonly requestId: string
  readonly userId: string
  /** `ISSUED #3`, or the reason. */
  readonly says: string
  readonly offset: number
  readonly at: number
}

interface Expected {
  /** One verdict for every record, in the order of the log. */
  readonly verdicts: readonly Verdict[]
  /** The verdict that stands under each requestId: the first. */
  readonly standing: ReadonlyMap<string, Verdict>
}

/** First come, first served, over one coupon's requests in the order of the log. */
export function expectedVerdicts(
  campaign: PlainCampaign | undefined,
  requests: readonly LoggedRequest[],
): Expected {
  const standing = new Map<string, Verdict>()
  const perUser = new Map<string, number>()
  let issued = 0
  const verdicts = requests.map(({ offset, appendTime, value: { requestId, userId } }): Verdict => {
    const before = standing.get(requestId)
    if (before !== undefined && before.userId === userId) return before
    const verdict = (says: string): Verdict => ({ requestId, userId, says, offset, at: appendTime })
    if (before !== undefined) return verdict('REQUEST_ID_CONFLICT')
    const decided = decide()
    standing.set(requestId, decided)
    return decided

    function decide(): Verdict {
      if (campaign === undefined) return verdict('UNKNOWN_COUPON')
      const has = perUser.get(userId) ?? 0
      if (has >= campaign.perUserLimit) return verdict('DUPLICATE')
      if (issued >= campaign.quota) return verdict('SOLD_OUT')
      perUser.set(userId, has + 1)
      issued++
      return verdict(`ISSUED #${issued}`)
    }
  })
  return { verdicts, standing }
}

/** One coupon: its requests, and everything that was said about them, each in the order of the log. */
export interface CouponHistory {
  readonly campaign: PlainCampaign | undefined
  readonly requests: readonly LoggedRequest[]
  readonly issued: readonly PlainIssued[]
  readonly rejected: readonly PlainRejected[]
}

export function judgeCoupon({ campaign, requests, issued, rejected }: CouponHistory): string[] {
  const { verdicts } = expectedVerdicts(campaign, requests)
  const name = campaign?.couponId ?? 'unknown coupon'
  const issues = verdicts.filter(({ says }) => says.startsWith('ISSUED'))
  const refusals = verdicts.filter(({ says }) => !says.startsWith('ISSUED'))
  return [
    ...firstDifference(`${name}: issued`, issues.map(textOf), issued.map(issuedText)),
    ...firstDifference(`${name}: rejected`, refusals.map(textOf), rejected.map(rejectedText)),
    ...(campaign === undefined ? [] : judgeIssues(campaign, issued)),
  ]
}

/** I1, I2 and I6 on what was issued, without regard to what should have been. */
function judgeIssues(
  { couponId, quota, perUserLimit }: PlainCampaign,
  issued: readonly PlainIssued[],
): string[] {
  const complaints: string[] = []
  const bySequence = new Map<number, PlainIssued>()
  for (const one of issued) {
    const other = bySequence.get(one.sequence)
    if (other !== undefined && (other.userId !== one.userId || other.requestId !== one.requestId))
      complaints.push(`${couponId}: #${one.sequence} went to ${other.userId} and to ${one.userId}`)
    bySequence.set(one.sequence, one)
  }
  if (bySequence.size > quota) complaints.push(`${couponId}: ${bySequence.size} issued of ${quota}`)
  for (let sequence = 1; sequence <= bySequence.size; sequence++)
    if (!bySequence.has(sequence)) complaints.push(`${couponId}: #${sequence} was not issued`)
  const perUser = new Map<string, number>()
  for (const { userId } of bySequence.values()) perUser.set(userId, (perUser.get(userId) ?? 0) + 1)
  for (const [userId, count] of perUser)
    if (count > perUserLimit) complaints.push(`${couponId}: ${userId} has ${count}`)
  return complaints
}

/** Names the first place where two lists differ. */
export function firstDifference(
  what: string,
  expected: readonly string[],
  found: readonly string[],
): string[] {
  for (let i = 0; i < Math.max(expected.length, found.length); i++) {
    if (expected[i] === found[i]) continue
    return [
      `${what}: number ${i + 1} of ${found.length} (${expected.length} expected) is ${found[i] ?? 'missing'}, ` +
        `expected ${expected[i] ?? 'nothing'}`,
    ]
  }
  return []
}

function textOf({ requestId, userId, says, offset, at }: Verdict): string {
  return `${requestId} of ${userId}: ${says}, asked at ${offset} (${at})`
}

function issuedText({ requestId, userId, sequence, sourceOffset, issuedAt }: PlainIssued): string {
  return `${requestId} of ${userId}: ISSUED #${sequence}, asked at ${sourceOffset} (${issuedAt})`
}

function rejectedText({ requestId, userId, reason, sourceOffset, rejectedAt }: PlainRejected): string {
  return `${requestId} of ${userId}: ${reason}, asked at ${sourceOffset} (${rejectedAt})`
}
