/** A user's coupons. */
import type { FastifyReply } from 'fastify'
import { type Static, Type } from 'typebox'
import type { UserCoupon } from '../../schemas/index.ts'
import { type ApiContext, type App, READERS } from '../context.ts'
import { showPositions } from '../log-writer.ts'
import { fromOwner } from '../from-owner.ts'
import { CouponId, Millis, problems, RequestId, UserId } from '../shapes.ts'
import { walletExample } from './examples.ts'

const Item = Type.Object({
  userCouponId: Type.String(),
  couponId: CouponId,
  requestId: RequestId,
  status: Type.Enum(['UNKNOWN', 'ISSUED', 'USED', 'EXPIRED', 'REVOKED']),
  issuedAt: Millis,
  expiresAt: Type.Optional(Millis),
})
type Item = Static<typeof Item>

const Wallet = Type.Object(
  {
    items: Type.Array(Item),
    cursor: Type.Optional(Type.String({ description: 'Of the next page; absent on the last.' })),
  },
  { description: 'One page of the wallet.', examples: [walletExample] },
)

export function walletRoutes(app: App, context: ApiContext): void {
  const { defaultPageItems, maxPageItems } = context.limits
  const Query = Type.Object(
    {
      limit: Type.Optional(
        Type.Integer({ minimum: 1, maximum: maxPageItems, description: `Default ${defaultPageItems}.` }),
      ),
      cursor: Type.Optional(Type.String({ description: 'From the page before.' })),
    },
    { additionalProperties: false },
  )
  app.get(
    '/v1/users/:userId/coupons',
    {
      config: { access: READERS },
      schema: {
        tags: ['users'],
        summary: "A user's coupons",
        params: Type.Object({ userId: UserId }),
        querystring: Query,
        response: {
          200: Wallet,
          ...problems('withToken', 'ofOwner', 'INVALID_CURSOR'),
        },
      },
    },
    (request, reply) => {
      const { params, query } = request
      return fromOwner(context, request, reply, {
        here: () => readWallet(context, reply, params.userId, query),
      })
    },
  )
}

async function readWallet(
  { pipeline, cursors, limits }: ApiContext,
  reply: FastifyReply,
  userId: string,
  { limit = limits.defaultPageItems, cursor }: { readonly limit?: number; readonly cursor?: string },
): Promise<Static<typeof Wallet>> {
  const list = ['user-coupons', userId]
  const after = cursor === undefined ? undefined : cursors.open(list, cursor)
  const { value, positions } = await pipeline.userCoupons(userId, { limit, after })
  showPositions(reply, positions)
  reply.header('cache-control', 'no-store')
  const items = value.items.map(showCoupon)
  return value.next === undefined ? { items } : { items, cursor: cursors.seal(list, value.next) }
}

function showCoupon(coupon: UserCoupon): Item {
  const { userCouponId, couponId, requestId, status, issuedAt, expiresAt } = coupon
  const item = { userCouponId, couponId, requestId, status, issuedAt }
  return expiresAt === null ? item : { ...item, expiresAt }
}
