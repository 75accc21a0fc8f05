/**
 * A listener that frames like a broker and answers what a test says, in the order of the requests or not at all.
 *
 * Not its job: knowing Kafka. ApiVersions alone, which opens every connection, it answers by itself.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import type { KafkaRequest } from '../../../transports/kafka/protocol/request.ts'
import { Writer } from '../../../transports/kafka/protocol/writer.ts'

const API_VERSIONS = 18

export interface Received {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string
  readonly body: Buffer
  /** Number of the connection, from 0. */
  readonly connection: number
  readonly socket: Socket
  /** Sends the answer's body. */
  answer(body: Buffer | string): void
}

export interface FakeBrokerOptions {
  readonly port?: number
  readonly tls?: TlsOptions
  /** What it says to ApiVersions; absent: that it knows nothing. Undefined: no answer. */
  readonly versions?: () => Buffer | undefined
}

export class FakeBroker {
  readonly received: Received[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #versions: () => Buffer | undefined
  readonly #onRequest: (request: Received) => void
  #connections = 0
  #waiting: (() => void)[] = []

  /** `onRequest` sees every request but ApiVersions. */
  static async start(
    onRequest: (request: Received) => void,
    options: FakeBrokerOptions = {},
  ): Promise<FakeBroker> {
    const broker = new FakeBroker(onRequest, options)
    await new Promise<void>((resolve) => {
      broker.#server.listen(options.port ?? 0, '127.0.0.1', resolve)
    })
    return broker
  }

  private constructor(onRequest: (request: Received) => void, options: FakeBrokerOptions) {
    this.#onRequest = onRequest
    this.#versions = options.versions ?? (() => versionsAnswer([]))
    const accept = (socket: Socket) => this.#accept(socket)
    this.#server = options.tls === undefined ? createServer(accept) : createTlsServer(options.tls, accept)
    this.#server.on('tlsClientError', () => {})
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the broker does not listen')
    return address.port
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Connections that were ever opened. */
  get connections(): number {
    return this.#connections
  }

  /** Connections that are open. */
  get open(): number {
    return this.#sockets.size
  }

  /** Fulfilled once `count` requests other than ApiVersions were received. */
  async requests(count: number): Promise<void> {
    while (this.received.length < count) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    }
  }

  /** Ends every connection without a word. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  #accept(socket: Socket): void {
    const connection = this.#connections++
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    let bytes = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const end = 4 + bytes.readInt32BE(0)
        this.#receive(socket, connection, bytes.subarray(4, end))
        bytes = bytes.subarray(end)
      }
    })
  }

  #receive(socket: Socket, connection: number, frame: Buffer): void {
    const correlationId = frame.readInt32BE(4)
    const clientEnd = 10 + frame.readInt16BE(8)
    const request: Received = {
      apiKey: frame.readInt16BE(0),
      apiVersion: frame.readInt16BE(2),
      correlationId,
      clientId: frame.toString('utf8', 10, clientEnd),
      body: frame.subarray(clientEnd),
      connection,
      socket,
      answer: (body) => socket.write(answerFrame(correlationId, Buffer.from(body))),
    }
    if (request.apiKey === API_VERSIONS) {
      const versions = this.#versions()
      if (versions !== undefined) request.answer(versions)
      return
    }
    this.received.push(request)
    this.#onRequest(request)
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

export function answerFrame(correlationId: number, body: Buffer): Buffer {
  const frame = Buffer.alloc(8)
  frame.writeInt32BE(4 + body.length, 0)
  frame.writeInt32BE(correlationId, 4)
  return Buffer.concat([frame, body])
}

export interface FakeApi {
  readonly key: number
  readonly min: number
  readonly max: number
}

/** ApiVersions v3, with finalized features. */
export function versionsAnswer(
  apis: readonly FakeApi[],
  features: Readonly<Record<string, number>> = {},
): Buffer {
  const into = new Writer().int16(0)
  into.array(apis, ({ key, min, max }) => into.int16(key).int16(min).int16(max).noTags()).int32(0)
  const levels = new Writer()
  levels.array(Object.entries(features), ([name, level]) =>
    levels.string(name).int16(level).int16(level).noTags(),
  )
  const tag = levels.finish()
  return into.uvarint(1).uvarint(2).uvarint(tag.length).raw(tag).finish()
}

/** A request that no Kafka has: its body and its answer are text. */
export function text(body: string, timeoutMs?: number): KafkaRequest<string> {
  return {
    apiKey: 999,
    apiName: 'Text',
    apiVersion: 0,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    encode: () => Buffer.from(body),
    decode: (response) => response.toString(),
  }
}
