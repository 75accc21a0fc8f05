/**
 * Stands between Kafka clients and one broker, and loses what it is told to lose: requests, or their answers.
 *
 * It knows frames and request headers only. A broker tells its clients where it is, so it must advertise the proxy's
 * port instead of its own (`proxiedBroker`).
 *
 * Invariants:
 * 1. Requests of a connection are forwarded in their order, also while the fate of one is being decided.
 * 2. When one end of a connection goes, the other does.
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
  offsetCommit: 8,
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
}

/**
 * `lose request`: the broker never has it. `lose answer`: the broker carries it out, and the client hears nothing.
 * `cut`: the broker carries it out, and instead of the answer the client's connection ends.
 */
export type Fate = 'pass' | 'lose request' | 'lose answer' | 'cut'

export class KafkaProxy {
  /** Decides what becomes of each request; a promise holds up the connection until then. */
  fateOf: (request: SeenRequest) => Fate | Promise<Fate> = () => 'pass'
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(brokerPort: number) {
    this.#server = createServer((client) => this.#carry(client, brokerPort))
  }

  static async open(brokerPort: number): Promise<KafkaProxy> {
    const proxy = new KafkaProxy(brokerPort)
    proxy.#server.listen(0, HOST)
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** The next request that `wanted` holds for meets this fate; resolves when it has. Others pass meanwhile. */
  once(wanted: (request: SeenRequest) => boolean, fate: Fate): Promise<SeenRequest> {
    return new Promise((resolve) => {
      this.fateOf = (request) => {
        if (!wanted(request)) return 'pass'
        this.fateOf = () => 'pass'
        resolve(request)
        return fate
      }
    })
  }

  /** Ends every connection, and takes no more. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #carry(client: Socket, brokerPort: number): void {
    const broker = connect({ host: HOST, port: brokerPort, noDelay: true })
    client.setNoDelay(true)
    for (const [own, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      this.#sockets.add(own)
      own.on('error', () => own.destroy())
      own.on('close', () => {
        this.#sockets.delete(own)
        other.destroy()
      })
    }
    /** Of answers that do not get through, by correlation id. */
    const fates = new Map<number, Fate>()
    let before: Promise<void> = Promise.resolve()
    onFrames(client, (frame) => {
      before = before.then(async () => {
        const request = headerOf(frame)
        const fate = await this.fateOf(request)
        if (fate !== 'pass') fates.set(request.correlationId, fate)
        if (fate !== 'lose request') broker.write(frame)
      })
    })
    onFrames(broker, (frame) => {
      const fate = fates.get(frame.readInt32BE(FRAME_BYTES))
      if (fate === undefined) client.write(frame)
      else if (fate === 'cut') client.destroy()
    })
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

function headerOf(frame: Buffer): SeenRequest {
  const header = frame.subarray(FRAME_BYTES)
  const length = header.readInt16BE(CLIENT_ID_AT)
  const from = CLIENT_ID_AT + 2
  return {
    api: header.readInt16BE(0),
    version: header.readInt16BE(2),
    correlationId: header.readInt32BE(CORRELATION_ID_AT),
    clientId: length < 0 ? '' : header.toString('utf8', from, from + length),
  }
}
