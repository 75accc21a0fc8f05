/** What the routes share. */
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { Topics } from '../schemas/index.ts'
import type { Principal, Role } from './access.ts'
import type { Cursors } from './cursor.ts'
import type { ExternalTopic } from './event-doors.ts'
import type { Gate, Work } from './gate.ts'
import type { Ids } from './ids.ts'
import type { ApiLimits } from './limits.ts'
import type { OrderTerms, Webhooks } from './options.ts'
import type { Hop } from './peer-proof.ts'
import type { Peers } from './peers.ts'
import type { Pipeline } from './ports.ts'

export interface ApiContext {
  readonly pipeline: Pipeline
  readonly limits: ApiLimits
  readonly topics: Topics
  readonly currency: string
  /** Absent: the shop takes no orders. */
  readonly orders: OrderTerms | undefined
  /** Whether users are told what concerns them. */
  readonly userEvents: boolean
  /** Topics of others that events are taken for. */
  readonly external: readonly ExternalTopic[]
  /** Absent: none are taken. */
  readonly webhooks: Webhooks | undefined
  readonly ids: Ids
  readonly cursors: Cursors
  readonly gate: Gate
  readonly peers: Peers
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Something failed behind an answer that was begun; what is not our fault is passed over. */
  readonly failed: (error: unknown, request: FastifyRequest) => void
  /** `close()` was called. */
  readonly isClosing: () => boolean
}

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** Who may call a route. `probe`: everyone, also under overload and while closing. */
export type RouteAccess = readonly Role[] | 'public' | 'probe'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route says it; without, the server does not start. */
    access?: RouteAccess
    /** The body is read against its topic's schema, so the route has none. */
    bodyIsEvent?: boolean
  }
  interface FastifyRequest {
    /** Set by the door on every route but public ones. */
    principal: Principal
    /** Absent on probes. */
    work: Work | undefined
    /** The request came from another process of the deployment, which answers it to a client. */
    hop: Hop | undefined
  }
}

export const EVERYONE: RouteAccess = ['read', 'producer', 'service', 'admin']
export const READERS: RouteAccess = ['read', 'service', 'admin']
export const WRITERS: RouteAccess = ['producer', 'service', 'admin']
export const SERVICES: RouteAccess = ['service', 'admin']
export const ADMINS: RouteAccess = ['admin']
