/** JSON shapes of users, carts and addresses. */
import { type Static, Type } from 'typebox'
import { Millis, ProductId, UserId } from '../shapes.ts'
import { quantity } from './order-shapes.ts'
import { cartExample, profileExample, shipToExample } from './examples.ts'

/** As many as an order takes. */
export const MAX_LINES = 200

const text = (maxLength: number) => Type.String({ minLength: 1, maxLength })

export const ShipTo = Type.Object(
  {
    name: text(200),
    phone: text(50),
    zipcode: text(20),
    address: text(500),
    addressDetail: Type.Optional(text(500)),
    memo: Type.Optional(text(1_000)),
  },
  {
    additionalProperties: false,
    description: 'Where to; absent: nothing is sent. Kept sealed, and shown to nobody.',
    examples: [shipToExample],
  },
)
export type ShipTo = Static<typeof ShipTo>

export const Lines = Type.Array(
  Type.Object({ productId: ProductId, quantity }, { additionalProperties: false }),
  { minItems: 1, maxItems: MAX_LINES },
)

const CartLines = Type.Array(
  Type.Object({ productId: ProductId, quantity }, { additionalProperties: false }),
  { maxItems: MAX_LINES, description: 'Each product once.' },
)
export const CartBody = Type.Object(
  { items: CartLines },
  { additionalProperties: false, examples: [{ items: cartExample.items }] },
)
export const CartShape = Type.Object(
  { userId: UserId, items: CartLines },
  { description: 'The whole cart.', examples: [cartExample] },
)
export type CartShape = Static<typeof CartShape>

const email = Type.String({ minLength: 3, maxLength: 320, pattern: '^[^\\s@]+@[^\\s@]+$' })
const locale = Type.String({ pattern: '^[A-Za-z0-9]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$', description: 'BCP 47.' })
export const ProfileBody = Type.Object(
  { email: Type.Optional(email), locale: Type.Optional(locale) },
  {
    additionalProperties: false,
    description: 'The whole profile. Kept sealed.',
    examples: [{ email: profileExample.email, locale: profileExample.locale }],
  },
)
export type ProfileBody = Static<typeof ProfileBody>

export const ProfileShape = Type.Object(
  {
    userId: UserId,
    email: Type.Optional(Type.String()),
    locale: Type.Optional(Type.String()),
    erased: Type.Optional(
      Type.Boolean({ description: 'There was something that nobody can read any more.' }),
    ),
  },
  { description: 'What the shop knows about the user.', examples: [profileExample] },
)
export type ProfileShape = Static<typeof ProfileShape>

export const Erased = Type.Object(
  { userId: UserId, status: Type.Literal('ERASED'), at: Millis },
  {
    description: 'The key is gone: nothing that was sealed for the user can be read.',
    examples: [{ userId: 'user-7', status: 'ERASED', at: 1_772_323_200_000 }],
  },
)
