/** Free ports for servers that are killed and come back on the same one. */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { LocalClusterError } from './errors.ts'

export const LOOPBACK = '127.0.0.1'
/**
 * Below the ports that systems give to outgoing connections (32768 on Linux, 49152 elsewhere). A client that tries a
 * dead server again and again is given every one of those in turn, in the end the server's own: it then is connected
 * to itself, and the server cannot come back.
 */
const LOWEST_PORT = 12_000
const HIGHEST_PORT = 32_000
const TRIES = 200

const given = new Set<number>()

/** A port that nobody listens on, and that this process was not given before. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
  throw new LocalClusterError(`no free port from ${LOWEST_PORT} to ${HIGHEST_PORT} in ${TRIES} tries`)
}

/** Whether a server could listen there now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
