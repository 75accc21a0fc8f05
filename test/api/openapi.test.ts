import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, it } from 'vitest'
import { apiErrorTable } from '../../api/index.ts'
import { start } from './support.ts'

interface Operation {
  readonly tags: readonly string[]
  readonly summary: string
  readonly security?: readonly object[]
  readonly requestBody?: { readonly content: Record<string, object> }
  readonly responses: Record<
    string,
    {
      readonly description: string
      readonly content?: Record<string, { schema: object; example?: unknown; examples?: unknown }>
    }
  >
}
interface Document {
  readonly openapi: string
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly schemas: Record<string, object>; readonly securitySchemes: object }
  readonly security: readonly object[]
}

async function read() {
  const { api } = start()
  const response = await api.app.inject('/openapi.json')
  expect(response.statusCode).toBe(200)
  const document = response.json() as Document
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
  )
  return { api, document, operations }
}

it('is a valid OpenAPI 3.1 document', async () => {
  const { document } = await read()
  expect(document.openapi).toBe('3.1.0')
  const result = await new Validator().validate(document as unknown as Record<string, unknown>)
  expect(result.errors).toBeUndefined()
  expect(result.valid).toBe(true)
})

it('has every route and no other', async () => {
  const { api, operations } = await read()
  const routes = api.routes
    .filter(({ method }) => method !== 'HEAD')
    .map(({ method, url }) => `${method.toLowerCase()} ${url.replace(/:(\w+)/g, '{$1}')}`)
  expect(operations.map(({ name }) => name).sort()).toEqual(routes.sort())
})

it('every operation has a tag, a summary, an answer with a description, and problems', async () => {
  const { operations } = await read()
  for (const { name, operation } of operations) {
    expect([name, operation.tags?.length, typeof operation.summary]).toEqual([name, 1, 'string'])
    const problems = Object.entries(operation.responses).filter(([status]) => Number(status) >= 400)
    expect([name, problems.map(([status]) => status)]).toEqual([
      name,
      expect.arrayContaining(['400', '429', '503']),
    ])
    for (const [, response] of problems) {
      expect(response.content?.['application/problem+json']?.schema).toEqual({
        $ref: '#/components/schemas/Problem',
      })
    }
    for (const response of Object.values(operation.responses))
      expect(response.description).not.toBe('Default Response')
  }
})

it('every JSON answer has an example', async () => {
  const { operations } = await read()
  for (const { name, operation } of operations) {
    if (name === 'get /openapi.json' || name === 'get /v1/ops/topology') continue
    const ok = operation.responses['200'] ?? operation.responses['202']
    const media = ok?.content?.['application/json']
    if (media === undefined) continue
    expect([
      name,
      media.example ?? media.examples ?? (media.schema as { examples?: unknown }).examples,
    ]).not.toContain(undefined)
  }
})

it('says which operations need no token', async () => {
  const { document, operations } = await read()
  expect(document.security).toEqual([{ token: [] }])
  expect(document.components.securitySchemes).toHaveProperty('token.scheme', 'bearer')
  const open = operations.filter(({ operation }) => operation.security?.length === 0).map(({ name }) => name)
  expect(open.sort()).toEqual([
    'get /livez',
    'get /openapi.json',
    'get /readyz',
    'get /startupz',
    'get /time',
    'post /v1/webhooks/deliveries',
    'post /v1/webhooks/payments',
  ])
})

it('events: every media type that is taken is described', async () => {
  const { document } = await read()
  const content = document.paths['/v1/events/{topic}']?.['post']?.requestBody?.content ?? {}
  expect(Object.keys(content).sort()).toEqual([
    'application/json',
    'application/octet-stream',
    'application/vnd.confluent.avro',
    'application/x-ndjson',
  ])
})

it('the problem schema knows every code', async () => {
  const { document } = await read()
  expect(document.components.schemas['Problem']).toHaveProperty(
    'properties.code.enum',
    Object.keys(apiErrorTable),
  )
})

it.each([
  [
    'put',
    '/v1/coupons/{couponId}',
    '503',
    ['OVERLOADED', 'COMMAND_PENDING', 'BACK_PRESSURE', 'LOG_UNAVAILABLE'],
  ],
  ['put', '/v1/coupons/{couponId}', '409', ['QUOTA_BELOW_ISSUED', 'CAMPAIGN_CLOSED', 'COMMAND_REFUSED']],
  ['put', '/v1/coupons/{couponId}', '400', ['INVALID_REQUEST', 'INVALID_CAMPAIGN', 'INVALID_JSON']],
  ['post', '/v1/coupons/{couponId}/requests', '409', ['SOLD_OUT', 'CLOSED']],
  ['get', '/v1/coupons/{couponId}/requests/{requestId}', '400', ['INVALID_REQUEST', 'INVALID_TICKET']],
  ['get', '/v1/users/{userId}/coupons', '400', ['INVALID_REQUEST', 'INVALID_CURSOR']],
  ['post', '/v1/events/{topic}', '400', ['INVALID_EVENT', 'WRONG_CURRENCY']],
])('%s %s: %s names each of %j', async (method, path, status, codes) => {
  const { document } = await read()
  const described = document.paths[path]?.[method]?.responses[status]?.description
  for (const code of codes) expect(described).toContain(`${code}: `)
})
