/** JSON bodies: strictly UTF-8, without `__proto__` and `constructor` keys. */
import { isUtf8 } from 'node:buffer'
import type { FastifyRequest } from 'fastify'
import type { App } from './context.ts'
import { ApiError } from './errors.ts'
import { checkPassedBody } from './peers.ts'

/** Reads bytes that were taken as they came, by the same rules. @throws ApiError `INVALID_JSON`, and the parser's own errors */
export function strictJson(app: App): (request: FastifyRequest, bytes: Buffer) => Promise<unknown> {
  const parse = app.getDefaultJsonParser('error', 'error')
  return (request, bytes) =>
    new Promise((resolve, reject) => {
      if (!isUtf8(bytes)) return reject(new ApiError('INVALID_JSON', 'The body is not UTF-8.'))
      void parse(request, bytes.toString('utf8'), (error, value: unknown) => {
        if (error === null) resolve(value)
        else reject(error)
      })
    })
}

/** Takes `application/json` and nothing else. @param wrap what the handler gets of the value, by default the value */
export function parseJsonBodies(app: App, wrap: (value: unknown) => unknown = (value) => value): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes: Buffer, done) => {
    try {
      checkPassedBody(request, bytes)
    } catch (error) {
      return done(error as Error)
    }
    if (bytes.length === 0 && !takesBody(request)) return done(null, undefined)
    if (!isUtf8(bytes)) return done(new ApiError('INVALID_JSON', 'The body is not UTF-8.'))
    void parse(request, bytes.toString('utf8'), (error, value: unknown) => {
      if (error !== null) done(error)
      else done(null, wrap(value))
    })
  })
}

/** Some clients name the type of a body that they do not send. */
function takesBody({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.schema?.body !== undefined || routeOptions.config.bodyIsEvent === true
}
