/** The one part of kafkajs 2.2.4 that is used from inside, as far as it is used: `src/network/connection.js`. */
declare module 'kafkajs/src/network/connection.js' {
  import type { Socket } from 'node:net'

  export interface SocketFactoryOptions {
    readonly onConnect: () => void
  }

  /** What a request waits for: `resolve` takes the bytes after the correlation id. */
  export interface RequestEntry {
    readonly apiName: string
    readonly correlationId: number
    readonly resolve: (answer: {
      correlationId: number
      entry: RequestEntry
      size: number
      payload: Buffer
    }) => void
    readonly reject: (error: Error) => void
  }

  export interface PushedRequest {
    readonly entry: RequestEntry
    readonly sendRequest: () => void
  }

  /** What a connection asks of its queue. */
  export interface RequestQueue {
    push(request: PushedRequest): void
    fulfillRequest(answer: { correlationId: number; payload: Buffer; size: number }): void
    rejectAll(error: Error): void
    waitForPendingRequests(): Promise<void>
    scheduleRequestTimeoutCheck(): void
    maybeThrottle(milliseconds: number | null | undefined): void
    destroy(): void
  }

  export interface SilentLogger {
    namespace(): SilentLogger
    debug(): void
    info(): void
    warn(): void
    error(): void
  }

  /** One message of a SASL exchange. Bytes have their length, 4 bytes, before them, both ways. */
  export interface SaslMessage<R> {
    readonly request: { encode(): Buffer | Promise<Buffer> }
    readonly response: { decode(bytes: Buffer): Promise<Buffer>; parse(bytes: Buffer): Promise<R> }
  }

  export interface SaslProviderOptions {
    readonly saslAuthenticate: <R>(message: SaslMessage<R>) => Promise<R>
  }

  export interface KafkajsSasl {
    readonly mechanism: string
    readonly username?: string
    readonly password?: string
    readonly authenticationProvider?: (options: SaslProviderOptions) => { authenticate(): Promise<void> }
  }

  export interface KafkajsConnectionOptions {
    readonly host: string
    readonly port: number
    readonly clientId: string
    readonly logger: SilentLogger
    readonly socketFactory: (options: SocketFactoryOptions) => Socket
    readonly requestTimeout: number
    readonly connectionTimeout: number
    readonly sasl: KafkajsSasl | null
  }

  export default class KafkajsConnection {
    constructor(options: KafkajsConnectionOptions)
    requestQueue: RequestQueue
    /** Milliseconds before its end at which a session is renewed. */
    reauthenticationThreshold: number
    /** Milliseconds, as an integer that prints itself; 0: without end. */
    readonly sessionLifetime: { toString(): string }
    /** Bytes until the answer that is being received is whole. */
    readonly bytesNeeded: number
    /** By API key. */
    setVersions(versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>>): void
    setSupportAuthenticationProtocol(supported: boolean): void
    connect(): Promise<boolean>
    authenticate(): Promise<void>
    isAuthenticated(): boolean
    nextCorrelationId(): number
    processData(bytes: Buffer): void
  }
}
