/** The OpenAPI document, made from the routes' own schemas. */
import swagger from '@fastify/swagger'
import type { App } from './context.ts'
import { ProblemShape } from './shapes.ts'

const description = `First-come-first-served coupons, products and best-seller boards on a durable log.

Times in answers are epoch milliseconds. Money is in minor units of the shop's one currency. Answers read from a store
carry \`Millrace-Position\`: the positions (topic:partition:offset) up to which they are true. Every error is an
RFC 9457 problem with a stable \`code\`.`

export function describeApi(app: App, version: string): void {
  app.addSchema(ProblemShape)
  void app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Millrace',
        description,
        version,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: [
        { name: 'coupons', description: 'Campaigns and requests for coupons.' },
        { name: 'users', description: 'What belongs to a user.' },
        { name: 'products', description: 'The catalogue.' },
        { name: 'rankings', description: 'Best-seller boards.' },
        { name: 'events', description: "Producers' own events." },
        { name: 'webhooks', description: 'Signed news from payment provider and courier.' },
        { name: 'operations', description: 'Probes, metrics, the running graph.' },
      ],
      components: {
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description: 'A read, producer, service or admin token. Not needed where none are configured.',
          },
        },
      },
      security: [{ token: [] }],
    },
    refResolver: {
      buildLocalReference: (schema, _baseUri, _fragment, i) => {
        return typeof schema['$id'] === 'string' ? schema['$id'] : `def-${i}`
      },
    },
  })
}
