/**
 * The connections of one purpose to all brokers of a cluster: one to each, opened when it is needed and again when it
 * was lost.
 *
 * Each purpose has connections of its own, since a broker answers one request after the other on a connection: a fetch
 * that waits for records, or a JoinGroup that waits for the other members, holds up whatever is sent after it.
 *
 * Not its job: one connection (`link.ts`), finding out which broker to ask (`cluster.ts`), trying again later.
 */
import { ClusterError, isClusterError } from './errors.ts'
import { Link } from './link.ts'
import type { BrokerConnections } from './network.ts'
import type { KafkaRequest } from './protocol/request.ts'
import type { SaslOptions, TlsOptions } from './security.ts'

const CONNECT_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
/**
 * Brokers close a connection after 10 idle minutes (`connections.max.idle.ms`). One that is older than this is not used
 * again, so that no request is written into a connection that is being closed.
 */
const IDLE_MAX_MS = 9 * 60_000

export interface ConnectionOptions {
  /** `host:port` each; `[address]:port` for IPv6. */
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly tls?: TlsOptions
  readonly sasl?: SaslOptions
  /** For TCP and TLS, and again for each step of authentication. Milliseconds; 10 s. */
  readonly connectTimeoutMs?: number
  /** For requests that do not say themselves how long they take. Milliseconds; 30 s. */
  readonly requestTimeoutMs?: number
}

interface Address {
  readonly host: string
  readonly port: number
}

export class Connections implements BrokerConnections {
  readonly #options: ConnectionOptions
  readonly #clientId: string
  readonly #bootstrap: readonly Address[]
  readonly #known = new Map<number, Address>()
  /** By address. */
  readonly #links = new Map<string, Link>()
  #turn = 0
  #closed = false

  /** `purpose` becomes part of the client id. Throws `RangeError` for a broker that is not `host:port`. */
  constructor(options: ConnectionOptions, purpose: string) {
    if (options.brokers.length === 0) throw new RangeError('there must be a broker to begin with')
    this.#options = options
    this.#clientId = `${options.clientId}-${purpose}`
    this.#bootstrap = options.brokers.map(parseAddress)
  }

  async send<R>(node: number, request: KafkaRequest<R>): Promise<R> {
    const address = this.#known.get(node)
    if (address === undefined) {
      throw new ClusterError('CONNECTION_FAILED', `${request.apiName}: broker ${node} is not known`)
    }
    return this.#link(address).send(request)
  }

  async sendToAny<R>(request: KafkaRequest<R>): Promise<R> {
    const errors: ClusterError[] = []
    for (const address of this.#candidates()) {
      try {
        return await this.#link(address).send(request)
      } catch (error) {
        if (!isClusterError(error)) throw error
        errors.push(error)
      }
    }
    throw errors.find((error) => error.reaction === 'stop') ?? errors.at(-1)
  }

  know(brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[]): void {
    for (const { nodeId, host, port } of brokers) {
      const before = this.#known.get(nodeId)
      if (before?.host === host && before.port === port) continue
      this.#known.set(nodeId, { host, port })
      if (before !== undefined) this.#drop(before)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
  }

  #link(address: Address): Link {
    if (this.#closed) throw new ClusterError('CONNECTION_FAILED', 'the connections are closed')
    const key = keyOf(address)
    const before = this.#links.get(key)
    if (before?.alive && before.idleMs < IDLE_MAX_MS) return before
    before?.close()
    const { tls, sasl, connectTimeoutMs, requestTimeoutMs } = this.#options
    const link = new Link({
      ...address,
      clientId: this.#clientId,
      tls,
      sasl,
      connectTimeoutMs: connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      requestTimeoutMs: requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    })
    this.#links.set(key, link)
    return link
  }

  #drop(address: Address): void {
    const key = keyOf(address)
    this.#links.get(key)?.close()
    this.#links.delete(key)
  }

  /** Those with a connection first; the others take turns, so that all are tried in time. */
  #candidates(): Address[] {
    const all = new Map<string, Address>()
    for (const address of [...this.#known.values(), ...this.#bootstrap]) all.set(keyOf(address), address)
    const addresses = [...all.values()]
    const turn = this.#turn++ % addresses.length
    const turned = [...addresses.slice(turn), ...addresses.slice(0, turn)]
    const isOpen = (address: Address) => this.#links.get(keyOf(address))?.alive === true
    return [...turned.filter(isOpen), ...turned.filter((address) => !isOpen(address))]
  }
}

function keyOf({ host, port }: Address): string {
  return `${host}:${port}`
}

function parseAddress(text: string): Address {
  const [, ipv6, name, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = ipv6 ?? name
  const port = Number(digits)
  if (host === undefined || port < 1 || port > 65_535) throw new RangeError(`${text} is not host:port`)
  return { host, port }
}
