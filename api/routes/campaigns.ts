/** Campaigns: what operators do to them, and what everyone sees of them. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { type Campaign, type CampaignCommand, campaignCommand } from '../../schemas/index.ts'
import { audit } from '../audit.ts'
import { ADMINS, type ApiContext, type App, EVERYONE } from '../context.ts'
import { ApiError, isApiErrorCode } from '../errors.ts'
import {
  actedBy,
  appendOne,
  applied,
  checkAdmission,
  pending,
  recordOf,
  showPositions,
  whileHere,
} from '../log-writer.ts'
import { fromCopy, fromOwner } from '../from-owner.ts'
import type { CampaignView } from '../ports.ts'
import { count, CouponId, Instant, Millis, parseInstant, problems } from '../shapes.ts'
import { campaignExample, definitionExample } from './examples.ts'

const status = Type.Enum(['DRAFT', 'ACTIVE', 'PAUSED', 'CLOSED'], {
  description:
    'A PUT opens a new campaign or a draft with ACTIVE. Absent: a draft stays one, all else is ACTIVE.',
})
const fairness = Type.Enum(['FIFO', 'DRAW'])
const Discount = Type.Object(
  {
    kind: Type.Enum(['AMOUNT', 'PERCENT']),
    value: count(1, { description: 'AMOUNT: minor units. PERCENT: 1 to 100.' }),
    minOrderAmount: Type.Optional(count(0, { description: 'Minor units.' })),
    maxDiscount: Type.Optional(count(1, { description: 'Minor units.' })),
  },
  { additionalProperties: false },
)

const Definition = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: 500 })),
    quota: count(0, { description: 'How many coupons there are.' }),
    perUserLimit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, description: 'Default 1.' }),
    ),
    opensAt: Instant,
    closesAt: Instant,
    validForMs: Type.Optional(
      count(1, { description: 'How long an issued coupon can be used. Absent: for ever.' }),
    ),
    discount: Discount,
    eligibility: Type.Optional(
      Type.Object(
        {
          userIds: Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
            minItems: 1,
            maxItems: 10_000,
          }),
        },
        { additionalProperties: false },
      ),
    ),
    fairness: Type.Optional(fairness),
    shards: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_024 })),
    status: Type.Optional(status),
    revision: Type.Optional(
      count(0, { description: 'The revision that the edit was made from; 0 or absent: any.' }),
    ),
  },
  { additionalProperties: false, examples: [definitionExample] },
)
type Definition = Static<typeof Definition>

const CampaignShape = Type.Object(
  {
    couponId: CouponId,
    name: Type.String(),
    quota: count(0),
    issued: count(0),
    remaining: count(0),
    status,
    opensAt: Millis,
    closesAt: Millis,
    soldOutAt: Type.Optional(Millis),
    perUserLimit: count(1),
    validForMs: Type.Optional(count(1)),
    discount: Discount,
    eligibleUsers: Type.Optional(
      count(1, { description: 'How many users may take part. Absent: everyone may.' }),
    ),
    fairness,
    shards: count(1),
    revision: count(0),
  },
  { description: 'The campaign as the issuer last applied it.', examples: [campaignExample] },
)
type CampaignShape = Static<typeof CampaignShape>

const path = Type.Object({ couponId: CouponId })
const COMMAND_PROBLEMS = [
  'withToken',
  'withAppend',
  'COMMAND_PENDING',
  'ofOwner',
  'COMMAND_REFUSED',
  'CAMPAIGN_CLOSED',
  'STATUS_NOT_ALLOWED',
] as const
const PUT_PROBLEMS = [
  'withBody',
  'QUOTA_BELOW_ISSUED',
  'REVISION_CONFLICT',
  'INVALID_CAMPAIGN',
  'DRAW_NOT_SUPPORTED',
  'SHARDS_NOT_SUPPORTED',
] as const

export function campaignRoutes(app: App, context: ApiContext): void {
  app.get(
    '/v1/coupons/:couponId',
    {
      config: { access: EVERYONE },
      schema: {
        tags: ['coupons'],
        summary: 'A campaign and how much of it is left',
        params: path,
        response: { 200: CampaignShape, ...problems('withToken', 'UNKNOWN_COUPON', 'ofOwner') },
      },
    },
    (request, reply) => {
      const { couponId } = request.params
      return fromOwner(context, request, reply, {
        here: () => readCampaign(context, reply, couponId),
        copy: () => readCopy(context, reply, couponId),
      })
    },
  )
  app.put(
    '/v1/coupons/:couponId',
    {
      config: { access: ADMINS },
      schema: {
        tags: ['coupons'],
        summary: 'Create or edit a campaign; answers once the issuer applied it',
        params: path,
        body: Definition,
        response: {
          200: CampaignShape,
          ...problems(...COMMAND_PROBLEMS, ...PUT_PROBLEMS),
        },
      },
    },
    (request, reply) => {
      const { couponId } = request.params
      return fromOwner(context, request, reply, {
        here: () => {
          const after = { ...request.body, eligibility: request.body.eligibility?.userIds.length }
          return runCommand(context, request, reply, campaignOf(context, couponId, request.body), after)
        },
      })
    },
  )
  for (const operation of ['pause', 'resume', 'close'] as const) statusRoute(app, context, operation)
}

const OPERATIONS = { pause: 'PAUSE', resume: 'RESUME', close: 'CLOSE' } as const
const SUMMARIES = {
  pause: 'Stop giving out coupons for now',
  resume: 'Give out coupons again',
  close: 'End the campaign for good',
} as const

function statusRoute(app: App, context: ApiContext, operation: 'pause' | 'resume' | 'close'): void {
  app.post(
    `/v1/coupons/:couponId/${operation}`,
    {
      config: { access: ADMINS },
      schema: {
        tags: ['coupons'],
        summary: SUMMARIES[operation],
        params: path,
        response: { 200: CampaignShape, ...problems(...COMMAND_PROBLEMS, 'CROSS_SITE', 'UNKNOWN_COUPON') },
      },
    },
    (request, reply) => {
      const command = campaignCommand(request.params.couponId, OPERATIONS[operation])
      return fromOwner(context, request, reply, { here: () => runCommand(context, request, reply, command) })
    },
  )
}

/**
 * Appends the command, waits until the issuer decided it, and answers with the campaign. Throws `TASK_NOT_HERE` before
 * it appends where the issuer is not here: whoever has it does the whole of it.
 */
