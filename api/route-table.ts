/** All routes, to tell a wrong path (404) from a wrong method (405). */
import type { RouteOptions } from 'fastify'
import { ApiError } from './errors.ts'

interface Entry {
  readonly method: string
  readonly url: string
  readonly pattern: RegExp
}

export class RouteTable {
  readonly #entries: Entry[] = []

  /** @throws Error for a route that does not say who may use it */
  add({ method, url, config }: RouteOptions): void {
    if (config?.access === undefined)
      throw new Error(`route ${String(method)} ${url} does not say who may use it`)
    const segments = url.split('/').map((part) => (part.startsWith(':') ? '[^/]+' : RegExp.escape(part)))
    const pattern = new RegExp(`^${segments.join('/')}$`)
    for (const each of [method].flat()) this.#entries.push({ method: each, url, pattern })
  }

  get all(): readonly { readonly method: string; readonly url: string }[] {
    return this.#entries.map(({ method, url }) => ({ method, url }))
  }

  notFound(method: string, path: string): ApiError {
    const methods = this.#entries.filter(({ pattern }) => pattern.test(path)).map((entry) => entry.method)
    if (methods.length === 0) return new ApiError('NOT_FOUND', `Nothing is served at this path.`)
    const headers = { allow: methods.join(', ') }
    return new ApiError('METHOD_NOT_ALLOWED', `${method} is not one of ${methods.join(', ')}.`, { headers })
  }
}
