/**
 * One connection to one broker: opened once, used by many requests at a time, never reopened. The only file that
 * runs code of kafkajs, of which it uses the connection: its wiring of the socket, its framing of answers, its SASL.
 *
 * Not its job: which broker has which address, connecting again (`connections.ts`); what requests say (`protocol/`).
 *
 * Invariants:
 * 1. A request that fails with `CONNECTION_FAILED` had no byte written; one that fails with `OUTCOME_UNKNOWN` had.
 * 2. Requests are written in the order in which `send` was called, also across a renewed authentication.
 * 3. When the socket ends, for whatever reason, everything that waits is rejected in the same turn.
 * 4. No request is sent before the broker has answered one, is known to speak Kafka and has accepted the credentials.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import KafkajsConnection, {
  type KafkajsConnectionOptions,
  type KafkajsSasl,
  type SilentLogger,
} from 'kafkajs/src/network/connection.js'
import { ClusterError, type ClusterErrorCode } from './errors.ts'
import { InFlight } from './in-flight.ts'
import { authenticateOAuthBearer } from './oauth-bearer.ts'
import type { KafkaRequest } from './protocol/request.ts'
import { apiVersions } from './protocol/versions.ts'
import { checkExposure, isTlsError, type SaslOptions, type TlsOptions, tlsSocketOptions } from './security.ts'
import { SOFTWARE } from './software.ts'

/** Far above what a fetch asks for (50 MiB); more is no answer of Kafka. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024
const KEEP_ALIVE_DELAY_MS = 60_000
/** A session is renewed after 85 % of its time, as Java's client does at the earliest. */
const SESSION_MARGIN = 0.15

const FRAME_BYTES = 4
const HEADER_BYTES = 10

/** Requests of kafkajs's own, all known to every broker since Kafka 1.0: SaslHandshake and SaslAuthenticate. */
const SASL_VERSIONS = { 17: { minVersion: 0, maxVersion: 1 }, 36: { minVersion: 0, maxVersion: 1 } }

const nothing = () => {}
/** kafkajs would log what it sends, and its errors come out of its promises anyway. */
const silent: SilentLogger = {
  namespace: () => silent,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
}

export interface LinkOptions {
  readonly host: string
  readonly port: number
  readonly clientId: string
  readonly tls?: TlsOptions | undefined
  readonly sasl?: SaslOptions | undefined
  /** Milliseconds for TCP and TLS, and again for each message of authentication. */
  readonly connectTimeoutMs: number
  /** Milliseconds for requests that do not say themselves. */
  readonly requestTimeoutMs: number
}

export class Link {
  readonly #options: LinkOptions
  readonly #broker: string
  readonly #clientId: Buffer
  readonly #inFlight: InFlight
  readonly #wire: KafkajsConnection
  /** Fulfilled when requests may be written. */
  #ready: Promise<void>
  #phase: 'opening' | 'secured' | 'authenticating' | 'open' = 'opening'
  #socket: Socket | undefined
  /** TCP is through. */
  #reached = false
  /** A request was answered after the connection was open. */
  #proven = false
  /** Why there is no connection any more. */
  #ended: { readonly why: string; readonly cause: unknown } | undefined
  #usedAt = performance.now()

  /** Begins to connect. */
  constructor(options: LinkOptions) {
    this.#options = options
    this.#broker = `${options.host}:${options.port}`
    this.#clientId = Buffer.from(options.clientId)
    this.#inFlight = new InFlight(this.#broker, options.connectTimeoutMs, this.#end)
    this.#wire = new GuardedConnection(this.#wireOptions(), this.#inFlight, this.#end)
    this.#ready = this.#open()
    this.#ready.catch(nothing)
  }

  /** False: every further request fails. */
  get alive(): boolean {
    return this.#ended === undefined
  }

  /** Milliseconds since the last request; 0 while one waits for its answer. */
  get idleMs(): number {
    return this.#inFlight.size > 0 ? 0 : performance.now() - this.#usedAt
  }

