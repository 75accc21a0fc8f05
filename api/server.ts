/**
 * The HTTP server: commands append to the log, queries read committed stores. Holds no state of the business; whatever
 * it answers with 202 is in the log, whatever it answers with 200 was committed.
 */
import type { ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import Fastify, { type FastifyRequest } from 'fastify'
import { topics as embeddedTopics } from '../schemas/index.ts'
import { Access } from './access.ts'
import type { ApiContext, App } from './context.ts'
import { Cursors } from './cursor.ts'
import { Doors, urlTooLong } from './doors.ts'
import type { ApiError } from './errors.ts'
import { Gate } from './gate.ts'
import { parseJsonBodies } from './json-body.ts'
import { type ApiLimits, withDefaults } from './limits.ts'
import { isLoopback } from './loopback.ts'
import { describeApi } from './openapi.ts'
import { type ApiHooks, type ApiOptions, ApiOptionsError } from './options.ts'
import { Peers } from './peers.ts'
import type { Pipeline } from './ports.ts'
import { pathOf, sendProblem, toApiError } from './problems.ts'
import { RateLimit } from './rate-limit.ts'
import { RouteTable } from './route-table.ts'
import { cartRoutes } from './routes/carts.ts'
import { campaignRoutes } from './routes/campaigns.ts'
import { deadLetterRoutes } from './routes/dead-letters.ts'
import { eventRoutes } from './routes/events.ts'
import { incidentRoutes } from './routes/incidents.ts'
import { connectorRoutes } from './routes/connectors.ts'
import { mailRoutes } from './routes/mail.ts'
import { operationRoutes } from './routes/operations.ts'
import { orderHistoryRoutes } from './routes/order-history.ts'
import { requestEventRoutes } from './routes/request-events.ts'
import { orderListRoutes } from './routes/order-list.ts'
import { orderRoutes } from './routes/orders.ts'
import { orderRepairRoutes } from './routes/order-repairs.ts'
import { orderRequestRoutes } from './routes/order-requests.ts'
import { pointRoutes } from './routes/points.ts'
import { productRoutes } from './routes/products.ts'
import { rankingEventRoutes } from './routes/ranking-events.ts'
import { rankingRoutes } from './routes/rankings.ts'
import { requestRoutes } from './routes/requests.ts'
import { userEventRoutes } from './routes/user-events.ts'
import { userRoutes } from './routes/users.ts'
import { walletRoutes } from './routes/wallets.ts'
import { webhookRoutes } from './routes/webhooks.ts'
import { answerClientError } from './socket-errors.ts'
import { validatorCompiler } from './validation.ts'

const DEFAULT_PORT = 8080
const CLIENT_GONE = 499
const MIN_SECRET_BYTES = 16
/** Longer path parameters are not looked at; the schemas allow 200 characters. */
const MAX_PARAM_CHARS = 1_024
/** How often connections are checked for their timeouts. */
const CONNECTION_CHECK_MS = 500

export interface Api {
  /** For `inject` and for routes of other rooms. */
  readonly app: App
  /** Every route, for tests and metrics. */
  readonly routes: readonly { readonly method: string; readonly url: string }[]
  /** Binds and serves. @returns where, as `http://host:port` */
  listen(): Promise<string>
  /** Takes no more requests, finishes those in work, ends waits early; cuts off what lasts too long. Idempotent. */
  close(): Promise<void>
}

/**
 * Builds the server; nothing is bound yet.
 * @throws ApiOptionsError for a public address without tokens, and for options out of range
 */
export function createApi(options: ApiOptions, pipeline: Pipeline): Api {
  return new Server(options, pipeline)
}

class Server implements Api {
  readonly app: App
  readonly #options: ApiOptions
  readonly #limits: ApiLimits
  readonly #hooks: ApiHooks
  readonly #gate: Gate
  readonly #peers: Peers
  readonly #routes = new RouteTable()
  readonly #host: string
  readonly #sockets = new Set<Socket>()
  readonly #refused = new WeakSet<Socket>()
  #closing: Promise<void> | undefined

  constructor(options: ApiOptions, pipeline: Pipeline) {
    this.#options = options
    this.#host = (options.host ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1')
    this.#hooks = options.hooks ?? {}
    this.#limits = checked('limits', () => withDefaults(options.limits))
    const access = checked('tokens', () => new Access(options.tokens ?? []))
    checkOptions(options, this.#host, access)
    const { now, monotonic } = options.clock
    this.#gate = new Gate(this.#limits, () => monotonic.call(options.clock))
    const wallNow = (): number => now.call(options.clock)
    const [limits, gate, hooks] = [this.#limits, this.#gate, this.#hooks]
    this.#peers = checked('peers', () => new Peers(options.peers, { limits, gate, hooks, now: wallNow }))
    const context: ApiContext = {
      pipeline,
      limits: this.#limits,
      topics: options.topics ?? embeddedTopics,
      currency: options.currency,
      orders: options.orders,
      userEvents: options.userEvents ?? false,
      external: options.external ?? [],
      webhooks: options.webhooks,
      ids: options.ids,
      cursors: new Cursors(options.cursorSecret),
      gate: this.#gate,
      peers: this.#peers,
      now: wallNow,
      failed: (error, request) => void this.#known(error, request),
      isClosing: () => this.#closing !== undefined,
    }
    this.app = this.#build()
    this.#addHooks(access)
    describeApi(this.app, options.version ?? '0.0.0')
    // Swagger sees the routes that are added after it.
    void this.app.register((app: App, _options, done) => {
      for (const add of ROUTES) add(app, context)
      done()
    })
  }

  get routes(): Api['routes'] {
    return this.#routes.all
  }

  async listen(): Promise<string> {
    await this.app.ready()
    await this.app.listen({ host: this.#host, port: this.#options.port ?? DEFAULT_PORT })
    const { address, port, family } = this.app.server.address() as AddressInfo
    const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
    this.#peers.listening(url)
    return url
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  async #shutDown(): Promise<void> {
    this.#gate.stopWaiting()
    const { server } = this.app
    const cutOff = setTimeout(() => server.closeAllConnections(), this.#limits.closeGraceMs)
    // Node takes a connection that never sent a request for busy, and would wait for it.
    const busy = this.#gate.busySockets()
    for (const socket of this.#sockets) if (!busy.has(socket)) socket.destroySoon()
    try {
      await this.app.close()
    } finally {
      clearTimeout(cutOff)
      this.#gate.close()
      await this.#peers.close()
    }
  }

  #build(): App {
    const limits = this.#limits
    const app: App = Fastify({
      logger: false,
      bodyLimit: limits.bodyBytes,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      routerOptions: { maxParamLength: MAX_PARAM_CHARS },
      // The door answers 503 itself, as a problem.
      return503OnClosing: false,
      http: {
        headersTimeout: limits.headersTimeoutMs,
        maxHeaderSize: limits.headerBytes,
        connectionsCheckingInterval: Math.min(CONNECTION_CHECK_MS, limits.headersTimeoutMs),
      },
      clientErrorHandler: (error, socket) => {
        const status = answerClientError(error, socket, limits)
        if (status !== undefined) this.#hooks.onResponse?.('(socket)', '-', status, 0)
      },
      // Broken escapes and endless path parameters: no hook has run.
      frameworkErrors: (error, request, reply) => {
        this.#watch(request as FastifyRequest, reply.raw, this.#options.clock.monotonic())
        const long = (request.raw.url ?? '').length > limits.urlChars
        void sendProblem(long ? urlTooLong(limits) : toApiError(error), request as FastifyRequest, reply)
      },
    })
    app.setValidatorCompiler(validatorCompiler)
    parseJsonBodies(app)
    app.decorateRequest('principal')
    app.decorateRequest('work')
    app.decorateRequest('hop')
    app.server.maxConnections = limits.sockets + limits.refusedSockets
    app.server.on('connection', (socket) => this.#admit(socket))
    return app
  }

  #admit(socket: Socket): void {
    if (this.#closing !== undefined) {
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    if (this.#sockets.size > this.#limits.sockets) this.#refused.add(socket)
  }

  #addHooks(access: Access): void {
    const { app } = this
    const { clientRequestsPerSecond, clientBurst, clients } = this.#limits
    const monotonic = () => this.#options.clock.monotonic()
    const rate = new RateLimit({ perSecond: clientRequestsPerSecond, burst: clientBurst, clients, monotonic })
    const doors = new Doors({
      limits: this.#limits,
      access,
      rate,
      gate: this.#gate,
      peers: this.#peers,
      isClosing: () => this.#closing !== undefined,
      isRefused: ({ raw }) => this.#refused.has(raw.socket),
    })
    app.addHook('onRoute', (route) => this.#routes.add(route))
    app.addHook('onRequest', (request, reply, done) => {
      this.#watch(request, reply.raw, monotonic())
      try {
        doors.enter(request, reply)
        done()
      } catch (error) {
        done(error as Error)
      }
    })
    app.addHook('onSend', ({ hop }, reply, payload, done) => {
      if (hop !== undefined) this.#peers.prove(hop, reply, payload)
      done(null, payload)
    })
    app.setErrorHandler((error, request, reply) => {
      return sendProblem(this.#known(error, request), request, reply)
    })
    app.setNotFoundHandler((request, reply) => {
      return sendProblem(this.#routes.notFound(request.method, pathOf(request.raw.url)), request, reply)
    })
  }

  #known(error: unknown, request: FastifyRequest): ApiError {
    const known = toApiError(error)
    if (known.code === 'INTERNAL') this.#hooks.onError?.(error, routeOf(request))
    return known
  }

  /** `close` comes once, after the answer or when the client is gone. */
  #watch(request: FastifyRequest, response: ServerResponse, startedAt: number): void {
    response.once('close', () => {
      if (request.work !== undefined) this.#gate.leave(request.work)
      const status = response.writableFinished ? response.statusCode : CLIENT_GONE
      this.#hooks.onResponse?.(
        routeOf(request),
        request.method,
        status,
        this.#options.clock.monotonic() - startedAt,
      )
      // The connection was busy when the server began to close.
      if (this.#closing !== undefined) request.raw.socket?.destroySoon?.()
    })
  }
}

const ROUTES = [
  campaignRoutes,
  requestRoutes,
  requestEventRoutes,
  walletRoutes,
  pointRoutes,
  userRoutes,
  userEventRoutes,
  cartRoutes,
  productRoutes,
  orderRoutes,
  orderListRoutes,
  orderHistoryRoutes,
  orderRequestRoutes,
  rankingRoutes,
  rankingEventRoutes,
  eventRoutes,
  webhookRoutes,
  operationRoutes,
  incidentRoutes,
  orderRepairRoutes,
  deadLetterRoutes,
  connectorRoutes,
  mailRoutes,
] as const

function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? '(none)'
}

function checkOptions({ port, currency, cursorSecret }: ApiOptions, host: string, access: Access): void {
  if (access.open && !isLoopback(host)) {
    throw new ApiOptionsError(
      'host',
      `${host} is not a loopback address; bind 127.0.0.1, or configure tokens`,
    )
  }
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw new ApiOptionsError('port', `must be 0 to 65535, not ${port}`)
  }
  if (!/^[A-Z]{3}$/.test(currency)) {
    throw new ApiOptionsError('currency', `must be three capital letters, not ${JSON.stringify(currency)}`)
  }
  if (cursorSecret.length < MIN_SECRET_BYTES) {
    throw new ApiOptionsError('cursorSecret', `must have at least ${MIN_SECRET_BYTES} bytes`)
  }
}

function checked<T>(option: string, make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw new ApiOptionsError(option, (cause as Error).message, { cause })
  }
}
