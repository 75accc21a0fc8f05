/** What the API is started with. Parsing files and the environment is not its job. */
import type { Topics } from '../schemas/index.ts'
import type { Clock } from '../streams/index.ts'
import type { TokenSpec } from './access.ts'
import type { ExternalTopic } from './event-doors.ts'
import type { Ids } from './ids.ts'
import type { ApiLimits } from './limits.ts'
import type { WebhookTerms } from './webhook-signature.ts'

export interface ApiOptions {
  /** Address to bind. Anything but a loopback address needs tokens. Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** 0 lets the system choose. Default 8080. */
  readonly port?: number | undefined
  /** `shop.currency`: the one currency of this deployment, ISO 4217. */
  readonly currency: string
  /** None: everything is allowed, from this machine only. */
  readonly tokens?: readonly TokenSpec[] | undefined
  readonly limits?: Partial<ApiLimits> | undefined
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  readonly ids: Ids
  /** Seals cursors; the same on every process. At least 16 bytes. */
  readonly cursorSecret: Buffer
  /** Catalogue whose serdes know this deployment's schema ids. Default: the ids committed with the code. */
  readonly topics?: Topics | undefined
  /** The other processes of the deployment. Absent: there are none. */
  readonly peers?: PeerOptions | undefined
  /** Absent: the shop takes no orders. */
  readonly orders?: OrderTerms | undefined
  /** Whether users are told what concerns them. Default: no. */
  readonly userEvents?: boolean | undefined
  /** Topics of others that `POST /v1/events/{topic}` writes. */
  readonly external?: readonly ExternalTopic[] | undefined
  /** Of providers; absent: none are taken. */
  readonly webhooks?: Webhooks | undefined
  readonly hooks?: ApiHooks | undefined
  /** For `/openapi.json`. */
  readonly version?: string | undefined
}

export interface OrderTerms {
  /** How long an order can be paid, milliseconds. */
  readonly payByMs: number
}

/** Whose signed news are taken. */
export interface Webhooks {
  readonly payments?: WebhookTerms | undefined
  readonly deliveries?: WebhookTerms | undefined
}

export interface PeerOptions {
  /** Hosts that requests may be passed on to, whatever the group's metadata say: names and addresses, met exactly. */
  readonly allow: readonly string[]
  /** The same in every process. Whoever has it may do everything. At least 16 characters. */
  readonly secret: string
  /** This process's own address, exactly as the others get it. Default: where it listens. */
  readonly self?: string | undefined
}

/** Something that is not what a process of the deployment does. */
export interface PeerRefusal {
  /**
   * `address-refused`: the group names an address whose host is not allowed; it was not asked.
   * `answer-refused`: what answers there does not have the secret; its answer was dropped.
   * `request-refused`: a request says that it was passed on and does not prove it.
   */
  readonly kind: 'address-refused' | 'answer-refused' | 'request-refused'
  /** The one that was or would have been asked; of a request, the IP address that it came from. */
  readonly address: string
  readonly route: string
}

/** Called for every request; must not throw. */
export interface ApiHooks {
  /**
   * @param route the template, such as `/v1/coupons/:couponId`; `(none)` where no route matched, `(socket)` where the
   *   request did not get as far as being one
   * @param status 499 when the client went away before the answer
   * @param ms from the end of the request's headers to the end of the answer
   */
  onResponse?(route: string, method: string, status: number, ms: number): void
  /** Something failed that is nobody's fault but ours; the client got 500. */
  onError?(error: unknown, route: string): void
  /** For the audit log. */
  onPeerRefused?(refusal: PeerRefusal): void
}

/** Options that do not go together, or are out of range. */
export class ApiOptionsError extends Error {
  override readonly name = 'ApiOptionsError'
  /** Which option. */
  readonly option: string

  constructor(option: string, detail: string, options?: ErrorOptions) {
    super(`${option}: ${detail}`, options)
    this.option = option
  }
}
