/**
 * Stands between Kafka clients and one broker, and does to their requests what a bad network does: loses them or their
 * answers, holds them up, brings them late, cuts the connection, or leaves it open with nothing coming through.
 *
 * It knows frames and request headers only. A broker tells its clients where it is, so it must advertise the proxy's
 * port instead of its own (`proxied-broker.ts`). Other brokers come this way too: tell them by their client ids.
 *
 * Invariants:
 * 1. Requests of a connection are forwarded in their order, also while the fate of one is being decided.
 * 2. When one end of a connection goes, the other does; unless it is half-open, then neither hears of the other.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

const HOST = '127.0.0.1'
const FRAME_BYTES = 4
const CORRELATION_ID_AT = 4
const CLIENT_ID_AT = 8

/** Numbers of requests, as Kafka's protocol has them. */
export const API = Object.freeze({
  produce: 0,
  fetch: 1,
  metadata: 3,
  offsetCommit: 8,
  findCoordinator: 10,
  joinGroup: 11,
  heartbeat: 12,
  syncGroup: 14,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  addOffsetsToTxn: 25,
  endTxn: 26,
  txnOffsetCommit: 28,
})

export interface SeenRequest {
  readonly api: number
  readonly version: number
  readonly correlationId: number
  readonly clientId: string
  /** As the proxy was told when it was opened. */
  readonly broker: number
}

/**
 * - `lose request`: the broker never has it.
 * - `lose answer`: the broker carries it out, and the client hears nothing.
 * - `cut`: the broker carries it out, and instead of the answer the client's connection ends.
 * - `refuse`: the broker never has it, and the connection ends at once.
 * - `half-open`: the broker never has it, and nothing comes through on this connection any more, either way; also not
 *   that an end of it goes.
 * - `damage`: a bit of the last letter of this text changes where the answer has it.
 */
export type Fate =
  | 'pass'
  | 'lose request'
  | 'lose answer'
  | 'cut'
  | 'refuse'
  | 'half-open'
  | { readonly damage: string }

type Wanted = (request: SeenRequest) => boolean

/** A request that waits at the proxy, and whatever its client sent after it on the same connection. */
export interface HeldRequest {
  readonly request: SeenRequest
  /** It goes on as if nothing had been. */
  readonly letGo: () => void
}

/** A request that its client has given up, or will. */
export interface LateRequest {
  readonly request: SeenRequest
  /** The broker gets it now, by another connection. Resolves with the answer, its header included. */
  readonly deliver: () => Promise<Buffer>
}

export class KafkaProxy {
  /** Decides what becomes of each request; a promise holds up the connection until then. */
  fateOf: (request: SeenRequest, frame: Buffer) => Fate | Promise<Fate> = () => 'pass'
  readonly #broker: number
  readonly #brokerPort: number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #closing: Promise<void> | undefined
  #damaged = 0

  private constructor(brokerPort: number, broker: number) {
    this.#broker = broker
    this.#brokerPort = brokerPort
    this.#server = createServer((client) => this.#carry(client))
  }

