/** Processes of one deployment, each on its fake pipeline, and servers that only say they belong to it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { ApiOptions, PeerOptions, PeerRefusal } from '../../api/index.ts'
import { definition, serve, type Started } from './support.ts'

export const SECRET = 'shared by all processes'

export interface Process extends Started {
  readonly url: string
  readonly refusals: readonly PeerRefusal[]
  /** Route and status of every answer. */
  readonly answers: readonly string[]
}

export async function process(
  options: Partial<ApiOptions> = {},
  peers: Partial<PeerOptions> = {},
): Promise<Process> {
  const refusals: PeerRefusal[] = []
  const answers: string[] = []
  const started = await serve({
    peers: { allow: ['127.0.0.1'], secret: SECRET, ...peers },
    ...options,
    hooks: {
      onPeerRefused: (refusal) => refusals.push(refusal),
      onResponse: (route, method, status) => answers.push(`${method} ${route} ${status}`),
    },
  })
  return { ...started, refusals, answers }
}

/** Two processes: whatever is asked of the first belongs to the second. */
export async function pair(
  options: Partial<ApiOptions> = {},
  ownerOptions: Partial<ApiOptions> = options,
): Promise<{ readonly asked: Process; readonly owner: Process }> {
  const asked = await process(options)
  const owner = await process(ownerOptions)
  asked.pipeline.elsewhere = owner.url
  return { asked, owner }
}

export async function put(url: string, couponId = 'c1', headers: Record<string, string> = {}) {
  return await fetch(`${url}/v1/coupons/${couponId}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ ...definition, closesAt: '2100-01-01T00:00:00Z' }),
  })
}

export async function problemOf(response: Response) {
  const { code, reason } = (await response.json()) as { code: string; reason?: string }
  return { status: response.status, code, reason, retryAfter: response.headers.get('retry-after') }
}

export interface Rogue {
  readonly url: string
  readonly requests: readonly IncomingMessage[]
  /** Also those on which nothing was asked. */
  readonly connections: () => number
}

/** A server on an allowed host that nobody of the deployment started. */
export async function rogue(
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end(),
): Promise<Rogue> {
  const requests: IncomingMessage[] = []
  let connections = 0
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  server.on('connection', () => (connections += 1))
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, requests, connections: () => connections }
}

/** An address on which nobody listens. */
export async function deserted(): Promise<string> {
  const server = createServer()
  const listening = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', listening.resolve)
  await listening.promise
  const { port } = server.address() as AddressInfo
  const closed = Promise.withResolvers<void>()
  server.close(() => closed.resolve())
  await closed.promise
  return `http://127.0.0.1:${port}`
}