async function runCommand(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  command: Campaign,
  after?: object,
): Promise<CampaignShape> {
  const { pipeline, topics } = context
  const topic = topics.couponCampaignRequested
  if (request.work !== undefined) request.work.waitMs = context.limits.commandWaitMs
  const { value } = pipeline.campaign(command.couponId)
  checkAdmission(context, topic.name)
  const action = `coupon.${command.operation.toLowerCase()}`
  const before = value === undefined ? undefined : showCampaign(value)
  await audit(context, request, { action, target: command.couponId, before, after })
  const record = await appendOne(context, actedBy(recordOf(context, request, topic, command), request))
  await applied(context, request, record)
  return whileHere(record, () => {
    const outcome = pipeline.campaignCommand(command.couponId, record.offset)
    if (outcome === undefined)
      throw pending(record, 'What became of it is not known any more; read the campaign.')
    if (outcome.outcome !== 'APPLIED') throw refusal(outcome)
    return readCampaign(context, reply, command.couponId)
  })
}

/** The issuer's own codes are also codes of the API, or stand beside a wider one as `reason`. */
function refusal({ code, revision }: CampaignCommand): ApiError {
  const reason = code ?? 'UNKNOWN'
  const detail = revision === 0 ? 'Nothing was changed.' : `Nothing was changed; the revision is ${revision}.`
  if (isApiErrorCode(reason)) return new ApiError(reason, detail, { members: { revision } })
  const wider = reason.startsWith('INVALID_') ? 'INVALID_CAMPAIGN' : 'COMMAND_REFUSED'
  return new ApiError(wider, detail, { members: { reason, revision } })
}