  /**
   * Throws `OUTCOME_UNKNOWN` for a request that was sent and not answered, `CONNECTION_FAILED` for one that was not
   * sent, `AUTHENTICATION_FAILED`, `TLS_FAILED`, `PASSWORD_EXPOSED`.
   */
  async send<R>(request: KafkaRequest<R>): Promise<R> {
    this.#usedAt = performance.now()
    if (this.#phase === 'open' && this.#options.sasl !== undefined && !this.#wire.isAuthenticated()) {
      this.#ready = this.#authenticate()
    }
    await this.#ready
    return this.#write(request, request.timeoutMs ?? this.#options.requestTimeoutMs)
  }

  /** Idempotent. */
  close(): void {
    this.#end('closed by this side')
  }

  async #open(): Promise<void> {
    const { host, tls, sasl } = this.#options
    try {
      checkExposure(host, tls, sasl)
      await this.#wire.connect()
    } catch (cause) {
      throw this.#failedToOpen(cause)
    }
    this.#phase = 'secured'
    try {
      // With TLS 1.3 a broker refuses a client's certificate only after the handshake, and a listener of another
      // security protocol is told by its answer: the first request tells both, and does no harm.
      await this.#write(apiVersions(SOFTWARE), this.#options.connectTimeoutMs)
    } catch (cause) {
      throw this.#failedToOpen(cause)
    }
    await this.#authenticate()
  }

  async #authenticate(): Promise<void> {
    const { sasl } = this.#options
    if (sasl !== undefined) {
      this.#phase = 'authenticating'
      try {
        await this.#wire.authenticate()
      } catch (cause) {
        throw this.#failedToAuthenticate(sasl, cause)
      }
      this.#wire.reauthenticationThreshold = Number(this.#wire.sessionLifetime.toString()) * SESSION_MARGIN
    }
    this.#phase = 'open'
  }

  #write<R>(request: KafkaRequest<R>, timeoutMs: number): Promise<R> {
    return new Promise((resolve, reject) => {
      const socket = this.#socket
      if (this.#ended !== undefined || socket === undefined) {
        throw this.#error('CONNECTION_FAILED', this.#ended?.why ?? 'not connected', this.#ended?.cause)
      }
      const body = request.encode()
      const correlationId = this.#wire.nextCorrelationId()
      this.#inFlight.add(correlationId, {
        apiName: request.apiName,
        timeoutMs,
        answered: (payload) => {
          resolve(request.decode(payload))
          this.#proven = this.#phase === 'open'
        },
        failed: reject,
      })
      socket.cork()
      socket.write(this.#header(request, correlationId, body.length))
      socket.write(body)
      socket.uncork()
    })
  }

  /** Length, API key, version, correlation id, client id. The tag section of flexible versions is in the body. */
  #header({ apiKey, apiVersion }: KafkaRequest<unknown>, correlationId: number, bodyBytes: number): Buffer {
    const header = Buffer.allocUnsafe(FRAME_BYTES + HEADER_BYTES + this.#clientId.length)
    let at = header.writeInt32BE(header.length - FRAME_BYTES + bodyBytes, 0)
    at = header.writeInt16BE(apiKey, at)
    at = header.writeInt16BE(apiVersion, at)
    at = header.writeInt32BE(correlationId, at)
    at = header.writeInt16BE(this.#clientId.length, at)
    header.set(this.#clientId, at)
    return header
  }

  #wireOptions(): KafkajsConnectionOptions {
    const { host, port, clientId, sasl, connectTimeoutMs } = this.#options
    return {
      host,
      port,
      clientId,
      logger: silent,
      socketFactory: ({ onConnect }) => this.#openSocket(onConnect),
      requestTimeout: connectTimeoutMs,
      connectionTimeout: connectTimeoutMs,
      sasl: sasl === undefined ? null : kafkajsSasl(sasl),
    }
  }

  /** This side's listeners come before those of kafkajs, which wait for each other. */
  #openSocket(onConnect: () => void): Socket {
    const { host, port, tls } = this.#options
    const socket =
      tls === undefined
        ? connectTcp({ host, port }, onConnect)
        : connectTls({ host, port, ...tlsSocketOptions(tls, host) }, onConnect)
    socket.on('connect', () => {
      this.#reached = true
      socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS)
      // Small requests that follow each other would wait for each other's acknowledgements.
      socket.setNoDelay(true)
    })
    socket.on('error', (error) => this.#end(error.message || String(error), error))
    socket.on('end', () => this.#end(`the broker closed the connection${this.#hint()}`))
    socket.on('close', () => this.#end('the connection is closed'))
    this.#socket = socket
    return socket
  }

  /** What is most likely wrong when a broker closes the connection without a word. */
  #hint(): string {
    if (this.#phase === 'open')
      return this.#proven ? '' : ' at the first request; it may want credentials (SASL)'
    if (this.#phase === 'authenticating') return ' while authenticating'
    return this.#options.tls === undefined
      ? '; its listener may want TLS'
      : '; its listener may not speak TLS'
  }

  readonly #end = (why: string, cause?: unknown): void => {
    if (this.#ended !== undefined) return
    this.#ended = { why, cause }
    this.#inFlight.fail(why, cause)
    // An error, so that a `connect` of kafkajs that is under way ends too.
    this.#socket?.destroy(new Error(why))
  }

  /** Ends the connection, and says with which error it did not open. */
  #failedToOpen(cause: unknown): Error {
    const noSocket = this.#socket === undefined
    this.#end(message(cause), cause)
    if (cause instanceof ClusterError && cause.code !== 'OUTCOME_UNKNOWN') return cause
    const why = this.#ended?.why ?? message(cause)
    const first = this.#ended?.cause ?? cause
    // Without a socket, Node refused the options: those of TLS are the only ones it looks into.
    const secured = this.#options.tls !== undefined && (noSocket || (this.#reached && isTlsError(first)))
    return this.#error(secured ? 'TLS_FAILED' : 'CONNECTION_FAILED', why, first)
  }

  #failedToAuthenticate(sasl: SaslOptions, cause: unknown): Error {
    const broken = this.#ended
    this.#end('not authenticated', cause)
    if (broken !== undefined) return this.#error('CONNECTION_FAILED', broken.why, broken.cause)
    if (cause instanceof ClusterError) return cause
    const user = 'username' in sasl ? ` as ${sasl.username}` : ''
    return this.#error('AUTHENTICATION_FAILED', `${sasl.mechanism}${user}: ${message(cause)}`, cause)
  }

  #error(code: ClusterErrorCode, why: string, cause: unknown): ClusterError {
    return new ClusterError(code, `broker ${this.#broker}: ${why}`, { cause })
  }
}

