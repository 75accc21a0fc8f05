/** What the sentinel reads of a coupon, each fact with its place in the log. */
import type {
  Campaign,
  CouponIssued,
  CouponIssueRejected,
  CouponIssueRequested,
  QuotaState,
} from '../../schemas/index.ts'
import type { LogRecord } from '../../streams/index.ts'

/** Where a fact lies, and what it was made from. */
export type Place = Pick<LogRecord, 'topic' | 'partition' | 'offset' | 'lineage'>

export type CouponFact =
  | { readonly kind: 'CAMPAIGN'; readonly value: Campaign }
  | { readonly kind: 'QUOTA'; readonly value: QuotaState }
  | { readonly kind: 'REQUEST'; readonly value: CouponIssueRequested }
  | { readonly kind: 'ISSUED'; readonly value: CouponIssued }
  | { readonly kind: 'REJECTED'; readonly value: CouponIssueRejected }

export type Verdict = Extract<CouponFact, { kind: 'ISSUED' | 'REJECTED' }>

/** Verdicts that concern one record only: the verdict under its requestId is another one. */
export function isConflict({ value }: Verdict): boolean {
  return (
    'reason' in value && (value.reason === 'REQUEST_ID_CONFLICT' || value.reason === 'IDEMPOTENCY_CONFLICT')
  )
}