function campaignOf(context: ApiContext, couponId: string, body: Definition): Campaign {
  const opensAt = parseInstant(body.opensAt, 'body.opensAt')
  const closesAt = parseInstant(body.closesAt, 'body.closesAt')
  const { kind, value, minOrderAmount = null, maxDiscount = null } = body.discount
  if (opensAt >= closesAt) throw invalid('body.closesAt', 'must be after opensAt')
  if (kind === 'PERCENT' && value > 100) throw invalid('body.discount.value', 'must be at most 100 per cent')
  return {
    ...campaignCommand(couponId, 'PUT'),
    name: body.name ?? '',
    quota: body.quota,
    perUserLimit: body.perUserLimit ?? 1,
    opensAt,
    closesAt,
    validForMs: body.validForMs ?? null,
    discount: { kind, value, minOrderAmount, maxDiscount },
    eligibility: body.eligibility ?? null,
    fairness: body.fairness ?? 'FIFO',
    shards: body.shards ?? 1,
    status: body.status ?? statusToAsk(context, couponId),
    revision: body.revision ?? 0,
  }
}

/** An edit that does not speak of the status must not open a draft; any other campaign keeps its own under ACTIVE. */
function statusToAsk({ pipeline }: ApiContext, couponId: string): 'DRAFT' | 'ACTIVE' {
  return pipeline.campaign(couponId).value?.campaign.status === 'DRAFT' ? 'DRAFT' : 'ACTIVE'
}

function invalid(field: string, message: string): ApiError {
  return new ApiError('INVALID_REQUEST', 'See errors.', { errors: [{ path: field, message }] })
}

function readCampaign({ pipeline }: ApiContext, reply: FastifyReply, couponId: string): CampaignShape {
  const { value, positions } = pipeline.campaign(couponId)
  showPositions(reply, positions)
  if (value === undefined) throw new ApiError('UNKNOWN_COUPON', 'No campaign has this couponId.')
  return showCampaign(value)
}

function readCopy(
  { pipeline }: ApiContext,
  reply: FastifyReply,
  couponId: string,
): CampaignShape | undefined {
  const copy = pipeline.copies?.campaign(couponId)
  if (copy === undefined) return undefined
  showPositions(reply, copy.positions)
  fromCopy(reply)
  return showCampaign(copy.value)
}

function showCampaign({ campaign, issued, soldOutAt }: CampaignView): CampaignShape {
  const { discount, eligibility, validForMs } = campaign
  const { minOrderAmount, maxDiscount } = discount
  return {
    couponId: campaign.couponId,
    name: campaign.name,
    quota: campaign.quota,
    issued,
    remaining: Math.max(0, campaign.quota - issued),
    // A value of a later version shows as the nearest that gives nothing away.
    status: campaign.status === 'UNKNOWN' ? 'PAUSED' : campaign.status,
    opensAt: campaign.opensAt,
    closesAt: campaign.closesAt,
    ...(soldOutAt !== null && { soldOutAt }),
    perUserLimit: campaign.perUserLimit,
    ...(validForMs !== null && { validForMs }),
    discount: {
      kind: discount.kind === 'UNKNOWN' ? 'AMOUNT' : discount.kind,
      value: discount.value,
      ...(minOrderAmount !== null && { minOrderAmount }),
      ...(maxDiscount !== null && { maxDiscount }),
    },
    ...(eligibility !== null && { eligibleUsers: eligibility.userIds.length }),
    fairness: campaign.fairness === 'DRAW' ? 'DRAW' : 'FIFO',
    shards: campaign.shards,
    revision: campaign.revision,
  }
}