/** kafkajs's connection, with this side's queue, and without trust in what is received. */
class GuardedConnection extends KafkajsConnection {
  readonly #end: (why: string, cause?: unknown) => void

  constructor(
    options: KafkajsConnectionOptions,
    queue: InFlight,
    end: (why: string, cause?: unknown) => void,
  ) {
    super(options)
    this.requestQueue = queue
    this.#end = end
    this.setVersions(SASL_VERSIONS)
    this.setSupportAuthenticationProtocol(true)
  }

  override processData(bytes: Buffer): void {
    try {
      super.processData(bytes)
    } catch (cause) {
      this.#end('what the broker sends is no answer of Kafka', cause)
    }
    if (this.bytesNeeded > ANSWER_BYTES_MAX) {
      this.#end(`what the broker sends is no answer of Kafka, or one of ${this.bytesNeeded} bytes`)
    }
  }
}

/** An object of its own for each connection: kafkajs writes into it. */
function kafkajsSasl(sasl: SaslOptions): KafkajsSasl {
  if (sasl.mechanism !== 'OAUTHBEARER') {
    const { mechanism, username, password } = sasl
    return { mechanism, username, password }
  }
  const { mechanism, token } = sasl
  const authenticationProvider: KafkajsSasl['authenticationProvider'] = (options) => ({
    authenticate: () => authenticateOAuthBearer(token, options),
  })
  return { mechanism, authenticationProvider }
}

function message(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