  /** `broker`: what requests that come this way are marked with. */
  static async open(brokerPort: number, broker = 1): Promise<KafkaProxy> {
    const proxy = new KafkaProxy(brokerPort, broker)
    proxy.#server.listen(0, HOST)
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Answers of which a bit was changed. */
  get damaged(): number {
    return this.#damaged
  }

  /** Each request that `wanted` holds for meets this fate, until the fate of requests is decided otherwise. */
  each(wanted: Wanted, fate: Fate): void {
    this.fateOf = (request) => (wanted(request) ? fate : 'pass')
  }

  /** The next request that `wanted` holds for meets this fate; resolves when it has. Others pass meanwhile. */
  async once(wanted: Wanted, fate: Fate): Promise<SeenRequest> {
    const { request } = await this.#next(wanted, () => fate)
    return request
  }

  /** The next request that `wanted` holds for waits; resolves when it is here. */
  async hold(wanted: Wanted): Promise<HeldRequest> {
    const { promise, resolve } = Promise.withResolvers<Fate>()
    const { request } = await this.#next(wanted, () => promise)
    return { request, letGo: () => resolve('pass') }
  }

  /** The next request that `wanted` holds for is put aside, and its client hears nothing of it. */
  async putAside(wanted: Wanted): Promise<LateRequest> {
    const { request, frame } = await this.#next(wanted, () => 'lose request')
    return { request, deliver: () => this.#deliver(frame) }
  }

  #next(wanted: Wanted, fate: () => Fate | Promise<Fate>): Promise<{ request: SeenRequest; frame: Buffer }> {
    return new Promise((resolve) => {
      this.fateOf = (request, frame) => {
        if (!wanted(request)) return 'pass'
        this.fateOf = () => 'pass'
        resolve({ request, frame })
        return fate()
      }
    })
  }

  /** Ends every connection, and takes no more. Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #carry(client: Socket): void {
    const broker = this.#connect()
    client.setNoDelay(true)
    const line = { isOpen: true }
    for (const [own, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      this.#track(own)
      own.on('close', () => {
        if (line.isOpen) other.destroy()
      })
    }
    /** Of answers that do not get through, by correlation id. */
    const fates = new Map<number, Fate>()
    let before: Promise<void> = Promise.resolve()
    onFrames(client, (frame) => {
      before = before.then(async () => {
        if (!line.isOpen) return
        const request = headerOf(frame, this.#broker)
        const fate = await this.fateOf(request, frame)
        if (fate === 'half-open') line.isOpen = false
        else if (fate === 'refuse') client.destroy()
        else {
          if (fate !== 'pass') fates.set(request.correlationId, fate)
          if (fate !== 'lose request') broker.write(frame)
        }
      })
    })
    onFrames(broker, (frame) => {
      if (!line.isOpen) return
      const fate = fates.get(frame.readInt32BE(FRAME_BYTES))
      if (fate === undefined) client.write(frame)
      else if (fate === 'cut') client.destroy()
      else if (typeof fate === 'object') client.write(this.#damage(frame, fate.damage))
    })
  }

  #damage(frame: Buffer, text: string): Buffer {
    const at = frame.lastIndexOf(text)
    if (at === -1) return frame
    this.#damaged++
    const damaged = Buffer.from(frame)
    const last = at + text.length - 1
    damaged.writeUInt8(frame.readUInt8(last) ^ 1, last)
    return damaged
  }

  async #deliver(frame: Buffer): Promise<Buffer> {
    const socket = this.#connect()
    this.#track(socket)
    try {
      return await new Promise((resolve, reject) => {
        onFrames(socket, resolve)
        socket.once('close', () => reject(new Error('the broker gave no answer')))
        socket.write(frame)
      })
    } finally {
      socket.destroy()
    }
  }

  #connect(): Socket {
    return connect({ host: HOST, port: this.#brokerPort, noDelay: true })
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#sockets.delete(socket))
  }
}

/** Calls back with each whole frame, its length included. */
function onFrames(socket: Socket, each: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    while (rest.length >= FRAME_BYTES) {
      const length = FRAME_BYTES + rest.readInt32BE(0)
      if (rest.length < length) return
      each(rest.subarray(0, length))
      rest = rest.subarray(length)
    }
  })
}

function headerOf(frame: Buffer, broker: number): SeenRequest {
  const header = frame.subarray(FRAME_BYTES)
  const length = header.readInt16BE(CLIENT_ID_AT)
  const from = CLIENT_ID_AT + 2
  return {
    api: header.readInt16BE(0),
    version: header.readInt16BE(2),
    correlationId: header.readInt32BE(CORRELATION_ID_AT),
    clientId: length < 0 ? '' : header.toString('utf8', from, from + length),
    broker,
  }
}
