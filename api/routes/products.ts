/** The shop's products. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { ProductCatalog } from '../../schemas/index.ts'
import { audit } from '../audit.ts'
import { ADMINS, type ApiContext, type App, EVERYONE } from '../context.ts'
import { ApiError } from '../errors.ts'
import {
  actedBy,
  appendOne,
  applied,
  checkAdmission,
  recordOf,
  showPositions,
  whileHere,
} from '../log-writer.ts'
import { fromOwner } from '../from-owner.ts'
import { count, ID_PATTERN, problems, ProductId } from '../shapes.ts'
import { productExample } from './examples.ts'

const title = Type.String({ minLength: 1, maxLength: 500 })
const categoryId = Type.Optional(Type.String({ pattern: ID_PATTERN }))
const price = count(0, { description: "Minor units of the shop's currency." })

const Definition = Type.Object(
  { title, categoryId, price },
  { additionalProperties: false, examples: [{ title: 'Hanging heart', categoryId: 'decor', price: 2_55 }] },
)
const ProductShape = Type.Object(
  { productId: ProductId, title, categoryId, price, currency: Type.String() },
  { description: 'The product.', examples: [productExample] },
)
type ProductShape = Static<typeof ProductShape>
const path = Type.Object({ productId: ProductId })

export function productRoutes(app: App, context: ApiContext): void {
  app.get(
    '/v1/products/:productId',
    {
      config: { access: EVERYONE },
      schema: {
        tags: ['products'],
        summary: 'A product',
        params: path,
        response: { 200: ProductShape, ...problems('withToken', 'UNKNOWN_PRODUCT', 'ofOwner') },
      },
    },
    (request, reply) => {
      const { productId } = request.params
      return fromOwner(context, request, reply, { here: () => readProduct(context, reply, productId) })
    },
  )
  app.put(
    '/v1/products/:productId',
    {
      config: { access: ADMINS },
      schema: {
        tags: ['products'],
        summary: 'Create or replace a product; answers once queries see it',
        params: path,
        body: Definition,
        response: {
          200: ProductShape,
          ...problems('withToken', 'withBody', 'withAppend', 'COMMAND_PENDING', 'ofOwner'),
        },
      },
    },
    (request, reply) => {
      const { params, body } = request
      return fromOwner(context, request, reply, {
        here: () => putProduct(context, request, reply, params.productId, body),
      })
    },
  )
}

/** Throws `TASK_NOT_HERE` before it appends: whoever has the product does the whole of it. */
async function putProduct(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  productId: string,
  body: Static<typeof Definition>,
): Promise<ProductShape> {
  const topic = context.topics.productCatalog
  const product: ProductCatalog = {
    productId,
    title: body.title,
    categoryId: body.categoryId ?? null,
    price: body.price,
    currency: context.currency,
  }
  if (request.work !== undefined) request.work.waitMs = context.limits.commandWaitMs
  const { value: before } = context.pipeline.product(productId)
  checkAdmission(context, topic.name)
  await audit(context, request, { action: 'product.put', target: productId, before, after: product })
  const record = await appendOne(context, actedBy(recordOf(context, request, topic, product), request))
  await applied(context, request, record)
  return whileHere(record, () => readProduct(context, reply, productId))
}

function readProduct({ pipeline }: ApiContext, reply: FastifyReply, productId: string): ProductShape {
  const { value, positions } = pipeline.product(productId)
  showPositions(reply, positions)
  if (value === undefined) throw new ApiError('UNKNOWN_PRODUCT', 'No product has this productId.')
  const { categoryId: category, ...product } = value
  return category === null ? product : { ...product, categoryId: category }
}
