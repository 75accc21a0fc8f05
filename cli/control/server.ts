/** Listens on the control socket of a running process. Only its own user can reach it: the socket has mode 0600. */
import { chmodSync, lstatSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { type ControlReply, type ControlRequest, LineCollector, parseRequest } from './protocol.ts'

const PRIVATE_MODE = 0o600
const PRIVATE_UMASK = 0o177
/** A client that has not sent its line by then is cut off. Milliseconds. */
const REQUEST_TIMEOUT_MS = 5_000
const MAX_CONNECTIONS = 16

export type ControlHandler = (request: ControlRequest) => Promise<Readonly<Record<string, unknown>>>

export class ControlServer {
  readonly #server: Server
  readonly #address: string
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, address: string) {
    this.#server = server
    this.#address = address
  }

  /**
   * Call only while holding the data directory: what is left of a process before is removed. Rejects when the address
   * is taken by something that is not a socket of ours.
   */
  static async listen(address: string, handle: ControlHandler): Promise<ControlServer> {
    removeStale(address)
    const server = createServer((socket) => control.#serve(socket, handle))
    server.maxConnections = MAX_CONNECTIONS
    const control = new ControlServer(server, address)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      // The socket must not be open to others for a moment either: it is made within this call.
      const before = process.umask(PRIVATE_UMASK)
      try {
        server.listen(address, resolve)
      } finally {
        process.umask(before)
      }
    })
    chmodSync(address, PRIVATE_MODE)
    return control
  }

  #serve(socket: Socket, handle: ControlHandler): void {
    this.#sockets.add(socket)
    socket.setEncoding('utf8')
    socket.setTimeout(REQUEST_TIMEOUT_MS, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#sockets.delete(socket))
    const lines = new LineCollector()
    socket.on('data', (chunk: string) => {
      try {
        const line = lines.add(chunk)
        if (line === undefined) return
        socket.removeAllListeners('data')
        socket.setTimeout(0)
        void answer(parseRequest(line), handle).then((reply) => socket.end(`${JSON.stringify(reply)}\n`))
      } catch (error) {
        const reply: ControlReply = { ok: false, code: 'BAD_REQUEST', message: (error as Error).message }
        socket.end(`${JSON.stringify(reply)}\n`)
      }
    })
  }

  /** Idempotent; who still waits for an answer is cut off. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (!this.#server.listening) return
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
    rmSync(this.#address, { force: true })
  }
}

/** Never rejects. */
async function answer(request: ControlRequest, handle: ControlHandler): Promise<ControlReply> {
  try {
    return { ok: true, result: await handle(request) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'FAILED'
    return { ok: false, code, message: error instanceof Error ? error.message : String(error) }
  }
}

function removeStale(address: string): void {
  const found = lstatSync(address, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw new Error(`${address} is in the way: it is no socket`)
  rmSync(address)
}
