/** The shop's products. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { StockAdjust } from '../../schemas/index.ts'
import { isStreamsError } from '../../streams/index.ts'
import { audit } from '../audit.ts'
import { ADMINS, type ApiContext, type App, EVERYONE } from '../context.ts'
import { ApiError } from '../errors.ts'
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
import { fromOwner } from '../from-owner.ts'
import { idFromKey } from '../ids.ts'
import { checkOutcome } from '../outcome.ts'
import { count, ID_PATTERN, IdempotencyHeaders, problems, ProductId } from '../shapes.ts'
import { productExample } from './examples.ts'

const SAFE = Number.MAX_SAFE_INTEGER
const title = Type.String({ minLength: 1, maxLength: 500 })
const categoryId = Type.Optional(Type.String({ pattern: ID_PATTERN }))
const price = count(0, { description: "Minor units of the shop's currency." })

const received = Type.Optional(
  Type.Integer({
    minimum: -SAFE,
    maximum: SAFE,
    description: 'Units that came in; negative: are gone. Counted once per Idempotency-Key, else per value.',
  }),
)
const Stock = Type.Object(
  { received: count(0), available: count(0), reserved: count(0), sold: count(0) },
  { description: 'Where the shop takes orders: available + reserved + sold = received.' },
)

const Definition = Type.Object(
  { title, categoryId, price, received },
  { additionalProperties: false, examples: [{ title: 'Hanging heart', categoryId: 'decor', price: 2_55 }] },
)
const ProductShape = Type.Object(
  {
    productId: ProductId,
    title,
    categoryId,
    price,
    currency: Type.String(),
    stock: Type.Optional(Stock),
  },
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
        headers: IdempotencyHeaders,
        body: Definition,
        response: {
          200: ProductShape,
          ...problems(
            'withToken',
            'withBody',
            'withAppend',
            'COMMAND_PENDING',
            'ofOwner',
            'COMMAND_REFUSED',
            'IDEMPOTENCY_CONFLICT',
          ),
        },
      },
    },
    (request, reply) => {
      if (request.body.received !== undefined) checkStockIsKept(context)
      return fromOwner(context, request, reply, { here: () => putProduct(context, request, reply) })
    },
  )
}

type Put = FastifyRequest<{ Params: Static<typeof path>; Body: Static<typeof Definition> }>

/** Throws `TASK_NOT_HERE` before it appends: whoever has the product does the whole of it. */
async function putProduct(context: ApiContext, request: Put, reply: FastifyReply): Promise<ProductShape> {
  const { productId } = request.params
  const { title: name, categoryId: category = null, price: cost, received: units } = request.body
  const { pipeline, topics, currency } = context
  const product = { productId, title: name, categoryId: category, price: cost, currency }
  const adjust = units === undefined ? undefined : adjustmentOf(request, productId, units)
  if (request.work !== undefined) request.work.waitMs = context.limits.commandWaitMs
  const { value: before } = pipeline.product(productId)
  checkAdmission(context, topics.productCatalog.name)
  if (adjust !== undefined) checkAdmission(context, topics.stockAdjustRequested.name)
  const after = units === undefined ? product : { ...product, received: units }
  await audit(context, request, { action: 'product.put', target: productId, before, after })
  // First: where it is refused, nothing is changed.
  if (adjust !== undefined) await receive(context, request, adjust)
  const put = actedBy(recordOf(context, request, topics.productCatalog, product), request)
  const record = await appendOne(context, put)
  await applied(context, request, record)
  return whileHere(record, () => readProduct(context, reply, productId))
}

/** @throws ApiError `INVALID_REQUEST` */
function checkStockIsKept({ orders }: ApiContext): void {
  if (orders !== undefined) return
  const message = 'is no field where the shop takes no orders: orders.enabled'
  throw new ApiError('INVALID_REQUEST', 'See errors.', { errors: [{ path: 'body.received', message }] })
}

/** The same again is the same adjustment: it counts once. */
function adjustmentOf({ headers, principal }: Put, productId: string, quantity: number): StockAdjust {
  const key = headers['idempotency-key']
  const given = typeof key === 'string' ? key : `received ${productId} ${quantity}`
  return { adjustId: idFromKey(principal.name, given), productId, quantity, reason: '' }
}

/** Where the stock is another process's, it is received there a moment later. */
async function receive(context: ApiContext, request: FastifyRequest, adjust: StockAdjust): Promise<void> {
  const { productId, adjustId, quantity } = adjust
  const topic = context.topics.stockAdjustRequested
  const record = await appendOne(context, actedBy(recordOf(context, request, topic, adjust), request))
  if (stockHere(context, productId) === undefined) return
  await applied(context, request, record)
  const outcome = whileHere(record, () => context.pipeline.stockAdjustment(productId, adjustId))
  if (outcome === undefined) throw pending(record, 'What became of it is not known; read the product.')
  checkOutcome(outcome, quantity)
}

function readProduct(context: ApiContext, reply: FastifyReply, productId: string): ProductShape {
  const { value, positions } = context.pipeline.product(productId)
  showPositions(reply, positions)
  if (value === undefined) throw new ApiError('UNKNOWN_PRODUCT', 'No product has this productId.')
  const { categoryId: category, ...product } = value
  const shown = category === null ? product : { ...product, categoryId: category }
  const level = stockHere(context, productId)
  return level === undefined ? shown : { ...shown, stock: level }
}

/** Nothing where the shop takes no orders, or another process has the stock. */
function stockHere({ orders, pipeline }: ApiContext, productId: string): Static<typeof Stock> | undefined {
  if (orders === undefined) return undefined
  try {
    const { received: all = 0, available = 0, reserved = 0, sold = 0 } = pipeline.stock(productId).value ?? {}
    return { received: all, available, reserved, sold }
  } catch (error) {
    if (isStreamsError(error, 'TASK_NOT_HERE')) return undefined
    throw error
  }
}
