/** Asks a running process something over its control socket. */
import { lstatSync } from 'node:fs'
import { createConnection } from 'node:net'
import { type ControlReply, type ControlRequest, LineCollector, parseReply } from './protocol.ts'

/** Nobody listens there: the process is gone. */
export class NotRunningError extends Error {
  override readonly name = 'NotRunningError'
}

/** Rejects with a `NotRunningError`, or when the connection breaks before the reply. */
export async function askProcess(address: string, request: ControlRequest): Promise<ControlReply> {
  assertOwn(address)
  return new Promise((resolve, reject) => {
    const lines = new LineCollector()
    const socket = createConnection(address)
    socket.setEncoding('utf8')
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const gone = error.code === 'ENOENT' || error.code === 'ECONNREFUSED'
      reject(gone ? new NotRunningError(`nothing listens on ${address}`, { cause: error }) : error)
    })
    socket.on('data', (chunk: string) => {
      try {
        const line = lines.add(chunk)
        if (line === undefined) return
        socket.end()
        resolve(parseReply(line))
      } catch (error) {
        socket.destroy()
        reject(error as Error)
      }
    })
    socket.on('close', () => reject(new Error(`the process behind ${address} ended before it answered`)))
  })
}

/** In a directory that all may write to, somebody else's socket could stand where ours was. */
function assertOwn(address: string): void {
  const found = lstatSync(address, { throwIfNoEntry: false })
  if (found === undefined) throw new NotRunningError(`there is no ${address}`)
  const { getuid } = process
  if (getuid !== undefined && found.uid !== getuid() && getuid() !== 0) {
    throw new Error(`${address} belongs to another user`)
  }
}
